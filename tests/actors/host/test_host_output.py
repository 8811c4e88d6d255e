"""The output log: every byte, at its offset, bounded, whoever is or is not there."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.platform import processes
from actors.pty import output, records
from actors.pty.console import Console
from actors.pty.events import Acknowledged, Ended, Output, Silent
from actors.pty.spawn import await_ready
from tests.actors.host.host_kit import WAIT, Terminal, collect


def test_output_is_on_disk_at_absolute_offsets(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty -onlcr; printf 'one two'; exit 0")
    assert terminal.ended().offset == 7
    assert output.read(terminal.dir, 0, 100) == (0, b"one two")
    assert output.read(terminal.dir, 4, 100) == (4, b"two")
    assert output.read(terminal.dir, 4, 2) == (4, b"tw")
    assert output.read(terminal.dir, 7, 100) == (7, b"")
    assert output.size(terminal.dir) == 7


def test_many_megabytes_stay_bounded_and_the_end_is_kept(terminal: Terminal) -> None:
    """Hazard 39."""
    terminal.start("sh", "-c", "stty raw; head -c 20000000 /dev/zero | tr '\\0' x; printf end")
    assert terminal.ended().offset == 20_000_003
    files = list((terminal.dir / "out").iterdir())
    total = sum(file.stat().st_size for file in files)
    assert (6 << 20) < total <= (8 << 20)
    assert all(file.stat().st_size <= 1 << 20 for file in files)
    first = min(int(file.name) for file in files)
    real, data = output.read(terminal.dir, 0, 10)
    assert (real, data) == (first, b"x" * 10)
    assert output.read(terminal.dir, 20_000_000, 10) == (20_000_000, b"end")
    assert output.size(terminal.dir) == 20_000_003


def test_the_bound_is_the_callers(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty raw; head -c 300000 /dev/zero", log_bytes=65536)
    assert terminal.ended().offset == 300_000
    total = sum(file.stat().st_size for file in (terminal.dir / "out").iterdir())
    assert 40_000 < total <= 65536


def test_output_of_a_host_can_be_asked_for_and_followed(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty raw -echo; printf hello; read x; printf more; read y")
    with terminal.connect() as console:
        assert collect(console, b"hello") == b"hello"
        console.link.ask_output(1, 3)
        answers = [console.next(Output, WAIT)]
        assert answers[0] == Output(1, b"ell", pushed=False)
        console.link.type(b"k", [(b"\n", 0)])
        assert console.next(Output, WAIT) == Output(5, b"more", pushed=True)
        console.link.follow(None)
        console.link.follow(2)
        assert console.next(Output, WAIT) == Output(2, b"llomore", pushed=True)
        console.link.ask_output(9, 100)
        assert console.next(Output, WAIT) == Output(9, b"", pushed=False)


def test_what_was_dropped_is_told_by_the_real_offset(terminal: Terminal) -> None:
    program = "stty raw; head -c 300000 /dev/zero; printf END; read x"
    terminal.start("sh", "-c", program, log_bytes=65536)
    with terminal.connect() as console:
        console.link.follow(299_000)
        seen = b""
        while not seen.endswith(b"END"):
            seen += console.next(Output, WAIT).data
        console.link.follow(None)
        console.link.ask_output(0, 10)
        event = console.next(Output, WAIT)
        assert event.offset == output.start(terminal.dir) > 200_000
        assert event.data == bytes(10)


RUNTIME = """
import sys
sys.path.insert(0, {project!r})
from pathlib import Path
from actors.pty.console import connect
from actors.pty.events import Output
from actors.pty.spawn import await_ready, spawn
root = Path({root!r})
process = spawn(root / "host", socket=root / "s", token={token!r}, incarnation=7,
    argv=["sh", "-c", {program!r}], env={{"PATH": "/usr/bin:/bin"}}, cwd=root, rows=24, columns=80)
await_ready(process, 30)
console, welcome = connect(root / "s", {token!r}, 30)
console.link.follow(0)
print("up", process.pid, flush=True)
while True:
    console.next(Output, 1e6)
"""


def test_killing_the_runtime_loses_no_byte_and_ends_no_program(terminal: Terminal) -> None:
    """Hazard 38."""
    program = "stty raw -echo; i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; read x"
    root = terminal.dir.parent
    source = RUNTIME.format(
        project=str(Path(__file__).parents[3]), root=str(root), token=terminal.token,
        program=program,
    )  # fmt: skip
    runtime = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
    assert runtime.stdout is not None
    word, pid = runtime.stdout.readline().split()
    assert word == b"up"
    runtime.send_signal(signal.SIGKILL)
    runtime.wait()
    runtime.stdout.close()

    identity = records.read_identity(terminal.dir)
    assert identity is not None
    assert identity.host_pid == int(pid)
    assert processes.is_alive(identity.host_pid, identity.host_start) is True
    assert processes.is_alive(identity.program_pid, identity.program_start) is True
    with terminal.connect() as console:
        assert terminal.welcome.incarnation == 7
        assert terminal.welcome.program_pid == identity.program_pid
        seen = collect(console, b"19999\n")
        assert seen == b"".join(b"%d\n" % i for i in range(20000))
        console.link.type(b"go", [(b"\n", 0)])
        assert console.next(Ended, WAIT).exit.kind == "exited"


def test_a_reader_that_never_reads_harms_nobody(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty raw; read x; head -c 20000000 /dev/zero; printf END; read y")
    with terminal.connect() as deaf, terminal.connect() as console:
        deaf.link.follow(0)
        console.link.follow(0)
        console.link.type(b"go", [(b"\n", 0)])
        total = b""
        while not total.endswith(b"END"):
            total = (total + console.next(Output, WAIT).data)[-3:]
        assert rss_kb(console, terminal) < 14_000
        # It has missed nothing that is still on disk: it only lags.
        end = 0
        while end < 20_000_003:
            event = deaf.next(Output, WAIT)
            assert event.offset >= end
            end = event.offset + len(event.data)


def rss_kb(_console: Console, terminal: Terminal) -> int:
    assert terminal.process is not None
    for line in Path(f"/proc/{terminal.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_host_needs_at_most_twelve_megabytes(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty raw; head -c 30000000 /dev/zero; printf END; read y")
    with terminal.connect() as console:
        console.link.follow(29_000_000)
        while not console.next(Output, WAIT).data.endswith(b"END"):
            pass
        assert rss_kb(console, terminal) <= 12 * 1024


@pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="needs root on Linux to mount a tmpfs"
)
def test_a_full_disk_leaves_a_hole_and_a_living_program(terminal: Terminal) -> None:
    terminal.dir.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(terminal.dir)], check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a tmpfs here")
    try:
        program = "stty raw -echo; head -c 1000000 /dev/zero; printf A; read x; printf END; read x"
        terminal.start("sh", "-c", program, log_bytes=4 << 20)
        with terminal.connect() as console:
            console.link.quiet([200])
            console.link.follow(0)
            while console.next(Silent, WAIT).offset < 1_000_001:
                pass
            assert output.size(terminal.dir) < 256 << 10
            oldest = terminal.dir / "out" / f"{0:016d}"
            oldest.unlink()  # a person makes room
            console.link.type(b"go", [(b"\n", 0)])
            console.next(Acknowledged, WAIT)
            while not console.next(Output, WAIT).data.endswith(b"END"):
                pass
            assert output.read(terminal.dir, 0, 10) == (1_000_001, b"END")
            # And full again to the last block: how it ended must still be written.
            with open(terminal.dir / "filler", "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(bytes(4096))
                except OSError:
                    pass
            console.link.end(5000)
            assert console.next(Ended, WAIT).exit.offset == 1_000_004
        assert terminal.ended().kind == "signaled"
    finally:
        terminal.stop()
        terminal.process = None
        subprocess.run(["umount", str(terminal.dir)], check=True)


def test_a_program_that_lets_go_of_its_terminal_does_not_make_the_host_spin(
    terminal: Terminal,
) -> None:
    program = textwrap.dedent("""
        import os
        fds = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2): os.dup2(fds, fd)
        import time; time.sleep(1)
        tty = os.open("/dev/tty", os.O_RDWR); os.write(tty, b"back")
    """)
    terminal.python(program)
    with terminal.connect() as console:
        assert collect(console, b"back") == b"back"
        console.next(Ended, WAIT)
    assert terminal.process is not None
    _, _, usage = os.wait4(terminal.process.pid, 0)
    terminal.process.returncode = 0
    assert usage.ru_utime + usage.ru_stime < 0.5


def test_fifty_hosts_at_once(terminals: Callable[..., Terminal]) -> None:
    made = [terminals() for _ in range(50)]
    for number, each in enumerate(made):
        each.process = each.spawn("sh", "-c", f"stty -onlcr; echo {number}; read x; exit {number}")
    consoles = []
    for number, each in enumerate(made):
        assert each.process is not None
        await_ready(each.process, 60)
        consoles.append(each.connect())
        consoles[-1].link.follow(0)
        assert consoles[-1].next(Output, WAIT).data.startswith(b"%d" % number)
    for console in consoles:
        console.link.type(b"go", [(b"\n", 0)])
    for number, console in enumerate(consoles):
        with console:
            assert console.next(Ended, WAIT).exit.status == number


def test_text_never_cuts_a_character() -> None:
    """Hazard 40."""
    text, whole = output.Text(), "naïve 漢字 🎉"
    data = whole.encode()
    pieces = [text.feed(i, data[i : i + 1]) for i in range(len(data))]
    assert "".join(pieces) == whole
    assert "\ufffd" not in whole


def test_text_shows_a_hole_in_a_character() -> None:
    text = output.Text()
    assert text.feed(0, "字".encode()[:2]) == ""
    assert text.feed(100, b"ok") == "\ufffdok"


def test_a_tail_begins_at_a_character(tmp_path: Path) -> None:
    """Hazard 40."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{0:016d}").write_bytes("漢字".encode())
    assert output.tail(tmp_path, 6) == "漢字"
    assert output.tail(tmp_path, 5) == "字"
    assert output.tail(tmp_path, 4) == "字"
    assert output.tail(tmp_path, 3) == "字"


def test_a_directory_without_a_log_is_empty(tmp_path: Path) -> None:
    assert output.read(tmp_path, 5, 10) == (0, b"")
    assert (output.size(tmp_path), output.start(tmp_path)) == (0, 0)
