"""Which process is at the other end of a connection."""

import asyncio
import builtins
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.gateway.callers import Callers
from actors.web import peers
from actors.web.access import Identity, Tokens
from actors.web.peers import Peers
from bus.peer import By

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize(
    ("family", "host"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::ffff:7f00:1")],
)
def test_the_other_end_s_process_is_found_and_its_end_is_noticed(
    family: socket.AddressFamily, host: str
) -> None:
    listens = socket.AF_INET if "ffff" in host else family
    listening = socket.create_server(("127.0.0.1" if "ffff" in host else host, 0), family=listens)
    script = (
        "import socket, sys; s = socket.socket(int(sys.argv[1])); "
        "s.connect((sys.argv[2], int(sys.argv[3]))); sys.stdin.read()"
    )
    words = [str(int(family)), host, str(listening.getsockname()[1])]
    with subprocess.Popen([sys.executable, "-c", script, *words], stdin=subprocess.PIPE) as process:
        accepted, client = listening.accept()
        server = accepted.getsockname()
        known = Peers()

        def find() -> Any:
            return asyncio.run(known.find(client[:2], server[:2]))

        found = find()
        assert found.peer is not None
        assert (found.peer.uid, found.peer.pid) == (os.getuid(), process.pid)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)
        assert accepted.recv(1) == b""
        assert find().lost
    accepted.close()
    listening.close()


def test_another_machine_has_no_process_here() -> None:
    found = asyncio.run(Peers().find(("10.1.2.3", 4), ("127.0.0.1", 5)))
    assert (found.peer, found.lost, found.host) == (None, False, "10.1.2.3")


def test_a_peer_is_looked_up_once_as_long_as_its_connection_lasts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, end = listening.accept()
        known, server = Peers(), accepted.getsockname()
        known.begin(end)
        first = asyncio.run(known.find(end, server))
        client.close()
        assert accepted.recv(1) == b""
        assert asyncio.run(known.find(end, server)) is first
        known.forget(end)
        assert asyncio.run(known.find(end, server)).lost
        accepted.close()


def test_who_is_gone_when_asked_about_has_no_voice(tmp_path: Path) -> None:
    """Else a program of an agent's would hand its connection to nobody, and be taken for a user."""
    identity = Identity(Tokens("token"), Peers(), "secret")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, end = listening.accept()
        server = accepted.getsockname()
        client.close()
        assert accepted.recv(1) == b""
        scope = {"client": end, "server": server, "state": {"number": "1"}}
        speaker = asyncio.run(identity.speaker(scope, "token"))
        accepted.close()
    caller = Callers(tmp_path, "secret").identify(None, msgspec.json.encode(speaker))
    assert caller.by == By.STRANGER
    assert "has closed its connection" in caller.refusal


def test_who_asks_while_the_system_is_read_is_answered_by_the_next_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hazard 90. A thousand clients that come back at once cost two readings."""
    readings: list[str] = []

    def counted(path: str, **how: str) -> Any:
        readings.append(path)
        return builtins.open(path, **how)  # type: ignore[call-overload]

    monkeypatch.setattr(peers, "open", counted, raising=False)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        server = listening.getsockname()
        clients = [socket.create_connection(server) for _ in range(50)]
        accepted = [listening.accept() for _ in clients]
        known = Peers()
        for _, end in accepted:
            known.begin(end)

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*(known.find(end, server) for _, end in accepted))

        found = asyncio.run(all_at_once())
        for each in (*clients, *(each for each, _ in accepted)):
            each.close()
    assert [each.peer.pid for each in found] == [os.getpid()] * 50
    assert readings.count("/proc/self/net/tcp") <= 2
