"""A runtime with its web door open, and clients of it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bus import connection
from tests.doors.kit import Home


class Web:
    """A served home with HTTP, and the ways to speak to it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.at = connection.read(home.path)
        self.host = self.at.http.partition("//")[2]
        self.client = httpx.Client(
            base_url=self.at.http, headers=self.bearer, timeout=30, trust_env=False
        )

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.at.token}"}

    def raw(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own; return all that is answered."""
        host, _, port = self.host.rpartition(":")
        with socket.create_connection((host, int(port)), 20) as connected:
            connected.sendall(data)
            connected.shutdown(socket.SHUT_WR)
            found = b""
            while piece := connected.recv(65536):
                found += piece
            return found

    def door_pid(self) -> int:
        """The process that serves HTTP."""
        node = self.home.json("tree")
        assert node
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if b"actors.web" in words and int(parent) == self.at.pid:
                return int(entry.name)
        raise LookupError(f"no web door below {self.at.pid} (of {os.getpid()})")


@pytest.fixture
def web(home: Home) -> Iterator[Web]:
    """A web door of the test's own, which it may hurt."""
    home.serve("--http")
    web = Web(home)
    yield web
    web.client.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web door for tests that only knock at it."""
    home = Home(tmp_path_factory.mktemp("shared") / "home")
    home.serve("--http")
    web = Web(home)
    yield web
    web.client.close()
    home.close()
