"""Changes of a plan while it runs, over the bus, HTTP and the command line."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from actors.plan.text import shown_plan
from bus.errors import Refused
from bus.plan import decode
from tests.doors.acting import Acting, task, terminal
from tests.doors.kit import coder, done, plan_text
from tests.doors.working import until, waits_for
from tests.repositories import git


def working(acting: Acting, repo: Path, tmp_path: Path, **more: Any) -> Path:
    """`a` and `b` work until the file that is returned is there; `b` has a second terminal."""
    gate = tmp_path / "go"
    tasks = {
        "a": [coder(waits_for(gate))],
        "b": [coder(waits_for(gate, done("b")["instruction"])), done("later")],
    }
    acting.begin(plan_text(repo, tasks, **more))
    acting.until(lambda row: all(terminal(row, f"{id}/1")["sent"] for id in "ab"))
    return gate


def test_a_task_is_added_and_lands_with_the_rest(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Its branch is watched although it came later, also by the runtime after a death."""
    gate = working(acting, repo, tmp_path)
    file = tmp_path / "more.toml"
    script = json.dumps(done("n")["instruction"])
    file.write_text(
        f'[[task]]\nid = "n"\nbranch = "feat/n"\n[[task.terminal]]\ncli = "scripted"\n'
        f"instruction = {script}\n"
        f'[[task]]\nid = "m"\nbranch = "feat/m"\nafter = ["n"]\n[[task.terminal]]\n'
        f'cli = "scripted"\ninstruction = "$ cp n m; git add m; git commit -q -m \'m #done\'"\n'
    )
    assert "demo/m/ pending" in acting.home.ok("task", "add", "demo", str(file))
    acting.until(lambda row: task(row, "n")["status"] == "completed")
    acting.again()
    gate.touch()
    acting.status("completed")
    assert (repo / "m").read_text() == (repo / "n").read_text()
    added = acting.facts("task.added")
    assert [f["address"] for f in added] == ["demo/n/", "demo/m/"]
    assert {f["by"] for f in added} == {"person"}
    plan = tomllib.loads(acting.home.ok("plan", "show", "demo"))
    assert [each["id"] for each in plan["task"]] == ["a", "b", "n", "m"]


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"id": "a"}, "task.id"),
        ({"branch": "feat/a"}, "task.branch"),
        ({"branch": "main"}, "task.branch"),
        ({"branch": "taken"}, "task.branch"),
        ({"branch": "a..b"}, "task.branch"),
        ({"terminal": [coder("x", provider="nobody")]}, "task.terminal[0].provider"),
        ({"terminal": [coder("x") | {"cli": "none"}]}, "task.terminal[0].cli"),
    ],
)
def test_a_task_is_checked_like_a_plan(
    acting: Acting, repo: Path, keys: dict[str, Any], path: str
) -> None:
    git(repo, "branch", "taken")
    plan = plan_text(repo, {"a": [done("a")]})
    acting.call("plan.submit", plan=plan, base="/")
    added = {"id": "n", "branch": "feat/n", "terminal": [coder("x")]} | keys
    with pytest.raises(Refused) as refused:
        acting.call("task.add", workflow="demo", task=added)
    assert (refused.value.body.code, refused.value.body.path) == (422, path)
    assert len(acting.row()["tasks"]) == 1


def test_a_task_is_given_up_with_its_work_pinned_and_the_rest_lands(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    gate = working(acting, repo, tmp_path)
    worktree = Path(task(acting.row(), "a")["worktree"])
    (worktree / "half").write_text("done\n")
    said = acting.home.ok("stop", "demo/a")
    assert "demo/a/ cancelled" in said
    row = acting.until(lambda row: terminal(row, "a/1")["gone"])
    assert row["status"] == "running"
    until(lambda: "refs/callboard/demo/a" in git(repo, "for-each-ref"), "it is pinned")
    assert git(repo, "show", "refs/callboard/demo/a:half") == "done"
    gate.touch()
    acting.status("completed")
    (started,) = acting.facts("merge.started")
    assert started["branches"] == ["feat/b"]
    assert not (repo / "half").exists()
    assert git(repo, "rev-parse", "--verify", "feat/a")
    (fact,) = acting.facts("task.cancelled")
    assert (fact["branch"], fact["by"]) == ("feat/a", "person")


def test_those_after_one_that_was_given_up_are_told_and_freed(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    tasks = {"a": [coder(waits_for(gate))], "b": [done("b")]}
    acting.begin(plan_text(repo, tasks, keys={"b": {"after": ["a"]}}))
    acting.home.ok("stop", "demo/a")
    row = acting.status("failed")
    assert task(row, "b")["reason"] == "demo/a/ was cancelled"
    acting.again()
    for step in ("retry", "stop"):
        assert acting.home.command(step, "demo/b") in acting.home.ok("ps")
    assert "demo/b/ pending: asked by a person" in acting.home.ok("retry", "demo/b")
    acting.status("completed")
    assert (repo / "b").exists()
    acting.home.ok("clean", "demo")  # it waits until its programs are gone
    assert not any((acting.home.path / "worktrees").iterdir())


def test_a_terminal_is_added_an_instruction_replaced_and_keys_are_set(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    gate = working(acting, repo, tmp_path)
    file = tmp_path / "more.toml"
    script = json.dumps(done("a2")["instruction"])
    file.write_text(f'[[terminal]]\ncli = "scripted"\ninstruction = {script}\n')
    acting.home.ok("terminal", "add", "demo/a", str(file))
    text = done("replaced")["instruction"]
    acting.home.ok("instruction", "replace", "demo/b/2", text)
    refused = acting.home.run("instruction", "replace", "demo/b/1", text)
    assert refused.returncode == 4
    assert "send demo/b/1" in refused.stderr
    acting.home.ok("plan", "set", "demo", "--max-terminals", "2", "--test", "test -e replaced")
    acting.home.ok("plan", "set", "demo", "--tokens", "1000", "--memory", "20GiB")
    acting.home.ok("plan", "set", "demo", "--tokens", "2000")
    acting.home.ok("task", "move", "demo/b", "1")
    acting.again()
    shown = json.loads(acting.home.ok("plan", "show", "demo", "--json"))["plan"]
    assert (shown["max_terminals"], shown["test"]) == (2, ["test", "-e", "replaced"])
    assert shown["limits"] == {"tokens": 2000, "memory": "20GiB"}
    gate.touch()
    acting.status("completed")
    names = {path.name for path in repo.iterdir()}
    assert {"a", "a2", "b", "replaced"} <= names
    assert "later" not in names
    assert acting.facts("merge.started")[0]["branches"] == ["feat/b", "feat/a"]
    assert [f["command"] for f in acting.facts("merge.tested")] == [["test", "-e", "replaced"]]
    types = [fact["type"] for fact in acting.facts()]
    assert {"terminal.added", "instruction.replaced"} <= set(types)
    changed = [set(f["changes"]) for f in acting.facts("plan.changed")]
    assert changed == [{"max_terminals", "test"}, {"limits"}, {"limits"}, {"order"}]


def test_a_test_that_is_not_there_is_not_set(acting: Acting, repo: Path) -> None:
    acting.call("plan.submit", plan=plan_text(repo, {"a": [done("a")]}), base="/")
    refused = acting.home.run("plan", "set", "demo", "--test", "no-such-program")
    assert refused.returncode == 2
    assert "not on the PATH" in refused.stderr
    assert acting.home.run("plan", "set", "demo").returncode == 2


TEXTS = ["one", "one\ntwo", 'with """ and \\ and \'', "\nbegins empty", "tab\t\nand \x1b", "é\n漢"]


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_a_plan_is_the_same_plan(repo: Path, text: str) -> None:
    tasks = {"a": [coder(text), coder("x", role="reviewer", timeout=2.5)], "b": [done("b")]}
    plan = decode(plan_text(repo, tasks, head='test = ["a b"]', keys={"b": {"after": ["a"]}}))
    assert decode(shown_plan(plan).toml) == plan
