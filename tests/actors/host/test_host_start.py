"""How a terminal starts: once, with what it was given, or with an error at once."""

import errno
import os
import stat
import textwrap
from pathlib import Path

import pytest

from actors.pty import records
from actors.pty.spawn import Refusal, await_ready, spawn
from tests.actors.host.host_kit import WAIT, Terminal, collect


@pytest.mark.parametrize(
    ("program", "reason"), [("/no/such/program", errno.ENOENT), ("/etc/passwd", errno.EACCES)]
)
def test_a_program_that_cannot_be_started_is_not_one_that_failed(
    terminal: Terminal, program: str, reason: int
) -> None:
    terminal.start(program, "--flag")
    found = terminal.ended()
    assert (found.kind, found.status) == ("exec_failed", reason)


def test_a_working_directory_that_is_not_there_is_an_error_at_once(terminal: Terminal) -> None:
    with pytest.raises(FileNotFoundError):
        terminal.spawn("true", cwd=Path("/no/such/place"))


@pytest.mark.parametrize(
    "wrong", [{"argv": []}, {"token": "a b"}, {"token": ""}, {"socket": Path("/tmp/" + "x" * 120)}]
)
def test_what_cannot_be_written_down_safely_is_refused(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    given: dict[str, object] = {"socket": tmp_path / "s", "token": "t", "incarnation": 1}
    given |= {"argv": ["true"], "env": {}, "cwd": tmp_path, "rows": 24, "columns": 80}
    with pytest.raises(ValueError, match=r"argv|token|socket"):
        spawn(tmp_path / "h", **{**given, **wrong})  # type: ignore[arg-type]


def test_the_program_finds_a_terminal_of_its_own(terminal: Terminal) -> None:
    """Hazard 35."""
    program = textwrap.dedent("""
        import os, signal, sys
        print(os.get_terminal_size(), os.getsid(0) == os.getpid(), os.tcgetpgrp(0) == os.getpid())
        print(os.isatty(0), sorted(os.listdir("/proc/self/fd"))[:5], os.getcwd())
        print(os.environ["CALLBOARD_TERMINAL"], os.environ["SECRET"], len(os.environ))
        print([s for s in signal.valid_signals() if signal.getsignal(s) == signal.SIG_IGN])
        print(oct(os.umask(0)), signal.pthread_sigmask(signal.SIG_BLOCK, []))
    """)
    cwd = terminal.dir.parent
    before = os.umask(0o027)
    try:
        terminal.python(program, rows=33, columns=111, env={"SECRET": "s3cret", "PATH": "/bin"})
    finally:
        os.umask(before)
    assert terminal.ended().status == 0
    said = (terminal.dir / "out" / f"{0:016d}").read_text().splitlines()
    assert said[0] == "os.terminal_size(columns=111, lines=33) True True"
    assert said[1] == f"True ['0', '1', '2', '3'] {cwd}"  # 3 is the directory being listed
    assert said[2].startswith(f"{records.mark_of(terminal.token)} s3cret")
    assert said[3] == "[<Signals.SIGPIPE: 13>, <Signals.SIGXFSZ: 25>]"  # Python's own
    assert said[4] == "0o27 set()"


def test_nothing_secret_is_on_a_command_line_or_in_a_file(terminal: Terminal) -> None:
    """Hazard 43."""
    terminal.start("sh", "-c", "echo up; read x", env={"SECRET": "s3cret", "PATH": "/bin"})
    identity = records.read_identity(terminal.dir)
    assert identity is not None
    for pid in (identity.host_pid, identity.program_pid):
        assert b"s3cret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert terminal.token.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()  # F3
        assert terminal.token.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    for path in terminal.dir.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        if path.is_file():
            assert b"s3cret" not in path.read_bytes()
    assert stat.S_IMODE(terminal.dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(terminal.socket.stat().st_mode) == 0o700 & ~0o077


def test_a_host_has_none_of_its_starters_files(terminal: Terminal, tmp_path: Path) -> None:
    with open(tmp_path / "home.lock", "w") as lock:
        os.set_inheritable(lock.fileno(), True)
        terminal.start("sh", "-c", "read x")
    assert terminal.process is not None
    open_files = list(Path(f"/proc/{terminal.process.pid}/fd").iterdir())
    assert not [path for path in open_files if path.readlink().name == "home.lock"]
    assert os.getsid(terminal.process.pid) == terminal.process.pid


def test_only_one_host_starts_for_a_directory(terminal: Terminal) -> None:
    racers = [terminal.spawn("sh", "-c", "echo up; read x") for _ in range(6)]
    codes = []
    for racer in racers:
        try:
            await_ready(racer, WAIT)
            terminal.process = racer
        except ChildProcessError as error:
            codes.append(error.errno)
            assert racer.stdout is not None
            racer.stdout.close()
    assert codes == [Refusal.ANOTHER_RUNS] * 5
    with terminal.connect() as console:
        collect(console, b"up")


def test_an_incarnation_that_has_ended_is_not_started_again(terminal: Terminal) -> None:
    terminal.start("true")
    first = terminal.ended()
    again = terminal.spawn("true")
    with again, pytest.raises(ChildProcessError) as caught:
        await_ready(again, WAIT)
    assert caught.value.errno == Refusal.HAS_ENDED
    assert records.read_exit(terminal.dir) == first


def test_an_incarnation_whose_host_was_killed_is_not_started_again(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "read x")
    assert terminal.process is not None
    terminal.process.kill()
    terminal.process.wait()
    again = terminal.spawn("true")
    with again, pytest.raises(ChildProcessError) as caught:
        await_ready(again, WAIT)
    assert caught.value.errno == Refusal.HOST_DIED
