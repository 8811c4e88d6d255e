"""Sizes of memory as plans write them: `"20GiB"`."""

from typing import Annotated, Final

import msgspec

Size = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,6}(\.[0-9]{1,3})? ?[MGT]iB\Z")]
"""A number and `MiB`, `GiB` or `TiB`."""

_UNITS: Final = {"MiB": 1, "GiB": 1 << 10, "TiB": 1 << 20}


def mebibytes(size: str) -> int:
    """Return a `Size` in MiB, rounded down."""
    return int(float(size[:-3]) * _UNITS[size[-3:]])
