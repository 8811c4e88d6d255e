"""A runtime with its TCP door open, and keys for it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus import connection, keys
from bus.client import Client
from bus.connection import TcpPlace
from bus.keys import ClientKey
from tests.doors.kit import Home
from tests.repositories import make_repo


class Tcp:
    """A served home with a TCP door."""

    def __init__(self, home: Home, directory: Path) -> None:
        self.home = home
        self._directory = directory
        place = connection.read(home.path).tcp
        assert place is not None
        self.at: TcpPlace = place

    def key(self, name: str, *words: str) -> ClientKey:
        """Make a key as a user does, and read the file that the client is handed."""
        file = self._directory / f"{name}-client.key"
        self.home.ok("keys", "make", name, "--out", str(file), *words)
        assert file.stat().st_mode & 0o777 == 0o600
        return keys.read_client(file)

    def client(self, key: ClientKey, timeout: float = 20.0) -> Client:
        return Client(self.at.requests, timeout, key=key)

    def door_pid(self) -> int:
        """The process of the door."""
        return child_of(connection.read(self.home.path).pid, "actors.tcp")


def child_of(parent: int, module: str) -> int:
    """The child process that runs this module."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            above = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if module.encode() in words and int(above) == parent:
            return int(entry.name)
    raise LookupError(f"no {module} below {parent} (of {os.getpid()})")


def plan_of(repo: Path, **more: object) -> str:
    """A plan, as JSON text, that names nothing but what is there."""
    terminal = {"cli": "claude", "instruction": "x"}
    task = {"id": "a", "branch": "b/a", "terminal": [terminal]}
    return json.dumps({"name": "demo", "repo": str(repo), "task": [task], **more})


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


@pytest.fixture
def tcp(tmp_path: Path) -> Iterator[Tcp]:
    """A door of the test's own, which it may hurt."""
    home = Home(tmp_path / "home")
    home.serve("--tcp", "127.0.0.1")
    yield Tcp(home, tmp_path)
    home.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tcp]:
    """A door for tests that only knock at it."""
    directory = tmp_path_factory.mktemp("shared")
    home = Home(directory / "home")
    home.serve("--tcp", "127.0.0.1")
    yield Tcp(home, directory)
    home.close()
