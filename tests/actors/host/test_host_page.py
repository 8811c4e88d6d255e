"""docs/host.md documents the wire protocol, exit codes and records as they are."""

import re
from pathlib import Path

import pytest

from actors.host import wire
from actors.pty.records import Exit, Identity
from actors.pty.spawn import Refusal

PAGE = (Path(__file__).resolve().parents[3] / "docs/host.md").read_text()
FROM_CLIENTS = ("HELLO", "INPUT", "KEY", "OUTPUT", "FOLLOW", "QUIET", "RESIZE", "SIGNAL", "END")
FROM_HOSTS = ("WELCOME", "ACK", "KEY_STATE", "BYTES", "PUSH", "SILENT", "RESIZED", "EXIT")
VALUES = ("DONE", "ALREADY", "REFUSED", "UNKNOWN", "PENDING", "TYPED", "CUT", "PROGRAM", "GROUP")


def test_every_kind_of_frame_has_a_row_with_its_number() -> None:
    rows = re.findall(r"^\| ([A-Z_]+) \| (\d+) \|", PAGE, re.MULTILINE)
    assert rows == [(name, str(getattr(wire, name))) for name in FROM_CLIENTS + FROM_HOSTS]


@pytest.mark.parametrize("name", VALUES)
def test_every_value_stands_beside_its_name(name: str) -> None:
    assert f"{name} {getattr(wire, name)}" in PAGE


def test_every_exit_code_has_a_row() -> None:
    rows = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert rows == ["0", *(str(code.value) for code in Refusal)]


@pytest.mark.parametrize("record", [Exit, Identity])
def test_every_field_of_a_record_is_named(record: type[Exit] | type[Identity]) -> None:
    assert [name for name in record.__struct_fields__ if f"`{name}`" not in PAGE] == []
