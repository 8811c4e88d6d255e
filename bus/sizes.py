"""Sizes as plans write them, `"20GiB"`, and as persons read them."""

from typing import Annotated, Final

import msgspec

Size = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,6}(\.[0-9]{1,3})? ?[MGT]iB\Z")]
"""A number and `MiB`, `GiB` or `TiB`."""

_UNITS: Final = {"MiB": 1, "GiB": 1 << 10, "TiB": 1 << 20}


def readable(size: int) -> str:
    """Return a number of bytes for a person: `512 B`, `1.5 MiB`."""
    if size < 1 << 10:
        return f"{size} B"
    power = min(4, (size.bit_length() - 1) // 10)
    value = size / (1 << 10 * power)
    return f"{value:.{1 if value < 10 else 0}f} {'KMGT'[power - 1]}iB"


def mebibytes(size: str) -> int:
    """Return a `Size` in MiB, rounded down."""
    return int(float(size[:-3]) * _UNITS[size[-3:]])
