"""A session is started again by whoever does not know that it was: one host starts, once."""

import errno
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.platform.loop import EventLoop
from actors.pty import records
from actors.pty.events import Ended
from actors.pty.session import Found, Session
from actors.pty.strays import marked
from tests.actors.host.host_kit import WAIT, Terminal, collect
from tests.doors.working import until


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    loop.start()
    yield loop
    loop.stop()


def session(loop: EventLoop, terminal: Terminal) -> Session:
    return Session(
        loop,
        lambda _: None,
        directory=terminal.dir,
        socket=terminal.socket,
        token=terminal.token,
        incarnation=1,
    )


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


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


def test_a_host_that_was_found_is_not_read_again_to_connect_to_it(
    loop: EventLoop, terminal: Terminal, tmp_path: Path
) -> None:
    """A thousand are adopted at once, and each file takes its time."""
    terminal.python("print('up'); input()")
    console = terminal.connect()
    collect(console, b"up")
    own, others = (
        Session(
            loop,
            lambda _: None,
            directory=terminal.dir,
            socket=tmp_path / "elsewhere",
            token=token,
            incarnation=1,
        )
        for token in (terminal.token, "another")
    )
    found = own.look(), others.look()
    assert found == (Found.ALIVE, Found.FOREIGN)
    assert own.identity == records.read_identity(terminal.dir)
    assert others.identity is None  # nobody connects to the host of another
    (terminal.dir / "host.json").rename(terminal.dir / "taken-away")
    own.connect()
    assert own.connected
    own.close()
    (terminal.dir / "taken-away").rename(terminal.dir / "host.json")
    console.link.end(0)
    terminal.ended()


def test_one_that_is_started_again_is_not_sought_where_the_lost_one_was(
    loop: EventLoop, terminal: Terminal, tmp_path: Path
) -> None:
    terminal.start("cat")
    assert terminal.process is not None
    terminal.process.kill()
    terminal.process.wait()
    again = Session(
        loop,
        lambda _: None,
        directory=terminal.dir,
        socket=terminal.socket.with_name("new"),
        token=terminal.token,
        incarnation=1,
    )
    assert again.look() is Found.LOST
    terminal.dir.rename(tmp_path / "aside")
    start(again, terminal, "cat")
    assert again.connected
    assert again.identity is None
    again.end(0)
    until(lambda: records.read_exit(terminal.dir), "the new program has ended", WAIT)
    again.close()


def test_descriptors_above_1023_are_no_obstacle_and_a_terminal_costs_one(
    loop: EventLoop, terminal: Terminal
) -> None:
    """Hazard 69."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    started = session(loop, terminal)
    try:
        before = open_files()
        start(started, terminal, "/bin/cat")
        assert started.connected
        assert open_files() == before + 1
        console = terminal.connect()
        console.link.end(0)
        console.next(Ended, WAIT)
        console.link.close()
    finally:
        started.close()
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_launch_that_fails_ends_the_host_it_started(
    loop: EventLoop, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 69. The host comes up when nobody waits for it any more."""
    monkeypatch.setattr("actors.pty.session.HOST_START", 0.0)
    started = session(loop, terminal)
    with pytest.raises(TimeoutError):
        start(started, terminal, "/bin/sleep", "1000")
    assert started.look() in (Found.NEVER, Found.ENDED)
    assert marked(terminal.token) == set()
    assert not terminal.socket.exists()


def test_a_host_that_fails_late_says_why_and_leaves_no_socket(
    loop: EventLoop, terminal: Terminal
) -> None:
    (terminal.dir / "host.tmp").mkdir(parents=True)
    with pytest.raises(ChildProcessError, match=r"host\.tmp"):
        start(session(loop, terminal), terminal, "/bin/sleep", "1000")
    assert not terminal.socket.exists()
    deadline = time.monotonic() + 30  # it said why, and then it ends
    while marked(terminal.token):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("torn", ["host.json", "exit.json"])
def test_a_torn_record_that_nobody_locks_is_of_a_dead_host(
    loop: EventLoop, terminal: Terminal, torn: str
) -> None:
    """What a power cut leaves is no reason to ask for ever. Hazard 63."""
    terminal.dir.mkdir(parents=True, exist_ok=True)
    (terminal.dir / "lock").touch()
    (terminal.dir / "host.json").touch()
    (terminal.dir / torn).touch()
    found = session(loop, terminal)
    assert found.look() is Found.LOST
    assert found.end_strays(0.0) == 0
    assert records.read_identity(terminal.dir) is None
    assert records.read_exit(terminal.dir) is None
