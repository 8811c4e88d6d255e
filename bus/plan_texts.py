"""Texts that no plan may hold, wherever they stand in it."""

from typing import Any

from bus.errors import malformed

_MAX_DEPTH = 32


def check_texts(value: Any, path: str = "", depth: int = 0) -> None:
    """Refuse a NUL or a lone surrogate anywhere in the plan, and nesting that is too deep.

    Paths, arguments and environments cannot hold a NUL; files and sockets cannot hold a surrogate.
    Raise `Refused`.
    """
    if depth > _MAX_DEPTH:
        raise malformed(path, "the plan is nested too deeply")
    match value:
        case str():
            if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
                raise malformed(path, "must not hold a NUL or half a character")
        case dict():
            for key, inner in value.items():
                where = f"{path}.{key!s}".lstrip(".")
                check_texts(key, ascii(where)[1:-1], depth + 1)
                check_texts(inner, where, depth + 1)
        case list():
            for index, inner in enumerate(value):
                check_texts(inner, f"{path}[{index}]", depth + 1)
