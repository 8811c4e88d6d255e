"""A session is started again by whoever does not know that it was: one host starts, once."""

import errno
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.platform.loop import EventLoop
from actors.pty.session import Session
from tests.actors.host.host_kit import Terminal, collect


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    loop.start()
    yield loop
    loop.stop()


def session(loop: EventLoop, terminal: Terminal) -> Session:
    return Session(
        loop,
        lambda said: None,
        directory=terminal.dir,
        socket=terminal.socket,
        token=terminal.token,
        incarnation=1,
    )


def start(session: Session, terminal: Terminal, *argv: str) -> None:
    session.start(argv, {"PATH": "/usr/bin:/bin"}, terminal.dir.parent, 24, 80)


def test_one_that_has_ended_says_how_it_did(loop: EventLoop, terminal: Terminal) -> None:
    terminal.start("/no/such/program")
    terminal.ended()
    again = session(loop, terminal)
    start(again, terminal, "/no/such/program")
    assert not again.connected
    assert (again.exit().kind, again.exit().status) == ("exec_failed", errno.ENOENT)


def test_one_that_runs_is_connected_to(loop: EventLoop, terminal: Terminal, tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f"open({str(told)!r}, 'a').write('x'); print('up'); input()"
    terminal.python(script)
    console = terminal.connect()
    collect(console, b"up")
    again = session(loop, terminal)
    start(again, terminal, sys.executable, "-c", script)
    assert again.connected
    again.close()
    console.link.end(0)
    terminal.ended()
    assert told.read_text() == "x"
