"""What hangs in git when the runtime ends, is killed, or is told to end all: none of it stays."""

import json
from pathlib import Path

import pytest

from actors.platform import processes
from tests.doors.acting import Acting
from tests.doors.kit import Home, done, plan_text
from tests.doors.working import ended, until
from tests.repositories import git, make_repo


def hanging_filter(repo: Path, pids: Path) -> str:
    """Each worktree's checkout hangs: under the runtime itself."""
    (repo / ".gitattributes").write_text("* filter=own\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "filtered")
    git(repo, "config", "filter.own.smudge", hang(pids))
    return plan_text(repo, {"a": [done("a")]})


def hanging_driver(repo: Path, pids: Path) -> str:
    """The merge hangs: under its worker."""
    (repo / ".gitattributes").write_text("f merge=own\n")
    (repo / "f").write_text("1\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "driven")
    git(repo, "config", "merge.own.driver", hang(pids))
    return plan_text(repo, {"a": [done("f", "a")], "b": [done("f", "b")]})


def hang(pids: Path) -> str:
    """It ignores TERM, and so does what it has started in a session of its own."""
    stubborn = f"trap '' TERM; echo $$ >> {pids}; while :; do sleep 0.1; done"
    (pids.parent / "stubborn").write_text(stubborn)
    return f"setsid sh {pids.parent / 'stubborn'} & sh {pids.parent / 'stubborn'}"


@pytest.mark.parametrize("plan_of", [hanging_filter, hanging_driver])
@pytest.mark.parametrize("end", ["kill, serve", "kill, down", "SIGTERM"])
def test_nothing_that_hangs_in_git_outlives_the_next_word(
    home: Home, tmp_path: Path, plan_of: object, end: str
) -> None:
    assert callable(plan_of)
    pids = tmp_path / "pids"
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_of(make_repo(tmp_path / "repo"), pids))
    home.serve()
    going = home.begin("up", str(plan))
    until(lambda: pids.exists() and len(pids.read_text().split()) >= 2, "it hangs", 60)
    found = [(int(pid), processes.start_time(int(pid))) for pid in pids.read_text().split()]
    going.kill()
    going.wait()
    if end == "SIGTERM":
        assert home.served is not None
        home.served.terminate()
        assert ended(home)[0] == 0
    else:
        home.kill()
        assert all(processes.is_alive(*each) for each in found)
        if end == "kill, down":
            home.ok("down", "--terminals")
    if end == "kill, serve":
        git(tmp_path / "repo", "config", "filter.own.smudge", "cat")
        git(tmp_path / "repo", "config", "merge.own.driver", "true")
        home.serve()
        if plan_of is hanging_driver:  # what lands waits for whoever changed the repository
            Acting(home).fact("repository.changed")
            home.ok("config", "accept", "demo")
        row = home.until(lambda row: row["status"] in ("ready", "completed"))
        assert json.dumps(row)
    assert not any(processes.is_alive(*each) for each in found)
