"""`setup_inputs`: set-up runs once for the same inputs, for agents and for the tests."""

import json
from pathlib import Path

from tests.doors.acting import Acting, say
from tests.doors.kit import coder, done, plan_text
from tests.doors.working import until
from tests.repositories import git, make_repo


def test_setup_runs_once_for_all_trees_with_the_same_inputs(acting: Acting, tmp_path: Path) -> None:
    """Hazard 61."""
    files = {"lock": "1\n", ".gitignore": "made/\n"}
    repo, runs = make_repo(tmp_path / "repo", files), tmp_path / "runs"
    script = f"echo x >> {runs}; mkdir -p made; cp lock made/lock"
    head = f"setup = {json.dumps(['sh', '-c', script])}\nsetup_inputs = ['lock']\n"
    head += "test = ['cmp', 'lock', 'made/lock']\nmax_terminals = 1"
    acting.begin(plan_text(repo, {"a": [done("a")]}, head=head))
    acting.status("completed")
    assert runs.read_text() == "x\n"  # none in the tests' tree

    other = coder("$ test -e made/lock && echo 2 > lock\n" + say("b #done"))
    plan = plan_text(repo, {"b": [other]}, head=head)
    name = acting.call("plan.submit", plan=plan, base="/")["id"]
    for request, wanted in (("prepare", "ready"), ("start", "completed")):
        acting.call(f"workflow.{request}", workflow=name)
        acting.home.until(lambda row, w=wanted: row["status"] == w, name)  # type: ignore[misc]
    assert git(repo, "show", "main:lock") == "2"
    assert runs.read_text() == "x\nx\n"  # in the tests' tree: it has another lock file


def test_what_ran_while_no_runtime_was_there_is_kept_too(acting: Acting, tmp_path: Path) -> None:
    """Hazard 61."""
    files = {"lock": "1\n", ".gitignore": "made/\n"}
    repo, runs, go = make_repo(tmp_path / "repo", files), tmp_path / "runs", tmp_path / "go"
    script = f"echo x >> {runs}; until test -e {go}; do sleep 0.05; done; mkdir made"
    head = f"setup = {json.dumps(['sh', '-c', script])}\nsetup_inputs = ['lock']\n"
    head += "test = ['test', '-d', 'made']"
    acting.begin_later(plan_text(repo, {"a": [done("a")]}, head=head))
    acting.call("workflow.prepare", workflow="demo")
    until(runs.exists, "set-up runs")
    acting.home.kill()
    go.touch()
    until(lambda: list(acting.home.path.rglob("setup/1/exit.json")), "set-up has ended")
    acting.home.serve()
    acting.status("ready")
    acting.call("workflow.start", workflow="demo")
    acting.status("completed")
    assert runs.read_text() == "x\n"


def test_check_shows_it_and_refuses_inputs_of_nothing(acting: Acting, repo: Path) -> None:
    plan = repo.parent / "check.toml"
    head = 'test = ["true"]\nsetup = ["true"]\nsetup_inputs = ["README", "none.lock"]'
    plan.write_text(plan_text(repo, {"a": [done("a")]}, head=head))
    said = acting.home.ok("check", str(plan))
    assert "setup: true (once for the same README, none.lock)" in said
    assert "setup_inputs: 'none.lock' matches no file" in " ".join(said.split())
    plan.write_text(plan_text(repo, {"a": [done("a")]}, head='setup_inputs = ["README"]'))
    refused = acting.home.run("check", str(plan))
    assert refused.returncode == 2
    assert "has no `setup`" in refused.stderr
