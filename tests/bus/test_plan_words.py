"""Faults of a plan in a user's words: the line, the nearest key, and all of them at once."""

from typing import Any

import pytest

from bus.errors import Refused
from bus.plan import decode
from bus.plan_lines import line_of
from tests.bus.test_plan import FULL, changed


def fault(source: Any) -> tuple[str, list[str]]:
    """The path of the first fault, and a line for each."""
    with pytest.raises(Refused) as caught:
        decode(source)
    return caught.value.body.path, caught.value.body.message.splitlines()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("nmae", "x", "unknown field; did you mean `name`?"),
        ("task.0.terminal.0.rle", "coder", "did you mean `role`?"),
        ("zzz", 1, "unknown field; there are name, repo, task"),
        ("merge.clii", "x", "did you mean `cli`?"),
        ("task.0.terminal.0.role", "reviewr", "must be one of 'coder', 'reviewer'; did you mean"),
        ("task.0.terminal.0.auto_confirm", "yes", "must be one of 'never', 'known', 'bypass'"),
        ("test", "pytest -q", 'must be a list: ["pytest", "-q"]'),
        ("copy", ".env", 'must be a list: [".env"]'),
        ("task", {"id": "a"}, "must be written `[[task]]`, with two brackets"),
        ("task.0.terminal", {"cli": "a"}, "must be written `[[task.terminal]]`"),
        ("max_terminals", "4", "must be a whole number, not text"),
        ("max_terminals", 0, "must be at least 1"),
        ("test_timeout", 0, "must be more than 0"),
        ("name", "", "must not be empty"),
        ("task.0.id", "A b", "must be lower-case letters, digits and `-`"),
        ("limits", {"memory": "20GB"}, "must be a number and `MiB`, `GiB` or `TiB`"),
        ("task.0.terminal.0.instruction", "x" * 200_001, "must hold at most 200000 characters"),
    ],
)
def test_the_rule_is_in_the_words_of_a_plan(path: str, value: Any, words: str) -> None:
    _, lines = fault(changed(path, value))
    assert lines[0].startswith(words) or words in lines[0]
    assert len(lines) == 1


def test_all_faults_are_told_at_once_with_their_lines() -> None:
    text = FULL.replace("name =", "nmae =", 1).replace("[orchestrator]", "tset = 1\n[orchestrator]")
    text = text.replace('role = "reviewer"', 'role = "reviewr"').replace(
        'branch = "feat/i18n"\n', ""
    )
    path, lines = fault(text)
    told = {path: lines[0], **dict(line.split(": ", 1) for line in lines[1:])}
    rows = text.splitlines()
    for key, start in [
        ("nmae", "nmae ="),
        ("task[0].terminal[1].role", 'role = "reviewr"'),
        ("task[1].branch", "[[task]]"),
    ]:
        number = int(told[key].rsplit("(line ", 1)[1].rstrip(")"))
        assert rows[number - 1].startswith(start), (key, number)
    assert len(told) == len(lines) == 4


def test_a_line_is_found_past_texts_and_dotted_keys() -> None:
    text = 'a = """\n[[task]]\nid = 1\n"""\nb.c = 2\n[[task]]\nid = 1\n[[task.terminal]]\ncli = 1\n'
    text += "[[task]]\n[[task.terminal]]\n[[task.terminal]]\n'role' = 2\n[p.'x.y']\nz = 1\n"
    assert line_of(text, ("b", "c")) == 5
    assert line_of(text, ("task", 0, "id")) == 7
    assert line_of(text, ("task", 0, "terminal", 0, "cli")) == 9
    assert line_of(text, ("task", 1, "terminal", 1, "role")) == 13
    assert line_of(text, ("task", 1, "terminal", 0, "cli")) == 11
    assert line_of(text, ("p", "x.y", "z")) == 15
    assert line_of(text, ("nowhere",)) is None


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85"])
def test_a_line_is_what_an_editor_counts(end: str) -> None:
    """Python ends a line at more characters than TOML does."""
    text = f'name = "one{end}two"\ntest = "pytest"\n'
    assert line_of(text, ("test",)) == 2


def test_a_fault_at_the_end_of_many_is_told_too() -> None:
    terminal = {"cli": "x", "instruction": "x"}
    tasks = [{"id": f"t{n}", "brnch": f"b{n}", "terminal": [terminal]} for n in range(30)]
    _, lines = fault({"name": "x", "repo": ".", "task": tasks})
    assert len(lines) == 30
