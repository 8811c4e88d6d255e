"""Typing: whole, in order, once for each key; and the answers to a program's questions."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.clis.keys import paste
from actors.host import hosting, questions, wire
from actors.host.keyboard import Keyboard
from actors.platform.readiness import wait_for
from actors.pty.console import connect
from actors.pty.events import Acknowledged, Ended, KeyKnown, KeyState, Output, Result, Scope, Silent
from actors.pty.spawn import await_ready
from tests.actors.host.host_kit import WAIT, Terminal, collect

# Reports the bytes of every read() in raw mode as one line.
ECHO = textwrap.dedent("""
    import os, tty
    tty.setraw(0)
    os.write(1, b"ready\\n")
    while True:
        data = os.read(0, 65536)
        os.write(1, b"<%s>\\n" % data.hex().encode())
""")


def chunks(text: bytes) -> list[bytes]:
    """Return the bytes of each read that ECHO reports."""
    return [bytes.fromhex(x[1:-1].decode()) for x in text.splitlines() if x.startswith(b"<")]


def test_a_paste_and_enter_are_separate_writes_in_one_request(terminal: Terminal) -> None:
    terminal.python(ECHO)
    with terminal.connect() as console:
        collect(console, b"ready\n")
        console.link.type(b"step", paste("two\nlines"))
        ack = console.next(Acknowledged, WAIT)
        assert ack == Acknowledged(b"step", Result.DONE, 6)
        collect(console, b"<0d>\n")
        console.link.type(b"quit", [(b"q", 0)])
        seen = chunks(collect(console, b"<71>\n"))
    assert seen == [b"\x1b[200~two\nlines\x1b[201~", b"\r", b"q"]


def test_the_next_step_is_typed_when_its_pause_has_passed_and_not_before() -> None:
    now = [10.0]
    read, write = os.pipe()
    keyboard = Keyboard(write, lambda: now[0], lambda: 0)
    keyboard.press(b"k", [(b"paste", 300), (b"\r", 0)], "client")
    assert keyboard.write() == []
    assert os.read(read, 100) == b"paste"
    assert keyboard.due == pytest.approx(10.3)
    now[0] = 10.29
    assert keyboard.write() == []
    os.set_blocking(read, False)
    with pytest.raises(BlockingIOError):
        os.read(read, 100)
    now[0] = 10.31
    assert [(who, result) for who, result, _ in keyboard.write()] == [("client", wire.DONE)]
    assert os.read(read, 100) == b"\r"
    os.close(read)
    os.close(write)


def test_requests_are_typed_in_their_order_and_not_into_each_other(terminal: Terminal) -> None:
    terminal.python(ECHO)
    with terminal.connect() as console:
        collect(console, b"ready\n")
        console.link.type(b"a", [(b"a1", 100), (b"a2", 50)])
        console.link.type(b"b", [(b"b1", 0), (b"q", 0)])
        seen = b"".join(chunks(collect(console, b"71>\n")))
    assert seen == b"a1a2b1q"


def test_a_request_is_finished_though_its_sender_is_gone(terminal: Terminal) -> None:
    terminal.python(ECHO)
    with terminal.connect() as console:
        collect(console, b"ready\n")
        console.link.type(b"step", [(b"first", 400), (b"second", 0)])
        console.link.ask_key(b"step")
        assert console.next(KeyKnown, WAIT).state == KeyState.PENDING
    with terminal.connect() as console:
        collect(console, b"7365636f6e64>")  # "second"
        console.link.ask_key(b"step")
        assert console.next(KeyKnown, WAIT) == KeyKnown(b"step", KeyState.TYPED, 6)


def test_the_same_key_is_typed_once_whatever_happens_to_the_connection(terminal: Terminal) -> None:
    """Hazard 21."""
    terminal.python(ECHO)
    with terminal.connect() as console:
        collect(console, b"ready\n")
    for _ in range(5):  # sent, and gone before the answer
        with terminal.connect() as console:
            console.link.type(b"step-1", [(b"x", 50), (b"y", 0)])
            while console.link.wants_write:
                console.link.on_writable()
    with terminal.connect() as console:
        console.link.type(b"step-1", [(b"x", 50), (b"y", 0)])
        assert console.next(Acknowledged, WAIT).result == Result.ALREADY
        console.link.type(b"step-2", [(b"z", 0)])
        assert console.next(Acknowledged, WAIT).result == Result.DONE
        console.link.type(b"quit", [(b"q", 0)])
        seen = b"".join(chunks(collect(console, b"71>\n")))
    assert seen == b"xyzq"


def test_a_second_asker_of_a_pending_request_is_told_when_it_is_done(terminal: Terminal) -> None:
    terminal.python(ECHO)
    with terminal.connect() as first, terminal.connect() as second:
        collect(first, b"ready\n")
        first.link.type(b"k", [(b"x", 200), (b"y", 0)])
        first.link.ask_key(b"k")
        first.next(KeyKnown, WAIT)
        second.link.type(b"k", [(b"x", 200), (b"y", 0)])
        assert second.next(Acknowledged, WAIT) == Acknowledged(b"k", Result.ALREADY, 6)
        assert first.next(Acknowledged, WAIT) == Acknowledged(b"k", Result.DONE, 6)


def test_an_unknown_key_is_unknown(terminal: Terminal) -> None:
    terminal.python(ECHO)
    with terminal.connect() as console:
        console.link.ask_key(b"never")
        assert console.next(KeyKnown, WAIT) == KeyKnown(b"never", KeyState.UNKNOWN, 0)


def test_a_program_that_does_not_read_blocks_nobody(terminal: Terminal) -> None:
    program = textwrap.dedent("""
        import os, signal, tty
        tty.setraw(0)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        os.write(1, b"deaf")
        signal.sigwait([signal.SIGUSR1])
        got = 0
        while got < 600000: got += len(os.read(0, 65536))
        os.write(1, b"got %d" % got)
    """)
    terminal.python(program)
    with terminal.connect() as console:
        collect(console, b"deaf")
        console.link.type(b"big", [(b"x" * 600_000, 0)])
        console.link.ask_key(b"big")  # answered, so the host is not stuck in the write
        assert console.next(KeyKnown, WAIT).state == KeyState.PENDING
        console.link.signal(10, Scope.PROGRAM)
        assert console.next(Acknowledged, WAIT).result == Result.DONE
        console.next(Ended, WAIT)


def test_what_waits_to_be_typed_is_bounded_and_refused_beyond(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty raw; echo deaf; exec sleep 100")
    with terminal.connect() as console:
        collect(console, b"deaf")
        for number in range(5):
            console.link.type(b"%d" % number, [(b"x" * 1_000_000, 0)])
        refused = console.next(Acknowledged, WAIT)
        assert (refused.key, refused.result) == (b"4", Result.REFUSED)
        console.link.ask_key(b"4")
        assert console.next(KeyKnown, WAIT).state == KeyState.UNKNOWN


def test_what_was_not_typed_when_the_program_ended_is_refused(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "exec sleep 100")
    with terminal.connect() as console:
        console.link.type(b"one", [(b"go\n", 60_000), (b"late", 0)])
        console.link.type(b"two", [(b"never", 0)])
        console.link.end(5000)
        said = [console.next(Acknowledged, WAIT) for _ in range(2)]
        assert [(each.key, each.result) for each in said] == [
            (b"one", Result.REFUSED),
            (b"two", Result.REFUSED),
        ]
        assert console.next(Ended, WAIT).exit.kind == "signaled"
        console.link.type(b"three", [(b"too late", 0)])
        assert console.next(Acknowledged, WAIT).result == Result.REFUSED


QUESTIONS = {
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[?6n": b"\x1b[?1;1R",
    b"\x1b[5n": b"\x1b[0n",
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[0c": b"\x1b[?62;22c",
    b"\x1b[>c": b"\x1b[>1;10;0c",
    b"\x1b[>q": b"\x1bP>|callboard(1)\x1b\\",
    b"\x1b[?u": b"\x1b[?0u",
    b"\x1b]10;?\x07": b"\x1b]10;rgb:d8d8/d8d8/d8d8\x07",
    b"\x1b]11;?\x1b\\": b"\x1b]11;rgb:1818/1818/1818\x1b\\",
    b"\x1b[?2026$p": b"\x1b[?2026;0$y",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_however_it_is_cut(question: bytes) -> None:
    heard = b"text" + question + b"more\x1b[0m"
    for cut in range(len(heard) + 1):
        listener = questions.Listener()
        said = listener.answers(heard[:cut]) + listener.answers(heard[cut:])
        assert said == QUESTIONS[question], cut
    listener = questions.Listener()
    bytewise = b"".join(listener.answers(heard[i : i + 1]) for i in range(len(heard)))
    assert bytewise == QUESTIONS[question]


def test_many_questions_are_answered_in_their_order() -> None:
    listener = questions.Listener()
    assert listener.answers(b"".join(QUESTIONS)) == b"".join(QUESTIONS.values())


def test_what_is_no_question_gets_no_answer() -> None:
    listener = questions.Listener()
    screen = b"\x1b[0m\x1b[?25l\x1b[?2026h\x1b[38;2;1;2;3m\x1b[16n\x1b]0;title\x07\x1b]10;red\x07"
    assert listener.answers(screen * 10) == b""
    assert listener.answers(b"\x1b[?1;2c\x1b[>0;276;0c\x1b[?1u plain 6n") == b""


def test_a_program_gets_its_answers_without_any_runtime(terminal: Terminal) -> None:
    program = textwrap.dedent("""
        import os, time, tty
        tty.setraw(0)
        for part in (b"\\x1b[", b"6n", b"\\x1b[c"):
            os.write(1, part); time.sleep(0.05)
        seen = b""
        while not seen.endswith(b"c"): seen += os.read(0, 100)
        os.write(1, seen.hex().encode())
    """)
    terminal.python(program)
    assert terminal.ended().kind == "exited"
    with open(terminal.dir / "out" / f"{0:016d}", "rb") as file:
        assert file.read().endswith((b"\x1b[1;1R" + b"\x1b[?62;22c").hex().encode())


def test_a_flood_of_questions_is_bounded(terminal: Terminal) -> None:
    program = textwrap.dedent("""
        import os, select, tty
        tty.setraw(0)
        for _ in range(3000): os.write(1, b"\\x1b[6n" * 100)
        heard = b""
        while b"c" not in heard:  # drowned questions are forgotten, later ones are not
            os.write(1, b"\\x1b[c")
            while b"c" not in heard and select.select([0], [], [], 0.1)[0]:
                heard = os.read(0, 4096)
    """)
    terminal.python(program)
    assert terminal.ended().status == 0


def test_the_silence_after_a_burst_is_told_once(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty raw -echo; printf one; read x; printf two; sleep 100")
    with terminal.connect() as console:
        collect(console, b"one")
        console.link.quiet([400, 100])
        assert console.next(Silent, WAIT) == Silent(100, 3)
        assert console.next(Silent, WAIT) == Silent(400, 3)
        with pytest.raises(TimeoutError):  # nothing happens, nothing is said
            console.next(Silent, 0.7)
        console.link.type(b"k", [(b"\n", 0)])
        assert console.next(Silent, WAIT) == Silent(100, 6)
        assert console.next(Silent, WAIT) == Silent(400, 6)


def test_silence_is_told_of_a_program_that_never_says_anything(terminal: Terminal) -> None:
    terminal.start("sleep", "100")
    with terminal.connect() as console, terminal.connect() as other:
        console.link.quiet([150])
        assert console.next(Silent, WAIT) == Silent(150, 0)
        other.link.quiet([100])  # each has its own; the silence so far counts
        assert other.next(Silent, WAIT) == Silent(100, 0)
        console.link.quiet([])


def test_silence_is_told_when_typing_is_not_even_echoed(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty raw -echo; printf ok; exec sleep 100")
    with terminal.connect() as console:
        collect(console, b"ok")
        console.link.quiet([100])
        assert console.next(Silent, WAIT) == Silent(100, 2)
        console.link.type(b"k", [(b"hello?", 0)])
        console.next(Acknowledged, WAIT)
        assert console.next(Silent, WAIT) == Silent(100, 2)


def test_a_running_program_is_never_called_silent(terminals: Callable[..., Terminal]) -> None:
    terminal = terminals()
    ticking = "stty raw; i=0; while [ $i -lt 30 ]; do printf .; sleep 0.05; i=$((i+1)); done; cat"
    terminal.start("sh", "-c", ticking)
    with terminal.connect() as console:
        console.link.quiet([1000])
        assert console.next(Silent, WAIT).offset == 30


def test_a_program_that_only_renames_its_window_is_silent(terminal: Terminal) -> None:
    """As codex does every second while it asks something: nobody would be told."""
    blink = r"printf '\033]0;asks\007'; sleep 0.1; printf '\033]2;asks!\033\\'; sleep 0.1"
    terminal.start("sh", "-c", f"stty raw; printf 'a question'; while :; do {blink}; done")
    with terminal.connect() as console:
        collect(console, b"a question")
        console.link.quiet([600])
        assert console.next(Silent, WAIT).ms == 600


@pytest.mark.parametrize(
    ("output", "is_so"),
    [
        (b"\x1b]0;a\x07", True),
        (b"\x1b]0;a\x07\x1b]2;b\x1b\\", True),
        (b"\x1b]0;a\x07x", False),
        (b"x\x1b]0;a\x07", False),
        (b"\x1b]0;a", False),
        (b"\x1b]8;;link\x07", False),
        (b"\x1b[2J", False),
    ],
)
def test_what_only_renames_the_window(output: bytes, is_so: bool) -> None:
    assert questions.only_titles(output) is is_so


PATIENT = textwrap.dedent("""
    import sys
    sys.path.insert(0, sys.argv.pop(1))
    import host, hosting
    hosting.ECHO = 60.0
    sys.exit(host.main(sys.argv[1:]))
""")
"""A host whose ACK waits for the echo as long as it takes."""


def test_a_follower_is_woken_once_for_the_acknowledgement_and_the_echo(tmp_path: Path) -> None:
    folder, path = tmp_path / "h", Path(tempfile.mkdtemp(prefix="cb")) / "s"
    folder.mkdir()
    words = ["--dir", str(folder), "--socket", str(path), "--mark", "m", "--incarnation", "1"]
    words += ["--size", "24x80", "--", "cat"]
    host = subprocess.Popen(
        [sys.executable, "-c", PATIENT, str(Path(hosting.__file__).parent), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert host.stdin is not None
        host.stdin.write(b"token")
        host.stdin.close()
        await_ready(host, WAIT)
        console, _ = connect(path, "token", WAIT)
        with console:
            console.link.follow(0)
            for number in range(20):  # `cat` leaves the echo to its terminal
                console.link.type(b"%d" % number, [(b"a", 0)])
                assert wait_for(console.link.fileno(), WAIT)
                first = console.link.on_readable()
                assert [type(event) for event in first] == [Acknowledged, Output]
            console.link.type(b"end", [(b"\x04\x04", 0)])
            console.next(Ended, WAIT)
        assert host.wait(WAIT) == 0
    finally:
        host.kill()
        host.wait()
        assert host.stdout is not None
        host.stdout.close()
        shutil.rmtree(path.parent)


def test_an_acknowledgement_comes_also_where_nothing_is_echoed(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty -echo; echo ready; cat >/dev/null")
    with terminal.connect() as console:
        collect(console, b"ready")
        console.link.type(b"secret", [(b"a", 0)])
        assert console.next(Acknowledged, WAIT).key == b"secret"
