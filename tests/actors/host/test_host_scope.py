"""A program and its scope of systemd: no launch fails because there is none.

A scripted manager stands at a real socket. It moves nothing: only a real systemd can do that, and
where one runs, the last test asks it.
"""

import os
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.host import scope
from actors.platform import scopes
from tests.actors.host.host_kit import Terminal

UNIT = "callboard-a.scope"
MOST = 3 << 30
ALIGNED = {"y": 1, "g": 1, "v": 1, "u": 4, "s": 4, "o": 4, "a": 4, "t": 8, "(": 8}


def whole(kind: str) -> str:
    """Return the first complete type of a signature."""
    if kind[0] == "a":
        return "a" + whole(kind[1:])
    if kind[0] != "(":
        return kind[0]
    depth = 0
    for index, letter in enumerate(kind):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if not depth:
            return kind[: index + 1]
    raise ValueError(kind)


class Reader:
    """Reads what D-Bus has written, by its signature."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def unpack(self, letter: str) -> int:
        size = struct.calcsize(letter)
        self.at += size
        return int(struct.unpack_from("<" + letter, self.data, self.at - size)[0])

    def text(self, size: int) -> str:
        self.at += size + 1
        assert self.data[self.at - 1] == 0
        return self.data[self.at - 1 - size : self.at - 1].decode()

    def all(self, kinds: str) -> list[object]:
        found = []
        while kinds:
            first = whole(kinds)
            found.append(self.one(first))
            kinds = kinds[len(first) :]
        return found

    def one(self, kind: str) -> object:
        self.align(ALIGNED[kind[0]])
        match kind[0]:
            case "y":
                return self.unpack("B")
            case "u":
                return self.unpack("I")
            case "t":
                return self.unpack("Q")
            case "s" | "o":
                return self.text(self.unpack("I"))
            case "g":
                return self.text(self.unpack("B"))
            case "v":
                return self.one(self.text(self.unpack("B")))
            case "(":
                return tuple(self.all(kind[1:-1]))
        size = self.unpack("I")
        self.align(ALIGNED[kind[1]])
        end, found = self.at + size, []
        while self.at < end:
            found.append(self.one(kind[1:]))
        assert self.at == end
        return found

    def align(self, to: int) -> None:
        while self.at % to:
            assert self.data[self.at] == 0
            self.at += 1


class Manager:
    """Stands at a socket; `answers` are what it says to one request after another."""

    def __init__(self, path: Path, *answers: bytes, greets: bytes = b"OK 0123\r\n") -> None:
        self.path, self.answers, self.greets = path, list(answers), greets
        self.asked: list[list[object]] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        client, _ = self.listener.accept()
        with client, client.makefile("rb") as file:
            assert file.readline().startswith(b"\0AUTH EXTERNAL ")
            client.sendall(self.greets)
            if file.readline() != b"BEGIN\r\n":
                return
            while start := file.read(16):
                size, _, fields = struct.unpack_from("<III", start, 4)
                file.read(fields + -fields % 8)
                reader = Reader(file.read(size))
                self.asked.append(reader.all("ssa(sv)a(sa(sv))"))
                assert reader.at == size
                if self.answers:
                    client.sendall(self.answers.pop(0))

    def close(self) -> None:
        self.thread.join(20)
        self.listener.close()

    @property
    def option(self) -> str:
        return f"{UNIT}:user-0.slice:{MOST}:{self.path}"


RETURNS = struct.pack("<cBBBIII", b"l", 2, 1, 1, 0, 1, 0)
SIGNAL = struct.pack("<cBBBIII", b"l", 4, 1, 1, 0, 1, 0)


def refusal(text: bytes) -> bytes:
    body = struct.pack("<I", len(text)) + text + b"\0"
    return struct.pack("<cBBBIII", b"l", 3, 1, 1, len(body), 1, 0) + body


@pytest.fixture
def place() -> Iterator[Path]:

    root = Path(tempfile.mkdtemp(prefix="cb"))
    yield root
    shutil.rmtree(root)


def ran(terminal: Terminal, option: str) -> str:
    """Return what a host said whose program ran all the same."""
    terminal.start("sh", "-c", "exit 7", scope=option)
    assert (terminal.ended().kind, terminal.ended().status) == ("exited", 7)
    return (terminal.dir / "host.err").read_text()


def test_the_manager_is_asked_for_a_scope_with_a_limit(place: Path) -> None:
    manager = Manager(place / "private", SIGNAL + refusal(b"unknown"), refusal(b"it is full"))
    assert scope.enter(manager.option) == "it is full"
    manager.close()
    first, second = manager.asked
    assert first[:2] == second[:2] == [UNIT, "fail"]
    assert first[3] == []
    wanted = [
        ("Description", "a program of Callboard"),
        ("CollectMode", "inactive-or-failed"),
        ("MemoryMax", MOST),
        ("PIDs", [os.getpid()]),
        ("Slice", "user-0.slice"),
    ]
    assert first[2] == [*wanted, ("OOMPolicy", "continue")]
    assert second[2] == wanted  # an older systemd does not know the last one


def test_a_program_runs_without_a_scope_if_the_manager_refuses(
    terminal: Terminal, place: Path
) -> None:
    manager = Manager(place / "private", refusal(b"no"), refusal(b"there are too many"))
    assert "the program has no scope: there are too many" in ran(terminal, manager.option)
    manager.close()


def test_a_program_runs_without_a_scope_if_the_manager_hangs(
    terminal: Terminal, place: Path
) -> None:
    """Hazard 103."""
    manager = Manager(place / "private")
    assert "the program has no scope: systemd's manager" in ran(terminal, manager.option)
    manager.close()
    assert len(manager.asked) == 1


def test_a_program_runs_without_a_scope_if_it_is_never_moved(
    terminal: Terminal, place: Path
) -> None:
    manager = Manager(place / "private", RETURNS)
    assert "did not move it" in ran(terminal, manager.option)
    manager.close()


def test_a_program_runs_without_a_scope_if_nobody_is_there(terminal: Terminal, place: Path) -> None:
    assert "No such file" in ran(terminal, f"{UNIT}::{MOST}:{place}/private")


@pytest.mark.parametrize("said", [b"REJECTED EXTERNAL\r\n", b"\r\n"])
def test_a_program_runs_without_a_scope_if_it_is_not_let_in(
    terminal: Terminal, place: Path, said: bytes
) -> None:
    manager = Manager(place / "private", greets=said)
    assert "it refused us" in ran(terminal, manager.option)
    manager.close()


def test_a_malformed_option_ends_no_launch(terminal: Terminal) -> None:
    assert "the program has no scope" in ran(terminal, "nonsense")


@pytest.mark.skipif(scopes.find()[0] is None, reason=scopes.find()[1] or "there are scopes")
def test_systemd_moves_the_program_and_limits_it(terminal: Terminal) -> None:
    found, _ = scopes.find()
    assert found is not None
    terminal.start("sh", "-c", "cat /proc/self/cgroup", scope=found.option(terminal.token))
    with terminal.connect():
        terminal.ended()
    output = b"".join(path.read_bytes() for path in sorted((terminal.dir / "out").iterdir()))
    assert f"callboard-{terminal.token}.scope".encode() in output
