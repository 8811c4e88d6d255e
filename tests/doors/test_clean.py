"""What workflows that are over leave is removed, no commit is lost, and what stays is named."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bus.errors import Refused
from tests.doors.acting import Acting, task
from tests.doors.kit import PYTHON, ROOT, Home, coder, commit, done, plan_text, types
from tests.repositories import git


def refs(repo: Path) -> dict[str, str]:
    lines = git(repo, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split() for line in lines)


def run_printed(line: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command as it was printed, up to its comment."""
    words = shlex.split(line, comments=True)
    return subprocess.run(words, capture_output=True, text=True, cwd=cwd, check=True)


def take_away(home: Home) -> None:
    """Delete the home as often as its runtime still writes there, until that has ended."""
    assert home.served is not None
    while home.path.exists():
        shutil.rmtree(home.path, ignore_errors=True)
    home.served.wait(30)
    shutil.rmtree(home.path, ignore_errors=True)


def half(name: str = "a") -> str:
    """An instruction that commits half of the work, changes a file, and goes on for long."""
    script = commit(f"half-{name}", "x", "half")
    return script + f"$ echo mine > open-{name}\n@ sleep 600\n"


def write(home: Home, text: str) -> str:
    path = home.path.parent / "plan.toml"
    path.write_text(text)
    return str(path)


@pytest.fixture
def stopped(acting: Acting, repo: Path) -> Acting:
    """A workflow that was stopped in its work: half is committed, and a file is not."""
    acting.begin(plan_text(repo, {"a": [coder(half())]}))
    acting.until(lambda row: (Path(task(row, "a")["worktree"]) / "open-a").exists())
    acting.home.ok("stop", "demo")
    return acting


@pytest.fixture
def landed(acting: Acting, repo: Path) -> Acting:
    acting.begin(plan_text(repo, {"a": [done("a")]}))
    acting.status("completed")
    acting.until(lambda row: row["tidied"])
    return acting


def test_a_landed_workflow_leaves_nothing(landed: Acting, repo: Path) -> None:
    home = landed.home
    before = git(repo, "rev-parse", "main")
    said = home.json("clean")
    assert [each["kept"] for each in said] == [[]]
    assert set(refs(repo)) == {"refs/heads/main"}
    assert git(repo, "rev-parse", "main") == before
    assert list((home.path / "worktrees").iterdir()) == []
    assert list((home.path / "terminals").iterdir()) == []
    assert git(repo, "worktree", "list", "--porcelain").count("worktree ") == 1
    (told,) = landed.facts("workflow.cleaned")
    assert told["by"] == "person"
    assert "refs/heads/feat/a" in told["removed"]
    assert home.ok("clean") == "nothing to clean\n"
    assert landed.facts("workflow.cleaned") == [told]
    assert home.status() == "completed"


def test_no_commit_and_no_change_of_a_stopped_workflow_is_lost(stopped: Acting, repo: Path) -> None:
    """What is in no branch is kept by its pin, and the printed command brings it back.

    Hazard 76.
    """
    row = stopped.row()
    said = stopped.home.ok("clean", "demo")
    assert not Path(task(row, "a")["worktree"]).exists()
    assert set(refs(repo)) == {"refs/heads/main", "refs/callboard/demo/a"}
    assert "kept: refs/callboard/demo/a: only it holds 2 commits" in said
    (back,) = [line.strip() for line in said.splitlines() if "bring it back" in line]
    run_printed(back, stopped.home.path)
    assert git(repo, "show", "feat/a:half-a") == "x"
    assert git(repo, "show", "feat/a:open-a") == "mine"
    git(repo, "merge", "-q", "feat/a")
    assert "refs/callboard/demo/a" in stopped.home.json("clean", "demo")[0]["removed"]
    assert set(refs(repo)) == {"refs/heads/main", "refs/heads/feat/a"}


def test_what_is_given_up_as_printed_is_gone(stopped: Acting, repo: Path) -> None:
    said = stopped.home.ok("clean", "demo")
    (give_up,) = [line.strip() for line in said.splitlines() if "give it up" in line]
    run_printed(give_up, stopped.home.path)
    assert set(refs(repo)) == {"refs/heads/main"}


def test_a_dry_run_changes_nothing_and_names_what_goes(stopped: Acting, repo: Path) -> None:
    before, files = refs(repo), sorted(stopped.home.path.rglob("*/a/*"))
    would = stopped.home.json("clean", "--dry-run")[0]
    assert would["dry_run"]
    places = [what for what in would["removed"] if what.startswith("/")]
    assert list(would["sizes"]) == places
    assert all(would["sizes"].values())
    assert f"{places[0]} (" in stopped.home.ok("clean", "--dry-run")
    assert refs(repo) == before
    assert sorted(stopped.home.path.rglob("*/a/*")) == files
    assert stopped.facts("workflow.cleaned") == []
    did = stopped.home.json("clean")[0]
    assert did["removed"] == would["removed"]


def test_work_that_somebody_added_to_the_branch_keeps_it(stopped: Acting, repo: Path) -> None:
    """Hazard 76."""
    other = repo.parent / "other"
    shutil.rmtree(task(stopped.row(), "a")["worktree"])
    git(repo, "worktree", "prune")
    git(repo, "worktree", "add", "-q", str(other), "feat/a")
    git(other, "commit", "-q", "--allow-empty", "-m", "mine")
    (said,) = stopped.home.json("clean")
    kept = {each["what"]: each["why"] for each in said["kept"]}
    assert kept["refs/heads/feat/a"] == f"it is checked out at {other}"
    git(repo, "worktree", "remove", "--force", str(other))
    (said,) = stopped.home.json("clean")
    kept = {each["what"]: each["why"] for each in said["kept"]}
    assert kept["refs/heads/feat/a"] == "only it holds 1 commit"
    assert git(repo, "log", "-1", "--format=%s", "feat/a") == "mine"


def test_a_branch_that_the_workflow_did_not_make_stays(landed: Acting, repo: Path) -> None:
    git(repo, "update-ref", "-d", "refs/callboard/demo/base/feat/a")
    (said,) = landed.home.json("clean")
    assert {"what": "refs/heads/feat/a", "why": "this workflow did not make it"} in said["kept"]
    assert "refs/heads/feat/a" in refs(repo)


def test_a_file_of_somebody_else_in_the_home_stays_and_is_named(landed: Acting) -> None:
    mine = landed.home.path / "worktrees" / "demo" / "notes"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    (said,) = landed.home.json("clean")
    assert [each["what"] for each in said["kept"]] == [str(mine)]
    refused = landed.home.run("forget", "demo")
    assert refused.returncode == 4
    assert str(mine) in refused.stderr
    assert landed.home.status() == "completed"
    mine.unlink()
    landed.home.ok("forget", "demo")


def test_what_is_not_over_is_not_touched_and_says_what_ends_it(acting: Acting, repo: Path) -> None:
    acting.begin(plan_text(repo, {"a": [coder("$ git commit -q --allow-empty -m 'no #fail'\n")]}))
    acting.status("failed")
    before = refs(repo)
    for words in (["clean", "demo"], ["forget", "demo"]):
        refused = acting.home.run(*words)
        assert refused.returncode == 4
        assert acting.home.command("stop", "demo") in refused.stderr
    assert f"demo/ is failed; {acting.home.command('stop', 'demo')}" in acting.home.ok("clean")
    assert refs(repo) == before
    with pytest.raises(Refused) as refusal:
        acting.call("workflow.clean", workflow="demo")
    assert (refusal.value.body.code, refusal.value.body.reason) == (400, "not_over")


def test_only_what_ended_long_ago_is_cleaned_where_an_age_is_given(landed: Acting) -> None:
    assert landed.home.ok("clean", "--older-than", "1h") == "nothing to clean\n"
    assert (landed.home.path / "terminals" / "demo").exists()
    wrong = landed.home.run("clean", "--older-than", "soon")
    assert wrong.returncode == 2
    assert "30m, 12h, 3d" in wrong.stderr
    assert "removed" in landed.home.ok("clean", "--older-than", "0s")


def test_a_forgotten_workflow_is_in_no_view_and_its_name_is_free(
    landed: Acting, repo: Path
) -> None:
    head = landed.call("runtime.info")["head"]
    landed.home.ok("forget", "demo")
    assert landed.call("workflow.list") == []
    with pytest.raises(Refused) as refusal:
        landed.call("workflow.get", workflow="demo")
    assert refusal.value.body.code == 404
    (told,) = landed.facts()
    assert told["type"] == "workflow.forgotten"
    assert told["seq"] > head
    landed.again()
    assert landed.call("workflow.list") == []
    text = plan_text(repo, {"a": [done("again")]})
    landed.begin(text)
    landed.status("completed")
    assert git(repo, "show", "main:again") == "x"


def test_a_runtime_that_is_killed_while_it_cleans_is_asked_again(
    stopped: Acting, repo: Path
) -> None:
    """Whatever was removed by then, the next call removes the rest, and nothing is lost."""
    asked = stopped.home.begin("clean", "demo")
    stopped.home.kill()
    asked.kill()
    asked.wait()
    stopped.home.serve()
    stopped.home.ok("clean", "demo")
    assert set(refs(repo)) == {"refs/heads/main", "refs/callboard/demo/a"}
    assert git(repo, "show", "refs/callboard/demo/a:open-a") == "mine"


# ---- running again -------------------------------------------------------------------------


def _printed(stderr: str, word: str) -> str:
    (line,) = [line for line in stderr.splitlines() if word in line]
    return line.removeprefix("help: ")


def test_after_stop_up_says_what_is_in_the_way_and_each_printed_command_works(
    stopped: Acting, repo: Path, tmp_path: Path
) -> None:
    plan = write(stopped.home, plan_text(repo, {"a": [done("a")]}))
    refused = stopped.home.run("up", plan)
    assert refused.returncode == 2
    assert "branch 'feat/a' exists already" in refused.stderr
    assert "the workflow demo made it" in refused.stderr
    renaming = _printed(refused.stderr, "branch -m")
    again = _printed(refused.stderr, "--again")
    run_printed(again, tmp_path)
    assert git(repo, "show", "main:a") == "x"
    assert git(repo, "show", "refs/callboard/demo/a:open-a") == "mine"
    refused = stopped.home.run("up", plan)
    assert _printed(refused.stderr, "branch -m") == renaming
    run_printed(renaming, tmp_path)
    assert "refs/heads/feat/a-old" in refs(repo)
    assert stopped.home.run("check", plan).returncode == 0


def test_a_new_run_takes_over_the_branches_of_what_is_over(stopped: Acting, repo: Path) -> None:
    """What the old run wrote can still be read."""
    plan = write(stopped.home, plan_text(repo, {"a": [done("a")]}))
    ran = stopped.home.run("up", plan, "--again")
    assert ran.returncode == 0
    assert "of demo/ was removed: " in ran.stderr
    assert "of demo/ stays refs/callboard/demo/a: only it holds 2 commits" in ran.stderr
    assert task(stopped.home.row("demo-2"), "a")["branch"] == "feat/a"
    assert stopped.home.ok("logs", "demo/a/1")
    (said,) = stopped.home.json("clean", "demo", "--dry-run")
    assert {"what": "refs/heads/feat/a", "why": "demo-2/ made it anew"} in said["kept"]


def test_a_branch_that_is_in_use_gets_a_number_and_that_is_said(acting: Acting, repo: Path) -> None:
    acting.begin(plan_text(repo, {"a": [coder("@ sleep 600\n")], "b": [coder("@ sleep 600\n")]}))
    git(repo, "branch", "feat/a-2")
    plan = write(acting.home, plan_text(repo, {"a": [done("a")], "b": [done("b")]}))
    shown = acting.home.json("check", plan, "--again")
    assert [each["branch"] for each in shown["tasks"]] == ["feat/a-3", "feat/b-2"]
    ran = acting.home.run("up", plan, "--again")
    assert ran.returncode == 0
    assert "demo/ is running, and keeps its branches" in ran.stderr
    assert "branch feat/a exists already; this run works on feat/a-3" in ran.stderr
    assert git(repo, "show", "main:a") == git(repo, "show", "main:b") == "x"
    assert acting.row()["status"] == "running"


def test_a_home_that_was_deleted_leaves_no_loop_and_a_way_on(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """The repository knows worktrees and refs of a workflow that no database knows.

    A plan of the same name once made two actors tell each other for ever. Hazard 65.
    """
    acting.begin(plan_text(repo, {"a": [coder(half())]}))
    acting.until(lambda row: (Path(task(row, "a")["worktree"]) / "open-a").exists())
    home, tip = acting.home, git(repo, "rev-parse", "feat/a")
    take_away(home)
    home.serve()
    plan = write(home, plan_text(repo, {"a": [done("a")]}))
    refused = home.run("up", plan)
    assert refused.returncode == 2
    run_printed(_printed(refused.stderr, "--again"), tmp_path)
    assert task(home.row(), "a")["branch"] == "feat/a-2"
    assert git(repo, "rev-parse", "feat/a") == tip
    assert len(home.facts()) < 60
    git(repo, "worktree", "prune")
    assert "a program still runs there" in home.ok("clean"), "that of the deleted home"
    home.ok("down", "--terminals")
    home.serve()
    home.ok("forget", "demo")
    git(repo, "branch", "-D", "feat/a")
    assert home.run("up", write(home, plan_text(repo, {"a": [done("a2")]}))).returncode == 0


def test_down_ends_the_terminals_of_a_deleted_home_and_of_the_one_made_after_it(
    acting: Acting, repo: Path
) -> None:
    """Two hosts name one directory; both are ended by one command."""
    acting.begin(plan_text(repo, {"a": [coder("@ sleep 600\n")]}))
    acting.fact("instruction.sent")
    home = acting.home
    take_away(home)
    home.serve()
    git(repo, "worktree", "prune")
    git(repo, "branch", "-D", "feat/a")
    acting.begin(plan_text(repo, {"a": [coder("@ sleep 600\n")]}))
    acting.fact("instruction.sent")
    said = home.run("down", "--terminals")
    assert said.returncode == 0
    assert "no terminal is left" in said.stdout


# ---- directories that may not be written ---------------------------------------------------


_BOUND = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
"""root that may write only what its mode allows, as any other user"""

_LOCKED = """
import os, pathlib, subprocess, sys
sys.path.insert(0, sys.argv[2])
from actors.git.trees import worktrees
from actors.platform.disk import remove_tree
place, home, git_dir, tip = sys.argv[3:]
made = worktrees.add(git_dir, home, place, branch="a", base=tip, owner="w")
locked = pathlib.Path(place, "node_modules", "deep")
locked.mkdir(parents=True)
(locked / "file").write_text("x")
for each, mode in ((locked / "file", 0o444), (locked, 0o555), (locked.parent, 0o555)):
    each.chmod(mode)
try:
    (locked / "more").touch()
except PermissionError:
    worktrees.remove(git_dir, home, place, merged_into=tip, pin_as="w/a")
    assert not os.path.lexists(place) and not os.path.lexists(place + ".removing")
else:
    sys.exit("this user may write everything")
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv of util-linux is missing")
def test_a_directory_that_may_not_be_written_is_removed(repo: Path, tmp_path: Path) -> None:
    """Hazard 65."""
    tip, place = git(repo, "rev-parse", "main"), tmp_path / "home" / "a"
    words = [PYTHON, "-c", _LOCKED, "x", str(ROOT)]
    words += [str(place), str(tmp_path / "home"), str(repo / ".git"), tip]
    prefix = _BOUND if os.getuid() == 0 else []
    ran = subprocess.run([*prefix, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_a_worktree_and_its_registration_are_gone_for_json_readers(landed: Acting) -> None:
    """One document, with the fields of the protocol."""
    said: list[dict[str, Any]] = json.loads(landed.home.ok("clean", "demo", "--json"))
    assert [sorted(each) for each in said] == [["dry_run", "kept", "removed", "sizes", "workflow"]]
    assert "workflow.cleaned" in types(landed.facts())
