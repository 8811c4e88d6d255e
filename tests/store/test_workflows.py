"""What is kept of a workflow is what is stored, whatever changes and whoever reads meanwhile."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.plan import HelperPlan, Plan, TaskPlan, TerminalPlan
from bus.rows import Workflow
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from store import workflows
from store.change import (
    Forget,
    Insert,
    Move,
    Operation,
    question_key,
    update_merge,
    update_question,
    update_task,
    update_terminal,
    update_workflow,
)
from store.changing import Changes
from store.errors import LostRace
from store.journal import Journal
from store.json_rows import without_tasks
from store.reader import Reader
from store.submission import helper_plan, submission, terminal_rows

TASKS = 4
PLAN = Plan(
    name="w",
    repo="/r",
    task=[
        TaskPlan(id=f"t{number}", branch=f"b{number}", terminal=[TerminalPlan("x", "do")] * 2)
        for number in range(TASKS)
    ],
)


class Kept:
    """A journal with a reader that keeps workflows, and one that reads all anew."""

    def __init__(self, path: Path) -> None:
        changes = Changes()
        self.fresh = Reader(path)
        self.reader = Reader(path, changes)
        self.journal = Journal(path, lambda _: None, pytest.fail, changes)
        self.journal.commit(submission("w", PLAN, "now"))

    def now(self) -> Workflow:
        found = self.reader.workflow("w")
        assert found is not None
        assert found == self.fresh.workflow("w")
        return found


@pytest.fixture
def kept(database: Path) -> Iterator[Kept]:
    kept = Kept(database)
    yield kept
    kept.journal.close()
    kept.reader.close()
    kept.fresh.close()


def test_every_change_of_a_row_is_seen(kept: Kept) -> None:
    kept.now()
    W, T = WorkflowStatus, TerminalStatus  # noqa: N806
    helper = HelperPlan(cli="x")
    for changed in (
        [update_workflow("w", handled=7)],
        [Move("workflow", "w/", W.CREATED, W.STARTING, "go")],
        [update_merge("w", round=2)],
        [update_task("w/t1/", tip="abc")],
        [Move("task", "w/t2/", TaskStatus.PENDING, TaskStatus.RUNNING)],
        [update_terminal("w/t3/2/", token="secret")],
        [Move("terminal", "w/t3/1/", T.NOT_STARTED, T.STARTING, sets={"incarnation": 1})],
        terminal_rows("w/t0/error/", "w", "w/t0/", 3, helper_plan(helper, "mend")),
        terminal_rows("w/merge/1/", "w", None, 1, helper_plan(helper, "merge")),
        [Insert("question", {"key": question_key("w", 1), "workflow": "w", "number": 1})],
        [update_question("w", 1, digest="d")],
    ):
        kept.journal.commit(changed)
        kept.now()


def test_a_change_that_failed_changes_nothing(kept: Kept) -> None:
    before = kept.now()
    with pytest.raises(LostRace):
        kept.journal.commit([update_task("w/t1/", {"tip": "other"}, tip="abc")])
    assert kept.now() == before


def test_a_workflow_that_was_forgotten_is_gone(kept: Kept) -> None:
    kept.now()
    kept.journal.commit([update_workflow("w", tidied=True)])
    assert kept.now().tidied
    kept.journal.commit([Forget("w")])
    assert kept.reader.workflow("w") is None


def test_what_did_not_change_is_not_read_again(kept: Kept) -> None:
    before = kept.now()
    kept.journal.commit([update_terminal("w/t1/1/", token="secret")])
    after = kept.now()
    assert before.tasks[1].terminals[0].token == ""
    assert after.tasks[1].terminals[0].token == "secret"
    assert [a is b for a, b in zip(before.tasks, after.tasks, strict=True)] == [1, 0, 1, 1]
    assert kept.reader.workflow("w") is after


def test_a_commit_while_rows_are_read_again_is_seen_whole(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.now()
    kept.journal.commit([update_task("w/t0/", rounds=1)])

    def committing() -> str:
        monkeypatch.undo()
        both = [update_task("w/t0/", rounds=2), update_task("w/t3/", rounds=2)]
        kept.journal.commit(both)
        return without_tasks()

    monkeypatch.setattr(workflows, "without_tasks", committing)
    found = kept.reader.workflow("w")
    assert found is not None
    assert [task.rounds for task in found.tasks] == [2, 0, 0, 2]
    kept.now()


def test_nobody_sees_half_of_a_change(kept: Kept) -> None:
    """Each change writes one number into four rows."""
    rounds, seen, over = 300, [0, 0, 0], threading.Event()
    wrong: list[object] = []

    def read(place: int) -> None:
        while not over.is_set():
            found = kept.reader.workflow("w")
            assert found is not None
            first, last = found.tasks[0], found.tasks[-1]
            numbers = {first.rounds, first.terminals[0].nudges, last.rounds, found.handled}
            if len(numbers) != 1 or min(numbers) < seen[place]:
                wrong.append((numbers, seen[place]))
            seen[place] = min(numbers)

    readers = [threading.Thread(target=read, args=(place,)) for place in range(len(seen))]
    for thread in readers:
        thread.start()
    for number in range(1, rounds + 1):
        change: list[Operation] = [
            update_task("w/t0/", rounds=number),
            update_terminal("w/t0/1/", nudges=number),
            update_task("w/t3/", rounds=number),
            update_workflow("w", handled=number),
        ]
        kept.journal.commit(change)
        found = kept.reader.workflow("w")
        assert found is not None
        assert found.handled == number  # who has committed sees it
    over.set()
    for thread in readers:
        thread.join()
    assert not wrong
    assert kept.now().handled == rounds
