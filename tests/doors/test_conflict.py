"""Conflicts: forecast while agents work, resolved by the merge terminal or by hand."""

import json
from pathlib import Path

import pytest

from tests.doors.acting import Acting, Row, helper, once, say, terminal
from tests.doors.kit import coder, commit, done, moves, plan_text
from tests.repositories import git

BOTH = {"a": [done("same", "one")], "b": [done("same", "two")]}


def _conflict(acting: Acting) -> Row:
    """The conflict, once a person is asked."""
    fact = acting.fact("merge.conflict")
    acting.fact("repair.offered")
    return fact


def test_a_person_resolves_it_and_is_told_what_is_wrong_before(acting: Acting, repo: Path) -> None:
    acting.begin(plan_text(repo, BOTH))
    conflict = _conflict(acting)
    assert (conflict["files"], conflict["branch"], conflict["against"]) == (
        ["same"], "feat/b", ["feat/a"],
    )  # fmt: skip
    where = Path(conflict["worktree"])
    offered = acting.facts("repair.offered")[-1]
    assert str(where) in offered["evidence"]
    assert {"do": "merge.continue", "address": "demo/"} in offered["actions"]
    assert str(where) in acting.home.ok("ps").split("demo/a/")[0]
    git(where, "add", "-A")
    git(where, "commit", "-q", "-m", "with markers")
    refused = acting.home.run("merge", "demo", "--continue")
    assert refused.returncode == 1
    assert str(where) in refused.stderr
    assert "conflict marker" in refused.stderr
    first = acting.fact("merge.resolution")
    assert any("conflict marker" in problem for problem in first["problems"])
    (where / "same").write_text("two\n")
    git(where, "commit", "-q", "-a", "-m", "loses one side")
    acting.until(lambda row: row["merge"]["stage"] == "conflict")
    acting.again()
    assert acting.home.run("merge", "demo", "--continue").returncode == 1
    second = acting.fact("merge.resolution", 2)
    assert any("same" in problem for problem in second["problems"])
    (where / "same").write_text("one\ntwo\n")
    git(where, "commit", "-q", "-a", "-m", "both")
    acting.until(lambda row: row["merge"]["stage"] == "conflict")
    acting.home.ok("merge", "demo", "--continue")
    acting.status("completed")
    assert (repo / "same").read_text() == "one\ntwo\n"


def test_a_merge_is_given_up_and_taken_up_again(acting: Acting, repo: Path) -> None:
    before = git(repo, "rev-parse", "main")
    acting.begin(plan_text(repo, BOTH))
    conflict = _conflict(acting)
    tips = git(repo, "rev-parse", "feat/a", "feat/b")
    acting.home.ok("merge", "demo", "--abort")
    acting.status("failed")
    assert git(repo, "rev-parse", "main") == before
    assert git(repo, "rev-parse", "feat/a", "feat/b") == tips
    acting.again()
    acting.home.ok("merge", "demo", "--continue")
    again = acting.fact("merge.conflict", 2)
    where = Path(again["worktree"])
    assert where != Path(conflict["worktree"])
    (where / "same").write_text("one\n")
    git(where, "add", "-A")
    git(where, "commit", "-q", "-m", "one is enough", "-m", "Dropped: same: says the same")
    acting.until(lambda row: row["merge"]["stage"] == "conflict")
    acting.home.ok("merge", "demo", "--continue")
    acting.status("completed")
    assert (repo / "same").read_text() == "one\n"


@pytest.mark.parametrize("where", ["repo", "home", "/nonexistent"])
def test_a_merge_is_given_up_whatever_core_worktree_says(
    acting: Acting, repo: Path, tmp_path: Path, where: str
) -> None:
    """Git would remove and reset there. What the user and the merge hold uncommitted is kept."""
    acting.begin(plan_text(repo, BOTH))
    conflict = _conflict(acting)
    (repo / "README").write_text("not committed\n")
    (Path(conflict["worktree"]) / "same").write_text("half resolved\n")
    git(repo, "config", "core.worktree", tmp_path / where)
    acting.fact("repository.changed")
    acting.home.ok("merge", "demo", "--abort")
    acting.status("failed")
    acting.home.ok("stop", "demo")
    acting.until(lambda row: row["tidied"])
    assert (repo / "README").read_text() == "not committed\n"
    assert (acting.home.path / "callboard.db").exists()
    assert not Path(conflict["worktree"]).exists()
    pins = git(repo, "for-each-ref", "--format=%(refname)", "refs/callboard/").split()
    held = [git(repo, "show", f"{pin}:same", check=False) for pin in pins]
    assert "half resolved" in held
    acting.home.ok("clean", "demo")
    assert (repo / "README").read_text() == "not committed\n"


def test_the_merge_terminal_resolves_after_it_was_told_what_is_wrong(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """First it leaves the markers, then it drops a side, then it does it."""
    told, tries = tmp_path / "told", tmp_path / "tries"
    lines = (
        f'$ echo x >> {tries}; printf "%s\\n====\\n" "$INSTRUCTION" >> {told}\n'
        f"$ case $(wc -l < {tries}) in"
        " 2) echo two > same;; 3) printf 'one\\ntwo\\n' > same;; esac\n"
    ) + say("resolve #done")
    test = 'test = ["sh", "-c", "grep one same && grep two same"]'
    acting.begin(plan_text(repo, BOTH, head=test, tail=helper("merge", lines)))
    row = acting.status("completed", timeout=90)
    assert (repo / "same").read_text() == "one\ntwo\n"
    first, second, third = told.read_text().split("\n====\n")[:3]
    assert "feat/b conflicts in: same" in first
    assert "conflict marker" in second
    assert "same" in third
    assert "`Dropped: FILE: REASON`" in first
    assert "commit with a line for it: `Dropped: same: REASON`" in third
    judged = acting.facts("merge.resolution")
    assert [bool(fact["problems"]) for fact in judged] == [True, True, False]
    assert terminal(row, "merge")["status"] == "completed"
    assert "repair.offered" not in [fact["type"] for fact in acting.facts()]


def test_one_conflict_after_the_other_comes_to_the_merge_terminal(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Both in the worktree in which it stands: a program may be kept to that."""
    lines = (
        f"$ pwd >> {tmp_path}/places; git status --short >> {tmp_path}/status\n"
        "$ for f in same other; do test -e $f && sed -i '/^[<=>|]\\{7\\}/d' $f; done\n"
    ) + say("resolve #done")
    both = commit("same", "two", "two") + commit("other", "two", "two #done")
    tasks = {
        "a": [done("same", "one")],
        "b": [coder(both)],
        "c": [done("other", "three")],
    }
    acting.begin(plan_text(repo, tasks, tail=helper("merge", lines)))
    acting.status("completed")
    assert [fact["files"] for fact in acting.facts("merge.conflict")] == [["same"], ["other"]]
    assert len(set((tmp_path / "places").read_text().split())) == 1
    assert (tmp_path / "status").read_text().count("AA ") == 2
    assert (repo / "same").read_text() == "one\ntwo\n"
    assert (repo / "other").read_text() == "two\nthree\n"
    assert moves(acting.facts(), "demo/merge/").count("starting") == 1


def test_a_merge_terminal_that_never_gets_it_right_leaves_it_to_a_person(
    acting: Acting, repo: Path
) -> None:
    lines = say("resolve #done")
    acting.begin(plan_text(repo, BOTH, tail=helper("merge", lines)))
    acting.fact("repair.offered", timeout=90)
    row = acting.until(lambda row: terminal(row, "merge")["gone"])
    assert row["status"] == "merging"
    assert terminal(row, "merge")["status"] == "failed"
    assert len(acting.facts("merge.resolution")) == 4
    where = Path(row["merge"]["worktree"])
    (where / "same").write_text("one\ntwo\n")
    git(where, "commit", "-q", "-a", "-m", "by hand")
    acting.home.ok("merge", "demo", "--continue")
    acting.status("completed")


def test_a_preview_changes_nothing_also_while_agents_work(acting: Acting, repo: Path) -> None:
    wait = "@ sleep 600\n"
    tasks = {
        "a": [coder(commit("same", "one", "half a") + wait)],
        "b": [coder(commit("same", "two", "half b") + wait)],
        "c": [coder(commit("other", "x", "half c") + wait)],
    }
    acting.begin(plan_text(repo, tasks))
    acting.fact("commit.seen", 3)
    refs, head = git(repo, "for-each-ref"), len(acting.facts())
    shown = acting.home.ok("merge", "demo", "--preview")
    assert "feat/b: conflicts with feat/a in same" in shown
    assert "feat/c: merges, 1 file: other" in shown
    found = json.loads(acting.home.ok("merge", "demo", "--preview", "--json"))
    assert [branch["changes"] for branch in found] == [["same"], ["same"], ["other"]]
    assert git(repo, "for-each-ref") == refs
    assert git(repo, "status", "--porcelain") == ""
    later = [f["type"] for f in acting.facts()[head:]]
    assert set(later) <= {"instruction.delivered", "merge.forecast"}, later


def test_conflicts_of_live_branches_are_forecast_until_they_are_gone(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    wait = f"$ while ! test -e {go}; do sleep 0.2; done\n"
    tasks = {
        "a": [coder(commit("same", "one", "half a") + say("a #done"))],
        "b": [
            coder(
                commit("same", "two", "half b")
                + wait
                + commit("same", "one", "as a has it")
                + say("b #done")
            )
        ],
    }
    acting.begin(plan_text(repo, tasks))
    seen = acting.fact("merge.forecast")
    assert (seen["branches"], seen["files"]) == (["feat/a", "feat/b"], ["same"])
    shown = acting.home.ok("ps")
    assert "feat/a and feat/b would conflict in same" in shown
    acting.again()
    acting.home.ok("merge", "demo", "--preview")
    go.touch()
    gone = acting.fact("merge.forecast", 2)
    assert (gone["branches"], gone["files"]) == (["feat/a", "feat/b"], [])
    acting.status("completed")
    assert len(acting.facts("merge.forecast")) == 2
    assert "would conflict" not in acting.home.ok("ps")
    assert acting.home.json("merge", "demo", "--preview") == []


def test_a_merge_terminal_that_ends_leaves_it_to_a_person_who_may_have_it_tried_again(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    ends = once(tmp_path / "ended", "kill -9 $PPID", "exit 0")
    resolves = "$ printf 'one\\ntwo\\n' > same; git add same; git commit -qm 'Both #done'\n"
    acting.begin(plan_text(repo, BOTH, tail=helper("merge", ends + resolves)))
    offered = acting.fact("repair.offered")
    assert "ended by signal 9" in offered["evidence"]
    assert acting.row()["status"] == "merging"
    assert moves(acting.facts(), "demo/merge/")[-1] == "failed"
    assert acting.home.command("repair", "demo") in acting.home.ok("ps")
    said = acting.home.ok("repair", "demo")
    assert said.endswith(f"follow it: {acting.home.command('follow', 'demo')}\n")
    acting.status("completed")
    assert git(repo, "show", "main:same") == "one\ntwo"
