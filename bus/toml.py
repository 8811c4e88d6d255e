"""Parse untrusted TOML in a time bounded by its length."""

import re
from typing import Any, Final

PARTS: Final = 100
"""Largest number of parts of a dotted key; the parser's time grows with the square of it."""

_LONG_KEY: Final = re.compile(
    r"(?<![\w-])(?:(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}"  # PARTS
)


class TomlError(Exception):
    """The text is not TOML, or exceeds a limit of this module; the message says why."""


def loads(text: str) -> dict[str, Any]:
    """Return the tables of `text`. Raise only `TomlError`."""
    import tomllib  # a start reads no TOML

    if found := _LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise TomlError(f"a key has at most {PARTS} parts (line {line})")
    try:
        return tomllib.loads(text)
    except (RecursionError, ValueError) as error:
        raise TomlError(str(error) or "it is nested too deeply") from error
