"""The machines as the design draws them, written out here once more by hand."""

import itertools
from typing import Any

import pytest

from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from store.transitions import TASK, TERMINAL, WORKFLOW, is_legal

MACHINES: dict[Any, tuple[Any, str]] = {
    WorkflowStatus: (
        WORKFLOW,
        """
        created -> starting, failed, cancelled
        starting -> ready, failed, cancelled
        ready -> running, failed, cancelled
        running -> merging, paused, failed, cancelled
        paused -> running, cancelled
        merging -> completed, failed, cancelled
        failed -> running, starting, cancelled
        """,
    ),
    TaskStatus: (
        TASK,
        """
        pending -> running, cancelled
        running -> review_pending, completed, failed, cancelled
        review_pending -> completed, failed, cancelled, running
        failed -> running, cancelled
        completed -> review_pending, cancelled
        """,
    ),
    TerminalStatus: (
        TERMINAL,
        """
        not_started -> starting, cancelled
        starting -> waiting, failed, cancelled
        waiting -> running, failed, cancelled
        running -> completed, failed, cancelled
        failed -> starting, cancelled
        cancelled -> starting
        completed -> starting, failed
        """,
    ),
}
"""The last line is ours: a merge terminal begins again after its resolution was taken, and a
coder's `#done` is taken back when its reviewer rejects it."""


def drawn(text: str) -> set[tuple[str, str]]:
    steps = set()
    for line in text.split("\n"):
        old, arrow, news = line.partition("->")
        steps |= {(old.strip(), new.strip()) for new in news.split(",") if arrow}
    return steps


@pytest.mark.parametrize("enum", MACHINES)
def test_a_step_is_legal_exactly_where_the_design_draws_it(enum: Any) -> None:
    """Hazard 15."""
    table, text = MACHINES[enum]
    steps = drawn(text)
    assert set(table) == set(enum)
    for old, new in itertools.product(enum, enum):
        assert is_legal(old, new) == ((old, new) in steps), f"{old} -> {new}"


@pytest.mark.parametrize("enum", MACHINES)
def test_every_status_can_be_reached_and_has_a_way_to_an_end(enum: Any) -> None:
    table, _ = MACHINES[enum]
    first = next(iter(enum))
    assert _from(table, first) | {first} == set(enum)
    for status in enum:
        ends = {s for s in enum if s in ("completed", "cancelled")}
        assert ends & (_from(table, status) | {status})


def _from(table: Any, status: Any) -> set[Any]:
    seen: set[Any] = set()
    todo = [status]
    while todo:
        for new in table[todo.pop()] - seen:
            seen.add(new)
            todo.append(new)
    return seen


def test_words_of_two_machines_are_no_step() -> None:
    assert not is_legal(WorkflowStatus.RUNNING, TaskStatus.COMPLETED)
    assert not is_legal(TaskStatus.RUNNING, TerminalStatus.COMPLETED)
