"""Once the target has moved, whatever goes wrong is `merge.behind`; before, it is a refusal."""

import os
import shutil
from pathlib import Path

import pytest

from tests.actors.merger.test_hanging_merges import conflicting, start
from tests.actors.served import Served, facts
from tests.doors.kit import done, plan_text
from tests.repositories import git, make_repo

KILL_WORKER = """pid=$PPID
while [ $pid -gt 1 ]; do
  if grep -q platform.workers /proc/$pid/cmdline; then kill -9 $pid; exit 0; fi
  pid=$(awk '{print $4}' /proc/$pid/stat)
done
"""
LOSE_FILES = "rm -rf .git/callboard-land.d\n"
REMOVE_INDEX = "rm -rf .git/callboard-land.d/index; mkdir -p .git/callboard-land.d/index/x\n"


@pytest.mark.parametrize(
    "harm", [KILL_WORKER, LOSE_FILES, REMOVE_INDEX], ids=["worker", "files", "index"]
)
def test_an_error_after_the_target_moved_is_told_once_and_a_person_goes_on(
    served: Served, tmp_path: Path, harm: str
) -> None:
    """Hazard 62."""
    repo = make_repo(tmp_path / "repo", {"f": "1\n", ".gitattributes": "f filter=own\n"})
    script = tmp_path / "smudge"
    script.write_text(f"#!/bin/sh\nif [ $PWD = {repo} ]; then\n{harm}\nfi\nexec cat\n")
    script.chmod(0o755)
    git(repo, "config", "filter.own.smudge", str(script))
    git(repo, "config", "filter.own.clean", "cat")
    name = start(served, plan_text(repo, {"a": [done("f", "landed")]}))
    served.until(name, lambda row: row["merge"]["stage"] == "checkout" or row["status"] == "failed")
    (behind,) = facts(served, "merge.behind")
    assert behind["checkouts"] == [str(repo)]
    assert git(repo, "show", "main:f") == "landed"
    assert facts(served, "merge.refused") == []
    assert facts(served, "actor.failed") == []
    script.write_text("#!/bin/sh\nexec cat\n")
    served.client.call("merge.continue", workflow=name)
    served.until_status(name, "completed")
    assert (repo / "f").read_text() == "landed\n"
    assert git(repo, "status", "--porcelain") == ""


def test_a_driver_whose_program_is_missing_is_a_conflict_with_its_words(
    served: Served, tmp_path: Path
) -> None:
    name = start(served, conflicting(tmp_path / "repo", "no-such-program %A %O %B"))
    served.until(name, lambda row: row["merge"]["stage"] == "conflict")
    (told,) = facts(served, "merge.conflict")
    assert told["files"] == ["f"]
    assert "no-such-program" in told["message"]
    (offer,) = facts(served, "repair.offered")
    assert "no-such-program" in offer["evidence"]
    assert facts(served, "actor.failed") == []


def test_a_driver_that_git_gives_up_on_is_a_refusal_with_its_words(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git since 2.42 does if a driver is killed; the shim stands for such a git."""
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    says = "echo 'error: failed to execute internal merge' >&2; exit 128"
    real = shutil.which("git")
    shim.write_text(f'#!/bin/sh\ncase " $* " in *" merge-tree "*) {says};; esac\n'
                    f'exec {real} "$@"\n')  # fmt: skip
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    name = start(served, conflicting(tmp_path / "repo", "true"))
    served.until_status(name, "failed")
    (refused,) = facts(served, "merge.refused")
    assert refused["reason"] == "not_merged"
    assert "failed to execute internal merge" in refused["message"]
    assert facts(served, "actor.failed") == []
    shim.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    served.client.call("merge.continue", workflow=name)
    served.until_status(name, "completed")
