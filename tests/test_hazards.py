"""docs/hazards.md names a test for each hazard: it is there, and it knows what it guards."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "hazards.md").read_text()
NUMBERS = range(1, 55)


def table(page: str) -> list[tuple[int, list[str], str]]:
    """Number, files and test cell of each row."""
    rows = []
    for line in page.splitlines():
        if re.match(r"\| \d", line):
            number, _, kept, tests = (cell.strip() for cell in line.strip("|").split("|"))
            rows.append((int(number), re.findall(r"`([^`]+)`", kept), tests))
    return rows


@cache
def functions(file: Path) -> dict[str, str]:
    """The tests of a file with what their docstrings, and its own, say."""
    tree = ast.parse(file.read_text())
    own = ast.get_docstring(tree) or ""
    return {
        node.name: f"{ast.get_docstring(node) or ''}\n{own}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def named(docstring: str) -> set[int]:
    """Return the numbers in `Hazard 12.` and in `Hazards 2, 20.` of a docstring."""
    found = re.findall(r"\bHazards? (\d+(?:, \d+)*)\.", docstring)
    return {int(number) for numbers in found for number in numbers.split(", ")}


def problems(page: str) -> list[str]:
    rows = table(page)
    numbers = [number for number, _, _ in rows]
    whole = set(NUMBERS) <= set(numbers) and len(numbers) == len(set(numbers))
    found = [] if whole else [f"the rows are {numbers}"]
    for number, kept, cell in rows:
        found += [f"{number}: no file {path}" for path in kept if not (ROOT / path).is_file()]
        tests = re.findall(r"`([^`]+)::([^`]+)`", cell)
        if not kept or not (tests or re.match(r"not yet: \S", cell)):
            found.append(f"{number}: neither a test nor why there is none yet")
        for path, name in tests:
            there = functions(ROOT / path) if (ROOT / path).is_file() else {}
            if name not in there:
                found.append(f"{number}: no test {path}::{name}")
            elif number not in named(there[name]):
                found.append(f"{number}: {path}::{name} does not name it")
    return found


def test_each_hazard_has_its_test_or_says_why_not_yet() -> None:
    assert problems(PAGE) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (r"\n\| 17 \|.*", "", "the rows are"),
        (r"\n\| 17 \|", "\n| 71 |", "the rows are"),
        (r"::test_a_home_is_held_by_one`", "::test_a_home_is_held_by_two`", "23: no test"),
        (r"`tests/bus/test_connection.py::", "`tests/bus/test_nowhere.py::", "23: no test"),
        (r"(\| 18 .*)::\w+`", r"\1::test_a_closed_journal_answers`", "18: .* does not name it"),
        (r"(\| 18 .*)\| `tests.*", r"\1| |", "18: neither"),
        (r"(\| 18 .*)\| `tests.*", r"\1| not yet: |", "18: neither"),
        (r"`store/journal.py`", "`store/diary.py`", "18: no file"),
    ],
)
def test_what_is_wrong_in_the_table_is_found(old: str, new: str, problem: str) -> None:
    page = re.sub(old, new, PAGE)
    assert page != PAGE
    assert any(re.match(problem, each) for each in problems(page)), problems(page)


def test_a_docstring_names_what_it_names() -> None:
    assert named("Kept so. Hazards 2, 20.\nHazard 7.") == {2, 7, 20}
    assert named("hazardous 3, Hazard 4 and Hazard five.") == set()
