"""How the runtime ends, and what is left then: every way that docs/recovery.md names."""

import fcntl
import json
import os
import pty
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zmq

from actors.host import family
from actors.pty import strays
from bus import connection, sockets
from bus.context import Context
from tests.bus.wire_kit import Watched
from tests.doors.kit import PYTHON, ROOT, Home, coder, commit, moves, plan_text, types
from tests.doors.working import Working, ended, until, waits_for, write
from tests.repositories import git


def sockets_of(home: Home) -> Path:
    return Path(connection.read(home.path).requests.removeprefix("ipc://")).parent


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_cleanly_and_leaves_the_terminals(
    working: Working, signo: signal.Signals
) -> None:
    """Hazard 38."""
    home = working.home
    assert home.served is not None
    sockets = sockets_of(home)
    assert {"requests", "feed"} < {path.name for path in sockets.iterdir()}
    home.served.send_signal(signo)
    code, words = ended(home)
    assert code == 0
    assert "1 terminals go on" in words
    assert "down --terminals" in words
    assert not (home.path / "connection.json").exists()
    assert len(list(sockets.iterdir())) == 1  # the terminal's
    assert len(working.hosts()) == 1
    home.serve()
    working.go()
    stops = [f for f in home.facts() if f["type"] == "runtime.stopped"]
    assert [f["reason"] for f in stops] == [signo.name]
    assert types(home.facts("demo/a/1")).count("terminal.adopted") == 1
    assert types(home.facts("demo/a/1")).count("instruction.sent") == 1


def test_a_window_that_is_closed_ends_it_cleanly(home: Home) -> None:
    ours, its = pty.openpty()
    served = subprocess.Popen(
        [PYTHON, str(ROOT / "run.py"), "serve", "--home", str(home.path)],
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(its)
    until(lambda: (home.path / "connection.json").exists(), "it serves")
    os.close(ours)  # the kernel sends SIGHUP, and nothing can be printed any more
    assert served.wait(20) == 0
    assert not (home.path / "connection.json").exists()
    home.serve()
    assert [f["reason"] for f in home.facts() if f["type"] == "runtime.stopped"] == ["SIGHUP"]


def test_a_runtime_under_nohup_stays(home: Home) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        served = home.serve()
    finally:
        signal.signal(signal.SIGHUP, before)
    served.send_signal(signal.SIGHUP)
    assert home.json("ps") == []
    assert served.poll() is None


def test_a_second_signal_ends_it_at_once(working: Working) -> None:
    runtime = working.home.served
    assert runtime is not None
    for signo in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        runtime.send_signal(signo)  # both come before the first could end it
    assert ended(working.home)[0] in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    working.home.serve()
    working.go()


def test_down_leaves_the_terminals_and_says_so(working: Working) -> None:
    said = working.home.ok("down")
    assert "1 terminals go on" in said
    assert ended(working.home)[0] == 0
    assert len(working.hosts()) == 1
    again = working.home.run("down")
    assert again.returncode == 3
    assert "no runtime serves" in again.stderr


def test_down_with_terminals_leaves_nothing(working: Working) -> None:
    (host,) = working.hosts()
    assert host.identity is not None
    sockets = sockets_of(working.home)
    assert "no terminal is left" in working.home.ok("down", "--terminals")
    assert ended(working.home)[0] == 0
    assert not sockets.exists()
    assert working.hosts() == []
    assert strays.marked(host.identity.token) == set()
    working.home.serve()
    row = working.home.until(lambda row: row["status"] == "failed")
    assert "failed" in row["tasks"][0]["status"]
    assert row["tasks"][0]["terminals"][0]["reason"]


def test_down_with_terminals_ends_what_a_killed_runtime_left(working: Working) -> None:
    working.home.kill()
    assert len(working.hosts()) == 1
    assert "no terminal is left" in working.home.ok("down", "--terminals")
    assert working.hosts() == []


def test_stop_ends_the_programs_and_keeps_the_branch(working: Working, repo: Path) -> None:
    (host,) = working.hosts()
    assert host.identity is not None
    working.home.ok("stop", "demo")
    assert working.home.status() == "cancelled"
    assert working.hosts() == []
    assert strays.marked(host.identity.token) == set()
    assert git(repo, "rev-parse", "feat/a")
    refused = working.home.run("resume", "demo")
    assert refused.returncode == 4


def test_while_paused_nothing_new_begins_also_after_a_crash(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    work = waits_for(gate, commit("a", "x", "write a #review"))
    read = "$ git commit -q --allow-empty -m 'read it #done'\n"
    home.serve()
    tasks = {"a": [coder(work), coder(read, role="reviewer")]}
    home.json("submit", write(tmp_path, plan_text(repo, tasks)))
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    home.ok("pause", "demo")
    gate.touch()
    home.until(lambda row: row["tasks"][0]["status"] == "review_pending")
    home.kill()
    home.serve()
    row = home.until(lambda row: row["tasks"][0]["terminals"][0]["delivered"] == 1)
    assert row["status"] == "paused"
    assert row["tasks"][0]["terminals"][1]["status"] == "waiting"
    home.ok("resume", "demo")
    home.until(lambda row: row["status"] == "completed")
    assert moves(home.facts("demo"), "demo/")[-4:] == ["paused", "running", "merging", "completed"]


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
def test_pause_freeze_stops_the_programs_until_resume_also_over_a_crash(working: Working) -> None:
    (host,) = working.hosts()
    assert host.identity is not None
    stat = Path(f"/proc/{host.identity.program_pid}/stat")

    def is_stopped() -> bool:
        return stat.read_text().rpartition(")")[2].split()[0] == "T"

    working.home.ok("pause", "demo", "--freeze")
    until(is_stopped, "the program stops")
    working.home.kill()
    assert is_stopped()
    working.home.serve()
    working.home.until(lambda row: row["frozen"])
    assert is_stopped()
    working.home.ok("resume", "demo")
    until(lambda: not is_stopped(), "the program goes on")
    working.go()


def test_everything_stopped_and_continued_goes_on_as_if_nothing_was(working: Working) -> None:
    (host,) = working.hosts()
    assert host.identity is not None
    assert working.home.served is not None
    pids = [working.home.served.pid, host.identity.host_pid, host.identity.program_pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    working.gate.touch()
    time.sleep(1.5)  # the lid is closed
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
    working.go()
    kinds = types(working.home.facts())
    assert not {"actor.failed", "terminal.stalled", "instruction.unconfirmed"} & set(kinds)


def test_a_second_runtime_says_who_holds_the_home(home: Home) -> None:
    """Hazard 23."""
    first = home.serve()
    second = home.run("serve")
    assert second.returncode == 3
    assert f"process {first.pid} serves {home.path}" in second.stderr
    assert home.run("ps").returncode == 0


def test_the_lock_is_released_by_death_and_the_left_over_file_names_nobody(home: Home) -> None:
    first = home.serve()
    home.kill()
    assert (home.path / "connection.json").exists()
    asked = home.run("ps")
    assert asked.returncode == 3
    assert f"left by process {first.pid}" in asked.stderr
    assert "run.py serve" in asked.stderr
    home.serve()
    assert home.run("ps").returncode == 0


def test_a_home_that_is_deleted_ends_the_runtime(home: Home) -> None:
    home.serve()
    shutil.rmtree(home.path)
    code, words = ended(home)
    assert code == 1
    assert "was taken away" in words


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    parent = tmp_path / "locked"
    parent.mkdir(mode=0o500)
    home = Home(Path("/proc/callboard") if os.geteuid() == 0 else parent / "home")
    refused = home.run("serve")
    assert refused.returncode == 3
    assert refused.stderr.startswith("error: ")
    assert str(home.path) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_program_runs_from_a_directory_that_is_not_its_own(home: Home, tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, str(ROOT / "run.py"), "ps", "--home", str(home.path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3


def said_at_the_end(errors: str) -> list[str]:
    """What stands below the log."""
    return [x for x in errors.splitlines() if x.startswith(("error: ", "help: "))]


@pytest.mark.parametrize("workflows", [0, 1])
def test_a_root_that_gives_up_while_it_starts_is_said_in_words(
    home: Home, repo: Path, tmp_path: Path, workflows: int
) -> None:
    home.serve()
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder("x")]}))
    for _ in range(workflows):
        home.ok("submit", str(plan))
    home.ok("down")
    ended(home)
    home.prefix = [PYTHON, str(Path(__file__).with_name("gives_up.py"))]
    done = home.run("serve")
    assert done.returncode == 1, done.stderr
    error, *helps = said_at_the_end(done.stderr)
    assert error.startswith(f"error: the runtime of {home.path} gives up: runtime/ ")
    assert "runtime/publisher/" in error
    assert f" doctor --home {home.path}" in " ".join(helps)
    assert "NoSupervisor" not in done.stderr
    assert "callboard serves" not in done.stdout
    assert not (home.path / "connection.json").exists()
    home.prefix = []
    home.serve()


@pytest.mark.parametrize(("socket", "code"), [("feed", 1), ("requests", 3)])
def test_what_is_in_the_way_of_a_socket_is_said_in_words(
    home: Home, socket: str, code: int
) -> None:
    place = sockets.socket_directory(home.path)
    (place / socket).mkdir()
    try:
        done = home.run("serve")
    finally:
        (place / socket).rmdir()
    assert done.returncode == code, done.stderr
    error, *helps = said_at_the_end(done.stderr)
    assert error.startswith("error: ")
    assert str(home.path) in error
    assert "Address already in use" in error
    assert f" doctor --home {home.path}" in " ".join(helps)
    home.serve()


@pytest.mark.parametrize("end", ["gives up", "SIGTERM"])
def test_whoever_asked_before_the_end_has_one_answer(
    working: Working, repo: Path, tmp_path: Path, end: str
) -> None:
    """A preview that hangs keeps the end waiting while others press in."""
    home = working.home
    home.ok("down")
    ended(home)
    when = tmp_path / "give up"
    home.prefix = [PYTHON, str(Path(__file__).with_name("gives_up.py")), str(when)]
    served = home.serve()
    pack = repo / ".git/objects/pack" / f"pack-{'0' * 40}"
    pack.with_suffix(".pack").write_bytes(b"PACK")
    os.mkfifo(pack.with_suffix(".idx"))  # who reads it waits
    context = Context()
    socket = context.socket(zmq.DEALER)
    socket.set_hwm(0)
    watched = Watched(socket)
    socket.connect(connection.read(home.path).requests)
    socket.send(b'{"type":"merge.preview","workflow":"demo","id":0}')
    until(lambda: b"\0preview" in b"".join(commands_below(served.pid)), "a preview")
    when.touch() if end == "gives up" else served.terminate()
    found: list[Any] = []
    sent, refused = 1, False
    while not refused:
        while sent - len(found) < 800:
            socket.send(b'{"type":"tree.inspect","id":%d}' % sent)
            sent += 1
        while socket.poll(10):
            found.append(json.loads(socket.recv()))
            refused = refused or found[-1].get("error", {}).get("code") == 503
    found += [json.loads(reply) for reply in watched.rest()]
    context.destroy(linger=0)
    assert sorted(reply["id"] for reply in found) == list(range(sent))
    assert {reply["error"]["code"] for reply in found if not reply["ok"]} <= {429, 503}
    home.prefix = []
    pack.with_suffix(".idx").unlink()
    assert ended(home)[0] == (1 if end == "gives up" else 0)


def commands_below(parent: int) -> Iterator[bytes]:
    """The command lines of its children."""
    for pid in [pid for pid, fields in family.living().items() if fields[1] == str(parent)]:
        with suppress(FileNotFoundError):
            yield Path(f"/proc/{pid}/cmdline").read_bytes()
