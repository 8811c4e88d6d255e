"""Full-screen programs through `attach`, and `attach` inside `tmux` and `script`."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.actors.command_line.test_attach import Person, enter
from tests.actors.served import until
from tests.doors.acting import Acting
from tests.doors.kit import Home, shell_plan
from tests.repositories import make_repo


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acting]:
    """A terminal with a shell, for one visit after another."""
    place = tmp_path_factory.mktemp("programs")
    home = Home(place / "home")
    repo = make_repo(place / "repo", {"README": "x\n", "long": "\n".join(map(str, range(1000)))})
    home.serve()
    acting = Acting(home)
    acting.call("plan.submit", plan=shell_plan(repo), base=str(place))
    acting.call("workflow.prepare", workflow="demo")
    acting.status("ready")
    yield acting
    home.close()


def needs(program: str) -> Callable[..., object]:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"there is no {program}")


def worktree(shell: Acting) -> Path:
    return Path(shell.row()["tasks"][0]["worktree"])


def screen(shell: Acting) -> str:
    return str(shell.call("terminal.screen", terminal="demo/a/1")["text"])


@needs("vim")
@pytest.mark.parametrize("how", ["leaves", "is killed", "loses its inner process"])
def test_vim_is_left_entered_again_and_saved(shell: Acting, how: str) -> None:
    person = enter(shell.home, size=(30, 90))
    name = f"file-{how.replace(' ', '-')}"
    person.type(f"vim -u NONE -N {name}\r".encode())
    person.until(f'"{name}" [New]'.encode())
    text = f"hello from {name}"
    person.type(f"i{text}".encode())
    person.until(text.encode())
    if how == "leaves":
        person.leave()
        assert b"\x1b[?1049l" in person.seen.rpartition(text.encode())[2]
    else:
        before = len(person.seen)
        victim = person.inner() if how != "is killed" else person.process.pid
        os.kill(victim, signal.SIGKILL)
        person.process.wait(30)
        person.until(b"\x1b[?1049l", 30, before)  # whoever is left restores the terminal
    until(lambda: person.restored, 30)
    person.close()
    until(lambda: text in screen(shell), 30)

    again = Person(shell.home, size=(30, 90))
    again.until(b"\x1b[?1049h")  # the program's mode, although it was set long ago
    again.until(text.encode())
    again.type(b"\x1b")
    time.sleep(0.3)  # vim waits for the rest of a key
    again.type(b":wq\r")
    until(lambda: (worktree(shell) / name).exists(), 30)
    again.leave()
    again.close()
    assert text in (worktree(shell) / name).read_text()


@needs("less")
def test_less_is_paged_and_left(shell: Acting) -> None:
    person = enter(shell.home, size=(20, 60))
    person.type(b"less long\r")
    person.until(b"\n17\r")
    person.type(b" ")
    person.until(b"35")
    person.type(b"q")
    person.type(b"echo left-$((1))\r")
    person.until(b"left-1")
    person.leave()
    person.close()


@needs("htop")
def test_htop_is_seen_with_its_colours_and_left(shell: Acting) -> None:
    person = enter(shell.home)
    person.type(b"htop\r")
    person.until(b"\x1b[?1049h")
    person.until(b"Quit")
    person.type(b"q")
    person.type(b"echo left-htop-$((1))\r")
    person.until(b"left-htop-1")
    person.leave()
    person.close()


@needs("tmux")
def test_tmux_runs_inside_and_keeps_its_keys(shell: Acting, tmp_path: Path) -> None:
    person = enter(shell.home, size=(30, 100))
    server = tmp_path / "inner"
    person.type(f"tmux -f /dev/null -S {server} new 'bash --norc --noprofile'\r".encode())
    person.until(b"\x1b[?1049h")
    person.type(b"echo in-tmux-$((2+3))\r")
    person.until(b"in-tmux-5")
    person.type(b"\x02d")  # its own prefix key, which leaves it and not the terminal
    person.until(b"detached")
    subprocess.run(["tmux", "-S", str(server), "kill-server"], check=True)
    person.leave()
    person.close()


@needs("tmux")
def test_attach_works_inside_tmux(shell: Acting, tmp_path: Path) -> None:
    tmux = ["tmux", "-f", "/dev/null", "-S", str(tmp_path / "outer")]
    command = shell.home.command("attach", "demo/a/1")
    start = ["new-session", "-d", "-x", "90", "-y", "25", f"{command}; echo over-$?; sleep 100"]
    subprocess.run([*tmux, *start], check=True)

    def shown() -> str:
        return subprocess.run(
            [*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True
        ).stdout

    try:
        until(lambda: "$ " in shown() or shown().rstrip().endswith("$"))
        subprocess.run([*tmux, "send-keys", "stty size; echo t-$((3+4))", "Enter"], check=True)
        until(lambda: "t-7" in shown())
        assert "25 90" in shown()
        subprocess.run([*tmux, "send-keys", "C-q"], check=True)
        until(lambda: "over-0" in shown())
        seen = [shown().find(word) for word in ("t-7", "demo/a/1 goes on]", "over-0")]
        assert sorted(seen) == seen, shown()  # what is printed next stands below
        assert seen[0] >= 0, shown()
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


@needs("script")
def test_attach_is_recorded_by_script(shell: Acting, tmp_path: Path) -> None:
    record = tmp_path / "typescript"
    command = shell.home.command("attach", "demo/a/1")
    person = Person(shell.home, command=["script", "-qec", command, str(record)])
    person.until(b"$ ")
    person.type(b"echo s-$((4+5))\r")
    person.until(b"s-9")
    person.type(b"\x11")
    person.until(b"goes on]")
    assert person.process.wait(30) == 0
    person.close()
    assert b"s-9" in record.read_bytes()


QUESTIONS = [
    b"\x1b[6n", b"\x1b[5n", b"\x1b[?6n", b"\x1b[c", b"\x1b[>c", b"\x1b[=c", b"\x1b[>0q", b"\x1bZ",
    b"\x1b[?2026$p", b"\x1b[4$p", b"\x1b[?u", b"\x1b[14t", b"\x1b[18t", b"\x1b[19t", b"\x1b[21t",
    b"\x1b[0x", b"\x05", b"\x1b]10;?\x07", b"\x1b]11;?\x1b\\", b"\x1b]4;7;?\x07",
    b"\x1b]52;c;?\x07",
    b"\x1b]12;?\x1b\\", b"\x1bP+q544e\x1b\\", b"\x1bP$qm\x1b\\", b"\x1b]52;c;aGk=\x07",
    b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", b"\x1b]1337;ReportCellSize\x07",
]  # fmt: skip
"""What programs ask a terminal. The host has answered; a second answer would be typed."""

KEPT = b"\x1b]0;title?\x07\x1b]8;;https://example.org/?\x1b\\link\x1b]8;;\x1b\\\x1b[1;31mred\x1b[0m"


def test_no_question_reaches_the_person_s_terminal_live_or_replayed(
    shell: Acting, tmp_path: Path
) -> None:
    file = tmp_path / "questions"
    file.write_bytes(b"<" + b"|".join(QUESTIONS) + KEPT + b">end\n")
    person = enter(shell.home)
    ask = f"stty -echo; cat {file}; sleep 0.2; read -t 0.2 -n 10000 x; stty echo; echo ok-$((1))\r"
    person.type(ask.encode())
    person.until(b"ok-1")
    live = person.seen
    person.leave()
    person.close()
    again = enter(shell.home)
    again.until(b"ok-1")
    again.leave()
    again.close()
    for seen in (live, again.seen):
        shown = seen[seen.rindex(b"<|") :].partition(b">end")[0]
        assert shown == b"<" + b"|" * (len(QUESTIONS) - 1) + KEPT
