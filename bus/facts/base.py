"""What every fact has."""

from typing import Any, ClassVar

import msgspec


class Fact(msgspec.Struct, tag_field="type", kw_only=True):
    """Base of all facts. `at` is UTC, RFC 3339 with microseconds and `Z`."""

    observed: ClassVar[bool] = False

    seq: int = 0
    at: str = ""
    address: str


def fact_type(fact: Fact) -> str:
    """Return the wire name of a fact's type, such as `terminal.status`."""
    tag: Any = fact.__struct_config__.tag
    return str(tag)
