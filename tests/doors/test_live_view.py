"""`up` on a terminal: it says what waits for a person, and fits the screen."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.doors.acting import say
from tests.doors.kit import Home, coder, plan_text
from tests.doors.terminal_kit import Window


def until(window: Window, there: Callable[[list[str]], bool]) -> list[str]:
    while not there(screen := window.screen()):
        assert window.read(), screen
    return screen


@pytest.mark.parametrize(("rows", "columns"), [(20, 60), (60, 200)])
def test_a_question_is_shown_on_top_and_its_command_runs(
    home: Home, repo: Path, tmp_path: Path, rows: int, columns: int
) -> None:
    plan = tmp_path / "plan.toml"
    asks = coder("@ ask Which colour? | red | green\n" + say("paint #done"))
    plan.write_text(plan_text(repo, {"a": [asks], "b": [coder(say("other #done"))]}))
    window = Window(home, "up", str(plan), rows=rows, columns=columns)
    screen = until(window, lambda screen: "waits for you" in screen)
    top = next(n for n, line in enumerate(screen) if line.startswith("demo/ running"))
    assert screen[top + 1] == "waits for you"
    assert screen[top + 2].startswith("  demo/a/1 asks: ")
    assert "Which colour?" in screen[top + 2]
    assert "answer demo/a/1 red" in "".join(screen[top + 3 :])
    home.ok("answer", "demo/a/1", "red")
    assert window.end() == 0
    assert any("demo/ completed" in line for line in window.screen())


FIRST, SECOND = "  demo/a/1 asks: Shall it be red?", "  demo/b/1 asks: Which colour?"


def asked(home: Home, repo: Path, tmp_path: Path, **how: Any) -> Window:
    """The view of two tasks that ask something, the second after the first is shown."""
    asks = coder("@ ask Shall it be red? | Yes | No\n" + say("paint #done"))
    shown = tmp_path / "shown"
    wait = f"$ until [ -e {shown} ]; do sleep 0.05; done\n"
    other = coder(wait + "@ ask Which colour? | red | green\n" + say("other #done"))
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [asks], "b": [other]}))
    window = Window(home, "up", str(plan), **how)
    until(window, lambda screen: FIRST in screen)
    shown.touch()
    until(window, lambda screen: {FIRST, SECOND} <= set(screen))
    return window


@pytest.mark.parametrize(("rows", "columns"), [(20, 60), (60, 200)])
def test_keys_answer_open_and_leave(
    home: Home, repo: Path, tmp_path: Path, rows: int, columns: int
) -> None:
    window = asked(home, repo, tmp_path, rows=rows, columns=columns)
    assert window.chosen() == [FIRST]
    assert window.screen()[-1].startswith("↑↓ choose · Enter open · a attach")
    window.type("\x1b[B")
    until(window, lambda _: window.chosen() == [SECOND])
    window.type("\x1b[A")
    until(window, lambda _: window.chosen() == [FIRST])
    window.type("y")
    until(window, lambda screen: screen[-1] == "demo/a/1/ answered: Yes")
    until(window, lambda _: window.chosen() == [SECOND])
    window.type("\r")
    until(window, lambda screen: screen[1] == "screen of demo/b/1/")
    until(window, lambda screen: any("Which colour?" in line for line in screen[2:]))
    window.type("\x1b")
    until(window, lambda _: window.chosen() == [SECOND])
    window.type("q")
    assert window.end() == 1
    assert any("demo/ goes on" in line for line in window.screen())
    again = Window(home, "follow", "demo", rows=rows, columns=columns)
    screen = until(again, lambda _: again.chosen() == [SECOND])
    assert any("terminal.answered" in line for line in screen), "it shows what was before"
    again.type("2")
    assert again.end() == 0
    assert any("demo/ completed" in line for line in again.screen())
    assert again.written.count(b"\x1b[?1049h") == again.written.count(b"\x1b[?1049l") == 1


def test_attach_from_the_view_comes_back_to_it(home: Home, repo: Path, tmp_path: Path) -> None:
    window = asked(home, repo, tmp_path, rows=30, columns=120)
    window.type("a")
    until(window, lambda screen: SECOND not in screen and "❯ 1. Yes" in screen)
    window.type("\x11")
    until(window, lambda _: window.chosen() == [FIRST])
    window.type("1")
    until(window, lambda _: window.chosen() == [SECOND])
    window.type("2")
    assert window.end() == 0


def test_the_terminal_is_given_back_as_it_was(home: Home, repo: Path, tmp_path: Path) -> None:
    window = asked(home, repo, tmp_path, keep=True)
    until(window, lambda screen: "waits for you" in screen)
    assert window.modes() != window.before
    window.process.terminate()
    assert window.process.wait(30) == 128 + signal.SIGTERM
    assert window.modes() == window.before


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    window = asked(home, repo, tmp_path, keep=True)
    until(window, lambda _: window.chosen() == [FIRST])
    window.process.send_signal(signal.SIGTSTP)
    until(window, lambda _: window.written.endswith(b"\x1b[?1049l"))
    os.waitid(os.P_PID, window.process.pid, os.WSTOPPED | os.WNOWAIT)
    assert window.modes() == window.before
    window.process.send_signal(signal.SIGCONT)
    until(window, lambda _: window.written.count(b"\x1b[?1049h") == 2)
    until(window, lambda _: window.chosen() == [FIRST])
    window.type("y")
    until(window, lambda _: window.chosen() == [SECOND])
    window.process.terminate()
    window.process.wait(30)
