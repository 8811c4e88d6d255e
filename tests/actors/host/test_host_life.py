"""How a terminal lives and ends, and what is left of it: nothing."""

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.host import priority, wire
from actors.host.priority import FLOOD
from actors.platform import processes
from actors.pty import records, strays
from actors.pty.events import Closed, Ended, KeyKnown, Output, Resized, Scope
from actors.pty.spawn import HOST, Refusal, await_ready
from tests.actors.host.host_kit import WAIT, Terminal, collect


def test_the_exit_code_is_recorded_and_told(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "read x; exit 42")
    with terminal.connect() as console, terminal.connect() as viewer:
        console.link.type(b"k", [(b"\n", 0)])
        told = console.next(Ended, WAIT).exit
        assert viewer.next(Ended, WAIT).exit == told
        assert (told.kind, told.status, told.leftovers, told.survivors) == ("exited", 42, 0, 0)
        assert console.next(Closed, WAIT)
    assert terminal.ended() == told
    assert not terminal.socket.exists()


def test_a_signal_that_killed_is_recorded(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "kill -9 $$")
    found = terminal.ended()
    assert (found.kind, found.status) == ("signaled", signal.SIGKILL)


def test_a_program_that_ignores_term_is_killed(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "trap '' TERM HUP; echo up; while :; do sleep 1; done")
    with terminal.connect() as console:
        collect(console, b"up")
        console.link.end(200)
        found = console.next(Ended, WAIT).exit
    assert (found.kind, found.status) == ("signaled", signal.SIGKILL)
    assert strays.marked(terminal.token) == set()


def test_a_program_may_use_its_grace(terminal: Terminal) -> None:
    program = "trap 'sleep 0.3; echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done"
    terminal.start("sh", "-c", program)
    with terminal.connect() as console:
        collect(console, b"up")
        console.link.end(20_000)
        found = console.next(Ended, WAIT).exit
    assert (found.kind, found.status) == ("exited", 5)
    assert (terminal.dir / "out" / f"{0:016d}").read_bytes().endswith(b"bye\r\n")


def test_a_stopped_program_ends_too(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "echo up; kill -STOP $$; sleep 100")
    with terminal.connect() as console:
        collect(console, b"up")
        console.link.end(20_000)
        assert console.next(Ended, WAIT).exit.status == signal.SIGTERM


def test_term_to_the_host_ends_the_program(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "exec sleep 100")
    assert terminal.process is not None
    terminal.process.terminate()
    assert (terminal.ended().kind, terminal.ended().status) == ("signaled", signal.SIGTERM)


def test_hangup_and_interrupt_do_not_end_the_host(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "read x; exit 9")
    assert terminal.process is not None
    for signo in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
        terminal.process.send_signal(signo)
    with terminal.connect() as console:
        console.link.type(b"k", [(b"\n", 0)])
        assert console.next(Ended, WAIT).exit.status == 9


FAMILY = """
import os, signal, sys, time
if os.fork() == 0:            # a child in the program's group
    if os.fork() == 0:        # a grandchild with a session of its own
        os.setsid()
        if {stubborn}: signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:    # and its child, whose parent is about to go
            time.sleep(100)
        os.close(0); os.close(1); os.close(2)
        time.sleep(100)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    time.sleep(100)
time.sleep(0.3)
print("up", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("stubborn", [False, True])
def test_what_outlives_the_program_is_ended_whatever_its_session(
    terminal: Terminal, stubborn: bool
) -> None:
    """Hazard 35."""
    terminal.python(FAMILY.format(stubborn=stubborn))
    with terminal.connect() as console:
        collect(console, b"up")
        assert len(strays.marked(terminal.token)) == 4
        console.link.type(b"k", [(b"\n", 0)])
        found = console.next(Ended, WAIT).exit
    assert (found.kind, found.status, found.survivors) == ("exited", 0, 0)
    assert found.leftovers == 3
    assert strays.marked(terminal.token) == set()


def test_the_tree_of_a_killed_host_is_found_by_its_mark_and_ended(terminal: Terminal) -> None:
    """Hazard 35."""
    program = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    terminal.python(program + FAMILY.format(stubborn=True))
    with terminal.connect() as console:
        collect(console, b"up")
    identity = records.read_identity(terminal.dir)
    assert identity is not None
    assert terminal.process is not None
    assert identity.program_pid in strays.marked(terminal.token)
    terminal.process.kill()
    terminal.process.wait()
    assert records.host_lives(terminal.dir) is False
    assert strays.end_tree(terminal.token, identity.program_pid, 0.3) == 0
    assert strays.marked(terminal.token) == set()
    assert strays.session_members(identity.program_pid) == set()


def test_signals_reach_their_scope(terminal: Terminal) -> None:
    program = textwrap.dedent("""
        import os, signal, time
        child = 1
        signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"[parent]" if child else b"[child]"))
        child = os.fork()
        os.write(1, b"up")
        while True: time.sleep(10)
    """)
    terminal.python(program)
    with terminal.connect() as console:
        collect(console, b"up", 2)
        console.link.signal(signal.SIGUSR1, Scope.PROGRAM)
        assert b"[child]" not in collect(console, b"[parent]")
        console.link.signal(signal.SIGUSR1, Scope.GROUP)
        collect(console, b"[child]", 1)
        collect(console, b"[parent]", 2)
        console.link.signal(signal.SIGUSR1, Scope.SESSION)
        collect(console, b"[child]", 2)
        collect(console, b"[parent]", 3)


def test_a_new_size_reaches_the_program_and_every_client(terminal: Terminal) -> None:
    program = "trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done"
    terminal.start("sh", "-c", program)
    with terminal.connect() as console, terminal.connect() as viewer:
        collect(console, b"up")
        viewer.link.resize(50, 132)
        collect(console, b"50 132")
        assert console.next(Resized, WAIT) == Resized(50, 132)
        assert viewer.next(Resized, WAIT) == Resized(50, 132)
        with terminal.connect():
            assert (terminal.welcome.rows, terminal.welcome.columns) == (50, 132)


def test_a_host_that_was_stopped_goes_on(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "trap 'exit 6' TERM; echo up; while :; do sleep 0.05; done")
    assert terminal.process is not None
    with terminal.connect() as console:
        collect(console, b"up")
        console.link.quiet([60_000])
        console.link.ask_key(b"k")
        console.next(KeyKnown, WAIT)
        terminal.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOWAIT)
        terminal.process.send_signal(signal.SIGCONT)
        console.link.ask_key(b"k")
        console.next(KeyKnown, WAIT)
        console.link.end(10_000)
        assert console.next(Ended, WAIT).exit.status == 6


def test_identity_is_a_pid_and_its_start_time(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "read x")
    identity = records.read_identity(terminal.dir)
    assert identity is not None
    assert terminal.process is not None
    assert identity.host_pid == terminal.process.pid
    assert identity.host_start == processes.start_time(terminal.process.pid)
    assert processes.is_alive(identity.host_pid, identity.host_start) is True
    assert processes.is_alive(identity.host_pid, "another boot:1") is False
    assert processes.is_alive(identity.host_pid, "") is None
    assert strays.session_members(identity.program_pid) == {identity.program_pid}
    terminal.stop()
    assert processes.is_alive(identity.host_pid, identity.host_start) is False


def test_a_host_whose_directory_is_removed_serves_to_the_end(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty raw -echo; printf up; read x; printf more; read x")
    with terminal.connect() as console:
        collect(console, b"up")
        shutil.rmtree(terminal.dir)
        console.link.type(b"k", [(b"\n", 0)])
        while console.next(Output, WAIT).data != b"more":
            pass
        console.link.end(5000)
        assert console.next(Ended, WAIT).exit.kind == "signaled"


def test_hosts_are_found_dead_and_alive(terminals: Callable[..., Terminal]) -> None:
    alive, ended, killed = (terminals() for _ in range(3))
    alive.start("sh", "-c", "read x")
    ended.start("true").ended()
    killed.start("sh", "-c", "read x")
    assert killed.process is not None
    killed.process.kill()
    killed.process.wait()
    found = {each.directory: each for each in records.find_hosts(alive.dir.parents[1])}
    assert set(found) == {alive.dir, ended.dir, killed.dir}
    assert (found[alive.dir].alive, found[alive.dir].exit) == (True, None)
    assert found[ended.dir].alive is False
    assert found[ended.dir].exit is not None
    assert (found[killed.dir].alive, found[killed.dir].exit) == (False, None)
    identity = found[alive.dir].identity
    assert identity is not None
    assert identity.token == alive.token


def test_a_record_that_cannot_be_read_is_unknown_not_dead(tmp_path: Path) -> None:
    """Hazard 37."""
    (tmp_path / "lock").touch()
    (tmp_path / "exit.json").write_bytes(b"{")
    (tmp_path / "host.json").write_bytes(b"")
    with (tmp_path / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (found,) = records.find_hosts(tmp_path)
        assert (found.identity, found.exit, found.alive) == (None, None, True)
        with pytest.raises(ValueError, match="truncated"):
            records.read_exit(tmp_path)


def test_a_host_without_its_arguments_says_so(tmp_path: Path) -> None:
    for words in ([], ["--dir"], ["--dir", str(tmp_path), "--", "true"]):
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(HOST), *words], capture_output=True, check=False
        )
        assert done.returncode == Refusal.ARGUMENTS
        assert b"bad arguments" in done.stderr


def test_a_socket_that_cannot_be_made_is_said(terminal: Terminal) -> None:
    terminal.socket = terminal.dir.parent / "missing" / "s"
    process = terminal.spawn("true")
    with process, pytest.raises(ChildProcessError) as caught:
        await_ready(process, WAIT)
    assert caught.value.errno == Refusal.UNUSABLE
    assert "No such file" in (terminal.dir / "host.err").read_text()


def test_frames_survive_any_cut() -> None:
    words = wire.frame(wire.INPUT, b"abc") + wire.frame(wire.KEY) + wire.frame(wire.END, b"1234")
    inbox, found = bytearray(), []
    for byte in words:
        inbox.append(byte)
        while frame := wire.take(inbox):
            found.append(frame)
    assert found == [(wire.INPUT, b"abc"), (wire.KEY, b""), (wire.END, b"1234")]
    with pytest.raises(ValueError, match="limit"):
        wire.take(bytearray(struct.pack(">IB", 99, 1)), limit=98)


def test_a_program_that_writes_without_a_pause_gets_a_lower_priority(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "while :; do echo as fast as can be; done")
    identity = records.read_identity(terminal.dir)
    assert identity is not None
    wanted = min(19, os.nice(0) + priority.STEP)
    with terminal.connect() as console:

        def turn() -> None:
            console.link.ask_key(b"turn")  # the kernel takes few changes a second, so it looks
            console.next(KeyKnown, WAIT)

        for pid in (identity.host_pid, identity.program_pid):
            group = Path(f"/proc/{pid}/autogroup")
            while os.getpriority(os.PRIO_PROCESS, pid) != wanted:
                turn()
            while group.exists() and group.read_text().split()[1:] != ["nice", str(wanted)]:
                turn()


@pytest.mark.parametrize(
    ("pieces", "tells"),
    [
        ([FLOOD] * 3, [False, False, True]),
        ([FLOOD] * 5, [False, False, True, False, False]),
        ([FLOOD, FLOOD, FLOOD - 1, FLOOD], [False] * 4),
        ([100 * FLOOD, 0, 0], [False] * 3),
    ],
)
def test_a_short_burst_is_no_flood(pieces: list[int], tells: list[bool]) -> None:
    flood = priority.Flood(100.0)
    told = [flood.wrote(size, 101.0 + at) for at, size in enumerate(pieces)]
    assert told == tells
