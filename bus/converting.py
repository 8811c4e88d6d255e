"""Checked structs from plain data: a converter is made where its type is declared.

msgspec learns a type at its first use: it puts what it knows about a struct (or dataclass)
on the class, and fills it in afterwards, in Python code that other threads run between. A
second thread that uses the type meanwhile reads what is not there yet, and the process dies
of SIGSEGV. So every type is learned at import, by one thread: decoders and converters are
made at module level only (`tests/bus/test_converting.py`), never `msgspec.json.decode(…, type=…)`
or `msgspec.convert` in a function.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def converter(kind: type[T], *, strict: bool = True) -> Callable[[Any], T]:
    """`msgspec.convert` to `kind`, which is learned here and now."""
    msgspec.json.Decoder(kind)
    return partial(msgspec.convert, type=kind, strict=strict)
