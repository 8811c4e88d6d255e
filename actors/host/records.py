# ruff: noqa: PTH104
# pathlib would cost the host a megabyte.
"""The records of a host: host.json and exit.json. Standard library only, without `json`."""

import os
import sys

_SYNC = getattr(os, "fdatasync", os.fsync)  # macOS has only fsync; the times need not be durable


def write_identity(folder: str, fields: "dict[str, int | float | str]") -> None:
    """Write host.json at once, so that a reader finds it whole or not at all.

    Durable on return. Raise OSError.
    """
    with open(folder + "/host.tmp", "wb") as file:
        file.write(_json(fields) + b"\n")
        file.flush()
        _SYNC(file.fileno())
    os.rename(folder + "/host.tmp", folder + "/host.json")
    _sync_names(folder)


def reserve_exit(folder: str) -> None:
    """Reserve disk blocks for exit.json, so that it can be written when the disk is full."""
    with open(folder + "/exit.tmp", "wb") as reserved:
        reserved.write(b" " * 512)


def write_exit(folder: str, fields: "dict[str, int | float | str]") -> bytes:
    """Write exit.json and return its text. Log an error: the directory may have been deleted."""
    text = _json(fields)
    try:
        fd = os.open(folder + "/exit.tmp", os.O_WRONLY)
        os.pwrite(fd, text, 0)  # into the reserved blocks; spaces follow
        _SYNC(fd)
        os.close(fd)
        os.rename(folder + "/exit.tmp", folder + "/exit.json")
        _sync_names(folder)
    except OSError as error:
        said = text.decode()
        print(f"host: exit.json not written: {error}: {said}", file=sys.stderr, flush=True)
    return text


def _sync_names(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def _json(fields: "dict[str, int | float | str]") -> bytes:
    return (
        "{" + ", ".join(f'"{key}": {_value(field)}' for key, field in fields.items()) + "}"
    ).encode()


def _value(field: "int | float | str") -> str:
    if isinstance(field, str):
        return '"' + field.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(field, bool):
        return str(field).lower()
    return f"{field:.3f}" if isinstance(field, float) else str(field)
