"""Entering a terminal, from a real PTY: what is seen, typed, and left behind."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from bus import connection
from bus.errors import Refused
from tests.actors.served import until
from tests.doors.acting import Acting
from tests.doors.kit import PYTHON, ROOT, Home


class Person:
    """Somebody at a terminal of their own, who runs `attach`."""

    def __init__(
        self,
        home: Home,
        *words: str,
        size: tuple[int, int] = (24, 80),
        command: list[str] | None = None,
    ) -> None:
        attach = [PYTHON, str(ROOT / "run.py"), "attach", "demo/a/1"]
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.fd, self._theirs = ours, theirs
        self.seen = b""
        self.process = subprocess.Popen(
            command or [*attach, *words, "--home", str(home.path)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def until(self, text: bytes, timeout: float = 60, start: int = 0) -> None:
        """Read until the text has been shown, after the first `start` bytes."""
        end = time.monotonic() + timeout
        while text not in self.seen[start:]:
            assert time.monotonic() < end, self.seen
            if select.select([self.fd], [], [], 0.2)[0]:
                self.seen += os.read(self.fd, 65536)

    def type(self, data: bytes) -> None:
        os.write(self.fd, data)

    def leave(self) -> int:
        self.type(b"\x11")
        self.until(b"goes on]")
        return self.process.wait(30)

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was before."""
        return termios.tcgetattr(self._theirs) == self.before

    def inner(self) -> int:
        """The inner process of the two."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.fd)
        os.close(self._theirs)


def enter(home: Home, *words: str, size: tuple[int, int] = (24, 80)) -> Person:
    person = Person(home, *words, size=size)
    person.until(b"$ ")
    return person


def test_a_person_sees_types_and_leaves_and_the_program_goes_on(shell: Acting) -> None:
    person = enter(shell.home)
    person.type(b"stty size; echo hi-$((1+1))\r")
    person.until(b"hi-2")
    assert b"24 80" in person.seen  # the window is the person's
    assert person.leave() == 0
    assert person.restored
    assert shell.row()["tasks"][0]["terminals"][0]["gone"] is False
    person.close()

    again = enter(shell.home)
    again.until(b"hi-2")  # what was shown before is there
    again.type(b"stty size; echo again-$((2+1))\r")
    again.until(b"again-3")
    again.leave()
    again.close()
    assert len(shell.facts("terminal.taken")) == 2
    assert all(fact["by"] == "person" for fact in shell.facts("terminal.taken"))


def test_what_is_typed_right_before_leaving_is_typed(shell: Acting) -> None:
    person = enter(shell.home)
    person.type(b"echo quick-$((1+1))\r\x11")
    person.until(b"goes on]")
    assert person.process.wait(30) == 0
    person.close()
    until(lambda: "quick-2" in shell.call("terminal.screen", terminal="demo/a/1")["text"])


def test_the_window_goes_back_to_its_size(shell: Acting) -> None:
    person = enter(shell.home, size=(50, 200))
    person.type(b"stty size; echo one-$((1))\r")
    person.until(b"one-1")
    assert b"50 200" in person.seen
    person.leave()
    person.close()
    shell.call("terminal.input", terminal="demo/a/1", text="stty size; echo two-$((2))\r")
    said = b""
    while b"two-2" not in said:
        page = shell.home.run("logs", "demo/a/1").stdout
        said = page.encode()
    assert b"40 120" in said


def test_output_comes_from_the_host_while_the_runtime_stands_still(shell: Acting) -> None:
    person = enter(shell.home)
    go = Path(shell.row()["tasks"][0]["worktree"]) / "go"
    person.type(b"until [ -e go ]; do sleep 0.02; done; echo seen-$((1+1))\r")
    person.until(b"done; echo")
    runtime = connection.read(shell.home.path).pid
    os.kill(runtime, signal.SIGSTOP)
    try:
        go.touch()
        person.until(b"seen-2")
    finally:
        os.kill(runtime, signal.SIGCONT)
    person.type(b"echo after-$((2+1))\r")
    person.until(b"after-3")
    person.leave()
    person.close()


def test_who_is_inside_is_told_that_the_program_has_ended(shell: Acting) -> None:
    person = enter(shell.home)
    person.type(b"exit\r")
    person.until(b"[the program of demo/a/1 has ended]")
    assert person.process.wait(30) == 0
    assert person.restored
    person.close()


def test_only_the_user_s_own_processes_are_shown_the_way_to_a_host(shell: Acting) -> None:
    found = shell.call("terminal.enter", terminal="demo/a/1")
    assert (found["incarnation"], Path(found["socket"]).is_socket()) == (1, True)
    held = shell.call("terminal.take", terminal="demo/a/1", session="one", incarnation=1)
    assert held["seconds"] > 0
    for session, incarnation in (("two", 1), ("one", 2)):
        with pytest.raises(Refused) as refused:
            shell.call(
                "terminal.take", terminal="demo/a/1", session=session, incarnation=incarnation
            )
        assert refused.value.body.code == 409
    shell.call("terminal.give", terminal="demo/a/1", session="one")
    shell.call("terminal.take", terminal="demo/a/1", session="two", incarnation=1)


def test_a_reader_types_nothing(shell: Acting) -> None:
    watching = enter(shell.home, "--read-only")
    watching.type(b"echo never-$((1))\r")
    shell.call("terminal.input", terminal="demo/a/1", text="echo typed-$((1))\r")
    watching.until(b"typed-1")
    assert b"never-" not in watching.seen
    watching.leave()
    watching.close()


def test_two_may_watch_and_one_types(shell: Acting) -> None:
    one, two = enter(shell.home), enter(shell.home)
    one.type(b"echo one-$((1))\r")
    one.until(b"one-1")
    two.until(b"one-1")
    two.type(b"echo two-$((2))\r")
    two.until(b"somebody else types")
    two.type(b"echo three\r\x11")
    two.until(b"goes on; what was typed last was not: somebody else types")
    assert two.process.wait(30) == 0
    two.close()
    one.leave()
    one.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("which", ["inner", "outer"])
def test_a_kill_leaves_the_person_s_terminal_as_it_was(shell: Acting, which: str) -> None:
    person = enter(shell.home)
    os.kill(person.inner() if which == "inner" else person.process.pid, signal.SIGKILL)
    person.process.wait(30)
    end = time.monotonic() + 30
    while not person.restored:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert shell.row()["tasks"][0]["terminals"][0]["gone"] is False
    person.close()


def test_an_input_is_typed_once_for_its_key_and_not_for_another_program(shell: Acting) -> None:
    ask = {"terminal": "demo/a/1", "text": "echo x >> out.txt\r", "key": "one", "incarnation": 1}
    first = shell.call("terminal.input", **ask)
    again = shell.call("terminal.input", **ask)
    assert (first["already"], again["already"]) == (False, True)
    with pytest.raises(Exception, match="runs its program 1"):
        shell.call("terminal.input", **{**ask, "key": "two", "incarnation": 2})
    worktree = Path(shell.row()["tasks"][0]["worktree"])
    shell.call("terminal.input", terminal="demo/a/1", text="touch done.txt\r")
    end = time.monotonic() + 30
    while not (worktree / "done.txt").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    assert (worktree / "out.txt").read_text() == "x\n"


def test_output_is_the_same_bytes_by_offset_and_the_screen_says_where_it_is(shell: Acting) -> None:
    import base64

    whole = shell.call("terminal.output", terminal="demo/a/1")
    data = base64.b64decode(whole["data"])
    for at in range(0, len(data), 7):
        page = shell.call("terminal.output", terminal="demo/a/1", offset=at, limit=7)
        assert base64.b64decode(page["data"]) == data[at : at + 7]
        assert page["offset"] == at
    shown = shell.call("terminal.screen", terminal="demo/a/1")
    assert shown["text"].rstrip().endswith("$")
    assert shown["offset"] >= len(data)


def test_who_waits_for_output_has_it_when_it_comes(shell: Acting) -> None:
    end = shell.call("terminal.output", terminal="demo/a/1")["end"]
    waiting = shell.home.begin("logs", "demo/a/1", "--follow")
    shell.call("terminal.input", terminal="demo/a/1", text="echo later\r")
    page = shell.call("terminal.output", terminal="demo/a/1", offset=end, wait=30)
    assert page["data"]
    assert page["offset"] == end
    waiting.terminate()
    waiting.wait()


def test_attach_without_a_terminal_is_refused(shell: Acting) -> None:
    done = shell.home.run("attach", "demo/a/1", stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert shell.home.run("screen", "demo/none/1").returncode == 2
