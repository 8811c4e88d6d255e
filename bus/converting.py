"""Converters from plain data to checked structs, made where their types are declared.

msgspec inspects a type at its first use. It puts its description of a struct (or dataclass) on the
class and fills it in afterwards, in Python code during which other threads may run. A second thread
that uses the type meanwhile reads the incomplete description, and the process dies of SIGSEGV.

So one thread inspects every type, at import: decoders and converters are made at module level only
(`tests/bus/test_converting.py`). No function may call `msgspec.json.decode(…, type=…)` or
`msgspec.convert`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def converter(kind: type[T], *, strict: bool = True) -> Callable[[Any], T]:
    """Return `msgspec.convert` bound to `kind`, which msgspec inspects during this call."""
    msgspec.json.Decoder(kind)
    return partial(msgspec.convert, type=kind, strict=strict)
