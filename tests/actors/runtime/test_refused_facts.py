"""The database refuses one fact for a while.

Nothing that was not stored counts as told, and the supervisor knows. The refusal is SQLite's own,
by a trigger that another program made.
"""

from pathlib import Path

from tests.actors.served import Served, facts, submit
from tests.doors.kit import coder, plan_text
from tests.repositories import git, make_repo

REFUSE = (
    "CREATE TRIGGER refuse BEFORE INSERT ON fact"
    " WHEN CAST(NEW.body AS TEXT) LIKE '%commit.seen%'"
    " BEGIN SELECT RAISE(ABORT, 'not now'); END"
)


def test_the_cursor_does_not_advance_where_its_fact_was_not_stored(
    served: Served, tmp_path: Path
) -> None:
    """The commit is told when it can be, once; until then the watcher's failure is a fact.

    Hazards 2, 20.
    """
    repo = make_repo(tmp_path / "repo")
    asleep = plan_text(repo, {"a": [coder("@ sleep 600\n")]})
    name = submit(served, asleep)
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    served.until(name, lambda row: row["tasks"][0]["terminals"][0]["sent"] == 1)
    served.sql(REFUSE)
    worktree = served.home / "worktrees" / name / "a"
    (worktree / "work").write_text("x")
    git(worktree, "add", "work")
    git(worktree, "commit", "-q", "-m", "told late #done")
    served.until_fact("actor.failed", f"runtime/workflows/{name}/watcher/")
    assert facts(served, "commit.seen") == []
    served.sql("DROP TRIGGER refuse")
    served.until_status(name, "completed")
    seen = [fact["commit"] for fact in facts(served, "commit.seen")]
    assert seen == [git(repo, "rev-parse", "feat/a")]
