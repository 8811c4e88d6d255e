"""Tasks that come after others, in real repositories with real programs."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.doors.acting import Acting, helper, say, task
from tests.doors.kit import Call, Home, coder, commit, done, plan_text
from tests.repositories import git

NEEDS_BOTH = "$ cat a b > c\n$ git add -A && git commit -q -m 'c of both #done'\n"


def test_it_has_the_work_of_those_before_it_and_lands_after_them(
    acting: Acting, repo: Path
) -> None:
    """The plan names it first, and still its branch is merged last."""
    tasks = {"c": [coder(NEEDS_BOTH)], "a": [done("a", "one")], "b": [done("b", "two")]}
    plan = plan_text(
        repo, tasks, head='test = ["grep", "two", "c"]', keys={"c": {"after": ["a", "b"]}}
    )
    acting.begin(plan)
    row = acting.status("completed")
    assert (repo / "c").read_text() == "one\ntwo\n"
    (started,) = acting.facts("merge.started")
    assert started["branches"] == ["feat/a", "feat/b", "feat/c"]
    (based,) = acting.facts("task.based")
    assert based["address"] == "demo/c/"
    assert task(row, "c")["base"] == based["commit"]
    tips = [task(row, id)["accepted"] for id in "ab"]
    assert all(git(repo, "merge-base", tip, based["commit"]) == tip for tip in tips)
    first = next(
        f["seq"]
        for f in acting.facts("terminal.status")
        if f["address"] == "demo/c/1/" and f["new"] == "starting"
    )
    ended = [f["seq"] for f in acting.facts("task.status") if f["new"] == "completed"]
    assert sum(seq < first for seq in ended) == 2, "its program starts when its turn comes"


def test_a_failed_one_keeps_it_pending_and_retry_sets_it_free(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    script = (
        f"$ if test -e {flag}; then echo one > a; m='a #done'; else touch {flag}; m='a #fail'; fi;"
        ' git add -A; git commit -q --allow-empty -m "$m"\n'
    )
    tasks = {"a": [coder(script)], "c": [coder("$ cp a c\n" + say("c #done"))]}
    acting.begin(plan_text(repo, tasks, keys={"c": {"after": ["a"]}}))
    row = acting.status("failed")
    assert task(row, "c")["status"] == "pending"
    assert task(row, "c")["reason"] == "demo/a/ failed"
    assert acting.facts("task.waits")[-1]["reason"] == "demo/a/ failed"
    shown = acting.home.ok("ps", "demo")
    assert "demo/a/ failed" in shown
    acting.again()
    acting.home.ok("retry", "demo/a")
    acting.status("completed")
    assert (repo / "c").read_text() == "one\n"


def test_a_conflict_of_those_before_is_resolved_once_by_a_person(
    acting: Acting, repo: Path
) -> None:
    """The landing goes on from the same resolution, although the target has moved."""
    tasks = {
        "a": [done("same", "one")],
        "b": [done("same", "two")],
        "c": [coder("$ cp same c\n" + say("c #done"))],
        "d": [
            coder(
                "$ while ! test -e ../../../go; do sleep 0.1; done; echo d > d\n" + say("d #done")
            )
        ],
    }
    acting.begin(plan_text(repo, tasks, keys={"c": {"after": ["a", "b"]}}))
    conflict = acting.fact("merge.conflict")
    acting.fact("repair.offered")
    assert acting.row()["status"] == "running"
    where = Path(conflict["worktree"])
    shown = acting.home.ok("ps", "demo")
    assert str(where) in shown
    assert "the base of demo/c/" in shown
    acting.again()
    (where / "same").write_text("one\ntwo\n")
    git(where, "commit", "-q", "-a", "-m", "both")
    acting.home.ok("merge", "demo", "--continue")
    acting.until(lambda row: task(row, "c")["status"] == "completed")
    (repo / "other").write_text("of a person\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "meanwhile")
    (acting.home.path / "go").touch()
    acting.status("completed")
    assert (repo / "c").read_text() == (repo / "same").read_text() == "one\ntwo\n"
    assert (repo / "other").exists()
    assert len(acting.facts("merge.conflict")) == 1


def test_the_merge_terminal_resolves_a_conflict_of_those_before(acting: Acting, repo: Path) -> None:
    lines = "$ printf 'one\\ntwo\\n' > same\n" + say("resolve #done")
    tasks = {
        "a": [done("same", "one")],
        "b": [done("same", "two")],
        "c": [coder("$ cp same c\n" + say("c #done"))],
    }
    tail = helper("merge", lines)
    acting.begin(plan_text(repo, tasks, tail=tail, keys={"c": {"after": ["a", "b"]}}))
    acting.status("completed")
    assert (repo / "c").read_text() == "one\ntwo\n"
    assert len(acting.facts("merge.conflict")) == 1


def test_a_base_that_is_given_up_holds_its_task(acting: Acting, repo: Path) -> None:
    tasks = {
        "a": [done("same", "one")],
        "b": [done("same", "two")],
        "c": [coder("$ cp same c\n" + say("c #done"))],
    }
    acting.begin(plan_text(repo, tasks, keys={"c": {"after": ["a", "b"]}}))
    acting.fact("repair.offered")
    acting.home.ok("merge", "demo", "--abort")
    row = acting.status("failed")
    assert task(row, "c")["held"].startswith("its base cannot be merged")
    offered = acting.facts("repair.offered")[-1]
    assert {"do": "task.retry", "address": "demo/c/"} in offered["actions"]
    acting.home.ok("retry", "demo/c")
    again = acting.fact("merge.conflict", 2)
    where = Path(again["worktree"])
    (where / "same").write_text("one\ntwo\n")
    git(where, "commit", "-q", "-a", "-m", "both")
    acting.home.ok("merge", "demo", "--continue")
    acting.status("completed")


def test_dead_in_the_middle_of_a_chain_it_goes_on(acting: Acting, repo: Path) -> None:
    ids = "abcd"
    tasks = {id: [coder(commit(id, id, f"{id} #done"))] for id in ids}
    keys = {later: {"after": [before]} for before, later in pairwise(ids)}
    acting.begin(plan_text(repo, tasks, head="max_terminals = 1", keys=keys))
    for number in range(1, len(ids)):
        acting.fact("task.based", number)
        acting.again()
    acting.status("completed")
    assert {path.name for path in repo.iterdir()} >= set(ids)
    assert len(acting.facts("task.based")) == len(ids) - 1


@pytest.mark.parametrize(
    ("after", "key", "rule"),
    [
        ({"a": ["a"]}, "task[0].after[0]", "itself"),
        ({"b": ["nobody"]}, "task[1].after[0]", "there is no task 'nobody'"),
        ({"a": ["b"], "b": ["a"]}, "task[0].after[0]", "a comes after b comes after a"),
        ({"b": ["a", "a"]}, "task[1].after[1]", "twice"),
        ({"b": "a"}, "task[1].after", 'must be a list: ["a"]'),
    ],
)
def test_check_refuses_with_the_key(
    call: Call, repo: Path, tmp_path: Path, after: dict[str, object], key: str, rule: str
) -> None:
    tasks = {id: [done(id)] for id in "ab"}
    path = tmp_path / "plan.toml"
    path.write_text(plan_text(repo, tasks, keys={id: {"after": v} for id, v in after.items()}))
    code, _, errors = call("check", str(path))
    assert code == 2
    assert key in errors
    assert rule in errors


def test_check_shows_the_order(home: Home, repo: Path, tmp_path: Path) -> None:
    tasks = {"c": [done("c")], "a": [done("a")]}
    path = tmp_path / "plan.toml"
    path.write_text(plan_text(repo, tasks, keys={"c": {"after": ["a"]}}))
    shown = json.loads(home.ok("check", str(path), "--json"))
    assert shown["launch_order"] == ["a/1", "c/1"]
    assert [each["after"] for each in shown["tasks"]] == [["a"], []]
