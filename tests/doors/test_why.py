"""`why`: the chain of facts that led to a status, with all a person needs."""

import re
from pathlib import Path

from tests.doors.acting import Acting
from tests.doors.kit import coder, commit, done, plan_text


def test_why_tells_of_commits_exits_and_screens_newest_first(acting: Acting, repo: Path) -> None:
    script = commit("a", "x", "half of it") + "$ echo the disk is full\n@ exit 3\n"
    acting.begin(plan_text(repo, {"a": [coder(script)], "b": [done("b")]}))
    acting.status("failed")
    told = acting.home.ok("why", "demo/a/1")
    lines = told.splitlines()
    assert lines[0] == "demo/a/1/ failed: exited with status 3 without completing"
    seqs = [int(found[1]) for line in lines if (found := re.match(r" *(\d+) \d\d:", line))]
    assert len(seqs) > 3
    assert seqs == sorted(seqs, reverse=True)
    assert "exit status 3" in told
    assert "the disk is full" in told
    assert "half of it" in told
    assert "demo/b/" not in told
    of_task = acting.home.ok("why", "demo/a")
    assert of_task.splitlines()[0].startswith("demo/a/ failed: exited with status 3")
    whole = acting.home.ok("why", "demo")
    assert whole.splitlines()[0] == "demo/ failed: demo/a/ failed"
    assert acting.home.command("retry", "demo/a") in whole
    assert "demo/b/1/" in whole
    found = acting.home.json("why", "demo/a/1")
    assert found["status"] == "failed"
    assert acting.home.run("why", "demo/nothing").returncode == 2


def test_why_of_a_red_test_has_its_output_and_where_all_of_it_is(
    acting: Acting, repo: Path
) -> None:
    test = 'test = ["sh", "-c", "echo it does not add up; exit 9"]'
    acting.begin(plan_text(repo, {"a": [done("a")]}, head=test))
    acting.status("failed")
    told = acting.home.ok("why", "demo")
    assert "red (status 9)" in told
    assert "it does not add up" in told
    assert acting.facts("merge.tested")[0]["output"] in told


def test_why_of_a_rejected_completion_names_the_reason(acting: Acting, repo: Path) -> None:
    script = "$ echo more >> README; git commit -q --allow-empty -m 'all #done'\n@ sleep 600\n"
    acting.begin(plan_text(repo, {"a": [coder(script)]}))
    acting.fact("commit.rejected")
    told = acting.home.ok("why", "demo/a")
    assert "changes that are not committed: README" in told
