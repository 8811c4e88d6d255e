"""`up` on a terminal: it says what waits for a person, and fits the screen."""

from collections.abc import Callable
from pathlib import Path

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
