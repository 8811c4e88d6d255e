"""Tests that fail on the merged tree: nothing lands, and both ways on work."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.doors.acting import Acting, helper, say, terminal
from tests.doors.kit import coder, done, plan_text
from tests.repositories import git

BOTH = {"a": [done("a")], "b": [done("b")]}


def _test(shell: str, **more: int) -> str:
    keys = "".join(f"\n{key} = {value}" for key, value in more.items())
    return f"test = {json.dumps(['sh', '-c', shell])}{keys}"


def test_a_repair_in_a_worktree_of_the_merged_tree_gets_the_output(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    before = git(repo, "rev-parse", "main")
    lines = f'$ printf %s "$INSTRUCTION" > {told}; ls > {tmp_path}/ls\n$ echo m > mended\n' + say(
        "mend both #done"
    )
    check = "test -e mended && exit 0; echo a and b do not go together; exit 9"
    acting.begin(plan_text(repo, BOTH, head=_test(check), tail=helper("error", lines)))
    acting.status("failed")
    assert git(repo, "rev-parse", "main") == before
    offered = acting.facts("repair.offered")[-1]
    assert "a and b do not go together" in offered["evidence"]
    assert {"do": "workflow.repair", "address": "demo/"} in offered["actions"]
    acting.again()
    acting.home.ok("repair", "demo")
    row = acting.status("completed")
    assert "a and b do not go together" in told.read_text()
    assert {"a", "b"} <= set((tmp_path / "ls").read_text().split())
    assert terminal(row, "merge")["status"] == "completed"
    assert (repo / "mended").exists()
    landed, tested = acting.facts("merge.landed")[0], acting.facts("merge.tested")[-1]
    assert tested["passed"]
    assert landed["new"] == tested["commit"] == git(repo, "rev-parse", "main")


def test_a_repair_that_is_red_again_is_told_and_goes_on_in_its_worktree(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    told, tries = tmp_path / "told", tmp_path / "tries"
    lines = (
        f'$ echo x >> {tries}; printf "%s\\n====\\n" "$INSTRUCTION" >> {told}\n'
        f"$ cp {tries} mended\n"
    ) + say("mend #done")
    check = "test $(wc -l < mended) -ge 3 && exit 0; echo not yet; exit 9"
    tail = helper("error", lines)
    acting.begin(plan_text(repo, BOTH, head=_test(check), tail=tail))
    acting.status("failed")
    acting.home.ok("repair", "demo")
    acting.status("completed")
    assert [fact["passed"] for fact in acting.facts("merge.tested")] == [False] * 3 + [True]
    assert all("not yet" in text for text in told.read_text().split("====")[1:3])
    assert (repo / "mended").read_text() == "x\nx\nx\n"


def test_a_merge_terminal_whose_resolution_is_red_mends_it(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """The branch that makes it red comes after the conflict; it sees that branch's files."""
    tries = tmp_path / "tries"
    lines = (
        f"$ echo x >> {tries}; ls > {tmp_path}/ls-$(wc -l < {tries})\n"
        "$ printf 'one\\ntwo\\n' > same\n"
        f"$ if test $(wc -l < {tries}) -ge 2; then echo m > mended; fi\n"
    ) + say("resolve #done")
    tasks = {"a": [done("same", "one")], "b": [done("same", "two")], "c": [done("c")]}
    head = _test("test -e mended")
    acting.begin(plan_text(repo, tasks, head=head, tail=helper("merge", lines)))
    acting.status("completed")
    assert "c" in (tmp_path / "ls-2").read_text().split()
    assert (repo / "same").read_text() == "one\ntwo\n"
    assert {"c", "mended"} <= {path.name for path in repo.iterdir()}


def test_a_person_mends_a_branch_and_goes_on(acting: Acting, repo: Path) -> None:
    acting.begin(plan_text(repo, BOTH, head=_test("test -e mended")))
    row = acting.status("failed")
    where = Path(row["tasks"][0]["worktree"])
    (where / "mended").write_text("m")
    git(where, "add", "-A")
    git(where, "commit", "-q", "-m", "by hand")
    acting.home.ok("merge", "demo", "--continue")
    acting.status("completed")
    assert (repo / "mended").exists()
    assert [fact["passed"] for fact in acting.facts("merge.tested")] == [False, True]


def test_a_flaky_test_is_run_again_and_every_output_is_kept(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    check = f"echo x >> {runs}; echo this is run $(wc -l < {runs}); test $(wc -l < {runs}) -ge 3"
    acting.begin(plan_text(repo, BOTH, head=_test(check, test_retries=2)))
    acting.status("completed")
    tested = acting.facts("merge.tested")
    assert [(fact["run"], fact["passed"]) for fact in tested] == [
        (1, False), (2, False), (3, True),
    ]  # fmt: skip
    assert len({fact["commit"] for fact in tested}) == 1
    for number, fact in enumerate(tested, 1):
        assert f"this is run {number}" in fact["tail"]
        (file,) = Path(fact["output"]).iterdir()
        assert f"this is run {number}" in file.read_text()


def test_a_test_that_hangs_is_ended_and_lands_nothing(acting: Acting, repo: Path) -> None:
    head = _test("echo begun; sleep 600", test_timeout=2)
    acting.begin(plan_text(repo, {"a": [done("a")]}, head=head))
    row = acting.status("failed")
    tested = acting.facts("merge.tested")[-1]
    assert tested["timed_out"]
    assert "begun" in tested["tail"]
    assert "ran out of time" in row["reason"]


@pytest.mark.parametrize("trap", ["trap 'exit 0' TERM;", ""], ids=["says 0", "dies of it"])
def test_a_run_that_down_has_ended_says_nothing_and_is_redone(
    acting: Acting, repo: Path, tmp_path: Path, trap: str
) -> None:
    """Neither green, whatever it answers to TERM, nor red. The next one has all of its time."""
    gate, runs = tmp_path / "gate", tmp_path / "runs"
    check = f"{trap} echo x >> {runs}; while [ ! -e {gate} ]; do sleep 0.05; done"
    acting.begin(plan_text(repo, {"a": [done("a")]}, head=_test(check, test_timeout=4)))
    acting.fact("merge.started")
    until(runs.exists)
    began = time.monotonic()
    assert acting.home.served is not None
    acting.call("runtime.stop", terminals=True)  # `down` itself would start first, in that time
    acting.home.served.wait()
    until(lambda: time.monotonic() > began + 4)
    acting.home.serve()
    until(lambda: runs.read_text() == "x\nx\n")
    gate.touch()
    acting.status("completed")
    (tested,) = acting.facts("merge.tested")
    assert tested["passed"]


def until(is_true: Callable[[], Any]) -> None:
    """For what no fact tells."""
    end = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_test_program_that_has_gone_meanwhile_is_said(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    program = tmp_path / "no-such-program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    script = f"$ rm {program}\n" + done("a")["instruction"]
    acting.begin(plan_text(repo, {"a": [coder(script)]}, head=f'test = ["{program}"]'))
    row = acting.status("failed")
    assert "no-such-program" in acting.facts("repair.offered")[-1]["evidence"]
    assert row["merge"]["tested"] is False
