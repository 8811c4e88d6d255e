"""A turn that ended without a commit that counts, and what a person can do with a terminal."""

import pytest

from actors.workflow.decisions.decide import decide
from actors.workflow.decisions.words import NOTHING_COUNTS
from bus import facts, requests
from bus.commit_words import Duty, instructions
from bus.errors import Refused
from bus.rows import Terminal
from bus.status import MergeStage, TerminalStatus
from store.change import Update
from tests.actors.workflow.decisions.decisions_scene import (
    PAUSE,
    RETRY,
    created,
    orders,
    resolving,
    running,
    says,
    statuses,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World

MISSING = "These changes are not committed: new."
SEND = requests.TerminalSend(terminal="demo/a/1/", text="go on")


def ends_turn(world: World, terminal: Terminal, step: int = 1, incarnation: int = 1) -> None:
    """The terminal's actor tells that the turn ended without a commit that counts."""
    fact = facts.TurnWithoutCommit(
        address=terminal.address, incarnation=incarnation, step=step, missing=MISSING
    )
    world.store([fact])
    world.drain()


def sets(world: World, address: str, **columns: object) -> None:
    world.store([Update("terminal", address, columns)])


def test_the_terminal_is_told_what_is_missing_and_how_to_report() -> None:
    world = running("coder reviewer")
    ends_turn(world, world.find("demo/a/1/"))
    told = world.find("demo/a/1/")
    assert (told.step, told.nudges) == (2, 1)
    assert (
        told.instruction
        == f"{NOTHING_COUNTS} {MISSING}\n\n{instructions(Duty.CODE_FOR_REVIEW)}".strip()
    )
    assert told.status == TerminalStatus.RUNNING


def test_the_merge_terminal_is_told_only_while_it_is_asked_for_work() -> None:
    world = resolving()
    ends_turn(world, world.find("demo/merge/"))
    assert world.find("demo/merge/").step == 2
    world.state.merge.stage = MergeStage.CHECKING
    ends_turn(world, world.find("demo/merge/"), step=2)
    assert world.find("demo/merge/").step == 2


@pytest.mark.parametrize(("step", "incarnation"), [(0, 1), (2, 1), (1, 0)])
def test_the_end_of_another_turn_changes_nothing(step: int, incarnation: int) -> None:
    """Hazard 9."""
    world = running("coder")
    ends_turn(world, world.find("demo/a/1/"), step, incarnation)
    assert world.find("demo/a/1/").step == 1


def test_a_commit_that_came_first_is_not_answered_with_what_is_missing() -> None:
    world = running("coder", "coder")
    says(world, "a", "done")
    ends_turn(world, world.find("demo/a/1/"))
    assert world.find("demo/a/1/").step == 1


def test_retry_starts_a_terminal_again_that_waits_for_a_person() -> None:
    world = running("coder")
    sets(world, "demo/a/1/", idle=MISSING, ended=1, nudges=2)
    orders(world, RETRY)
    again = world.find("demo/a/1/")
    assert statuses(world, "a") == ["running", "running"]
    assert (again.incarnation, again.ended, again.nudges, again.idle) == (2, 0, 0, "")


def test_retry_of_a_terminal_that_works_is_refused() -> None:
    world = running("coder")
    assert not world.order(RETRY)


def test_what_a_person_sends_is_the_next_instruction() -> None:
    world = running("coder")
    sets(world, "demo/a/1/", idle=MISSING, nudges=2, sent=1, delivered=1)
    orders(world, SEND)
    told = world.find("demo/a/1/")
    assert (told.step, told.instruction, told.nudges, told.idle) == (2, "go on", 0, "")


def test_it_is_sent_to_nobody_who_could_not_take_it() -> None:
    def refused(world: World) -> str:
        with pytest.raises(Refused) as caught:
            decide(world.state, world.plan, SEND, token="t", now="")
        return caught.value.body.reason

    assert refused(created("coder")) == "not_live"
    assert refused(running("coder")) == "not_typed"
    world = running("coder")
    sets(world, "demo/a/1/", sent=1)
    orders(world, PAUSE)
    orders(world, SEND)


@pytest.mark.parametrize("verdict", ["done", "review", "fail"])
def test_one_that_has_spoken_waits_for_nobody(verdict: str) -> None:
    world = running("coder", "coder")
    sets(world, "demo/a/1/", idle=MISSING, blocked="which?", stalled=True)
    says(world, "a", verdict)
    row = world.find("demo/a/1/")
    assert (row.idle, row.blocked, row.stalled) == ("", "", False)


@pytest.mark.parametrize(
    ("line", "speaker", "verdict", "completes"),
    [
        ("coder", "a/1", "done", False),
        ("coder coder", "a/1", "done", True),
        ("coder reviewer", "a/1", "done", True),
    ],
)
def test_an_empty_completion_completes_no_task(
    line: str, speaker: str, verdict: str, completes: bool
) -> None:
    world = running(line)
    world.commit("demo/a/", verdict, empty=True)
    world.settle(merger=False)
    done = world.find(f"demo/{speaker}/").status == TerminalStatus.COMPLETED
    assert done == completes


def test_an_empty_completion_is_told_as_often_as_the_plan_nudges() -> None:
    world = running("coder", nudges=1)
    for _ in range(3):
        world.commit("demo/a/", "done", empty=True)
        world.settle(merger=False)
    coder = world.find("demo/a/1/")
    assert (coder.nudges, coder.step, coder.rejections) == (1, 2, 0)
    assert "the same files as when the task began" in coder.instruction
    assert len(told(world, facts.CommitRejected)) == 3


def test_an_empty_review_is_judged_and_an_empty_answer_of_a_reviewer_counts() -> None:
    world = running("coder reviewer")
    world.commit("demo/a/", "review", empty=True)
    world.settle(merger=False)
    world.commit("demo/a/", "done", empty=True)
    world.settle(merger=False)
    assert statuses(world, "a") == ["completed", "completed", "completed"]
