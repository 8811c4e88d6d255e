"""What the tests of `check` share: a good plan, what a refusal looks like, what must not change."""

from pathlib import Path
from typing import Any

from tests.doors.kit import Said, done, plan_text
from tests.repositories import git


def good(repo: Path, **more: Any) -> str:
    return plan_text(repo, {"a": [done("a")], "b": [done("b")]}, **more)


def state(repo: Path) -> list[str]:
    """All that a start would change in a repository."""
    words = (["for-each-ref"], ["worktree", "list"], ["status", "--porcelain"])
    return [git(repo, *w) for w in words]


def refused(said: Said, path: str, *words: str) -> None:
    code, out, err = said
    assert code == 2, (out, err)
    assert out == ""
    head = err.splitlines()[0]
    assert head.startswith(f"error: {path}: " if path else "error: "), err
    for word in words:
        assert word in err, err
