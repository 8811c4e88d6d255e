"""What a commit does: the words of the contract, and what is not believed."""

import pytest

from actors.workflow.decisions.outcomes import MAX_REJECTIONS
from bus import facts
from bus.status import WorkflowStatus
from tests.actors.workflow.decisions.decisions_scene import (
    PAUSE,
    RESUME,
    created,
    orders,
    running,
    says,
    statuses,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World


def rejections(world: World) -> list[str]:
    return [fact.reason for fact in told(world, facts.CommitRejected)]


def test_done_by_the_last_terminal_completes_the_task() -> None:
    world = running("coder", "coder")
    says(world, "a", "done")
    assert statuses(world, "a") == ["completed", "completed"]
    assert world.status() == WorkflowStatus.RUNNING


def test_done_by_an_earlier_terminal_sets_the_next_to_work() -> None:
    world = running("coder coder")
    says(world, "a", "done")
    assert statuses(world, "a") == ["running", "completed", "running"]


def test_the_next_gets_its_instruction_only_when_the_last_process_is_gone() -> None:
    """Hazard 36."""
    world = running("coder coder")
    world.commit("demo/a/", "done")
    world.drain()
    assert statuses(world, "a") == ["running", "completed", "waiting"]
    assert not world.find("demo/a/1/").shall_run
    world.exit(world.find("demo/a/1/"))
    world.drain()
    assert statuses(world, "a") == ["running", "completed", "running"]


def test_all_tasks_completed_begins_the_merge_when_every_process_is_gone() -> None:
    world = running("coder", "coder")
    says(world, "a", "done")
    world.commit("demo/b/", "done")
    world.drain()
    assert world.status() == WorkflowStatus.RUNNING
    world.exit(world.find("demo/b/1/"))
    world.drain()
    assert world.status() == WorkflowStatus.MERGING


@pytest.mark.parametrize("verdict", ["", "checkpoint"])
def test_a_commit_that_says_nothing_changes_only_the_tip(verdict: str) -> None:
    world = running("coder")
    commit = world.commit("demo/a/", verdict)
    world.drain()
    assert statuses(world, "a") == ["running", "running"]
    assert world.task("a").tip == commit
    assert not rejections(world)


def test_fail_gives_the_task_up_and_the_rest_of_its_line_is_not_set_to_work() -> None:
    world = running("coder coder", "coder")
    says(world, "a", "fail")
    assert statuses(world, "a") == ["failed", "failed", "cancelled"]
    assert statuses(world, "b") == ["running", "running"]
    assert "an issue" in world.task("a").issues


@pytest.mark.parametrize("key", ["workflow_id", "task_id", "terminal_id"])
def test_a_commit_that_names_another_is_rejected_and_the_terminal_is_told(key: str) -> None:
    """Hazard 8."""
    world = running("coder", "coder")
    says(world, "a", "done", **{key: "somebody"})
    assert statuses(world, "a") == ["running", "running"]
    (reason,) = rejections(world)
    assert "somebody" in reason
    assert reason in world.find("demo/a/1/").instruction
    assert world.find("demo/a/1/").step == 2
    assert world.find("demo/b/1/").step == 1


@pytest.mark.parametrize(
    "names",
    [
        {"workflow_id": "demo", "task_id": "a", "terminal_id": "1"},
        {"workflow_id": "demo/", "task_id": "demo/a/", "terminal_id": "demo/a/1/"},
        {"terminal_id": "demo/a/1"},
    ],
)
def test_names_may_be_ids_or_addresses(names: dict[str, str]) -> None:
    world = running("coder")
    says(world, "a", "done", **names)
    assert statuses(world, "a") == ["completed", "completed"]


@pytest.mark.parametrize("verdict", ["pass", "reject"])
def test_the_words_of_a_reviewer_are_not_taken_from_a_coder(verdict: str) -> None:
    world = running("coder reviewer")
    says(world, "a", verdict)
    assert statuses(world, "a") == ["running", "running", "waiting"]
    assert "reviewer" in rejections(world)[0]


def test_a_problem_that_git_shows_is_told_and_is_no_completion() -> None:
    world = running("coder")
    world.commit("demo/a/", "done", problem="the worktree has changes that are not committed")
    world.drain()
    assert statuses(world, "a") == ["running", "running"]
    assert "not committed" in world.find("demo/a/1/").instruction


def test_too_many_rejected_completions_fail_the_task() -> None:
    world = running("coder")
    for n in range(MAX_REJECTIONS):
        says(world, "a", "pass")
        assert statuses(world, "a")[0] == "running", n
    says(world, "a", "pass")
    assert statuses(world, "a") == ["failed", "failed"]
    assert f"rejected {MAX_REJECTIONS + 1} times" in world.task("a").reason


def test_a_completion_while_nobody_works_is_rejected_and_completes_nobody() -> None:
    """Hazard 6."""
    world = created("coder coder")
    world.finish(WorkflowStatus.READY)
    says(world, "a", "done")
    assert statuses(world, "a") == ["pending", "waiting", "waiting"]
    assert rejections(world) == ["no terminal works on this branch now"]


def test_a_second_done_does_not_complete_the_next_terminal() -> None:
    """The next one waits until the last is gone: the word cannot be its own. Hazard 6."""
    world = running("coder coder")
    world.commit("demo/a/", "done")
    world.commit("demo/a/", "done")
    world.settle()
    assert statuses(world, "a") == ["running", "completed", "running"]
    assert len(rejections(world)) == 1


def test_a_commit_on_an_unknown_address_harms_nobody() -> None:
    world = running("coder")
    before = statuses(world, "a")
    world.commit("demo/nobody/", "done")
    world.drain()
    assert statuses(world, "a") == before


def test_commits_count_while_paused_but_nobody_new_is_set_to_work() -> None:
    world = running("coder coder")
    orders(world, PAUSE)
    says(world, "a", "done")
    assert statuses(world, "a") == ["running", "completed", "waiting"]
    orders(world, RESUME)
    assert statuses(world, "a") == ["running", "completed", "running"]
