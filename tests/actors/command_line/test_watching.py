"""What the keys of the view mean, and which line of a screen is the newest."""

import pytest

from actors.command_line.views.keyboard import Key, keys_in
from actors.command_line.views.newest import newest_line
from actors.command_line.views.picture import Story, Watch, choosable, picture
from actors.command_line.views.watching import chosen_answer
from bus import facts
from tests.actors.command_line.test_picture import NOW, at, story, workflow


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1b[B", [Key.UP, Key.DOWN]),
        (b"\x1bOAjk", [Key.UP, Key.DOWN, Key.UP]),
        (b"\r\n", [Key.ENTER, Key.ENTER]),
        (b"\x1b", [Key.ESCAPE]),
        (b"\x1b[5~\x1b[1;5Cy", ["y"]),
        (b"\x00\xff\x7f1", ["1"]),
    ],
)
def test_keys_are_read_by_name(data: bytes, keys: list[str]) -> None:
    assert keys_in(data) == keys


@pytest.mark.parametrize(
    ("choices", "key", "choice"),
    [
        (["Yes", "No"], "y", "Yes"),
        (["Yes, and don't ask again", "No, tell it"], "n", "No, tell it"),
        (["(y)es", "(n)o"], "y", "(y)es"),
        (["y", "n"], "n", "n"),
        (["Not now", "None"], "n", None),
        (["red", "green"], "2", "green"),
        (["red", "green"], "3", None),
        ([], "y", None),
    ],
)
def test_a_key_answers_by_the_first_word_or_the_number(
    choices: list[str], key: str, choice: str | None
) -> None:
    assert chosen_answer(choices, key) == choice


@pytest.mark.parametrize(
    ("before", "now", "line"),
    [
        (["$ one"], ["$ one", "● two tests pass", "", "❯ "], "two tests pass"),
        ([], ["│ reading login.py │", "╰────╯", "? for shortcuts"], "reading login.py"),
        (["✻ Thinking 12s"], ["✽ Thinking 13s"], ""),
        (["a line"], ["a line"], ""),
        ([], ["✻ Thinking (esc to interrupt)"], ""),
        ([], ["12:31", "- 4 -"], ""),
    ],
)
def test_the_newest_line_is_the_lowest_that_says_something_new(
    before: list[str], now: list[str], line: str
) -> None:
    assert newest_line(before, now) == line


@pytest.mark.parametrize(("width", "height"), [(60, 20), (200, 60), (20, 5)])
@pytest.mark.parametrize("count", [1, 60])
@pytest.mark.parametrize("opened", ["", "demo/task-1/1/"])
def test_with_keys_it_fills_the_screen_and_keeps_the_chosen_in_it(
    width: int, height: int, count: int, opened: str
) -> None:
    row = workflow(count, blocked=count // 4)
    there = choosable(row, Story())
    for chosen in there[:: max(1, len(there) // 5)]:
        newest = dict.fromkeys(there, "reads a file")
        watch = Watch(
            keys=True, chosen=chosen, opened=opened, screen=["x" * 300] * 99, newest=newest
        )
        lines = picture(row, Story(), NOW, width, height, watch)
        assert len(lines) == height
        assert all(text.cell_len <= width for text in lines)
        if not opened and height > 5:
            marked = [text.plain for text in lines[:-1] if "reverse" in str(text.style)]
            assert [mark.split()[0].rstrip("/") for mark in marked] == [chosen.rstrip("/")]


def test_a_newest_line_stands_beside_or_below() -> None:
    watch = Watch(keys=True, newest={"demo/task-1/1/": "reads login.py"})
    wide = [text.plain for text in picture(workflow(2), Story(), NOW, 200, 60, watch)]
    assert "  demo/task-1/1/ running claude 5 min 0 s · reads login.py" in wide
    narrow = [text.plain for text in picture(workflow(2), Story(), NOW, 60, 20, watch)]
    at_work = narrow.index("  demo/task-1/1/ running claude 5 min 0 s")
    assert narrow[at_work + 1] == "      reads login.py"


def test_a_narrow_screen_shows_facts_without_their_numbers() -> None:
    seen = facts.CommitSeen(
        seq=8, at=at(2), address="demo/task-3/", branch="b3", commit="c" * 40, subject="half"
    )
    lines = [text.plain for text in picture(workflow(2), story(seen), NOW, 60, 20)]
    assert any("demo/task-3/ commit.seen cccccccccccc on b3" in line for line in lines)
