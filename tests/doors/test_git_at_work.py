"""Nothing is judged while git is still writing.

A completion that a second look would accept is accepted, and one that cannot be examined is neither
accepted nor rejected.
"""

from pathlib import Path

import pytest

from tests.doors.kit import Home, coder, plan_text
from tests.repositories import git

SLOW = '#!/bin/sh\nif [ "$1" = committed ]; then sleep 0.3; fi\n'
"""A `reference-transaction` hook: the ref has moved, and the index is replaced after it."""


def hook(repo: Path, name: str, text: str) -> None:
    path = repo / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize(
    "form",
    ["commit -q -am", "commit -q README -m", "commit -q -i README -m", "commit -q --amend -am"],
)
def test_a_completion_counts_though_git_still_writes_its_index(
    home: Home, repo: Path, tmp_path: Path, form: str
) -> None:
    """Hazard 55."""
    hook(repo, "reference-transaction", SLOW)
    path = tmp_path / "plan.toml"
    script = f"$ git commit -q --allow-empty -m one; echo more >> README; git {form} 'more #done'\n"
    path.write_text(plan_text(repo, {"a": [coder(script)]}, head='test = ["true"]'))
    home.ok("up", str(path), timeout=60)
    assert git(repo, "show", "main:README").endswith("more")
    assert not [f for f in home.facts() if f["type"] == "commit.rejected"]


def test_what_git_cannot_examine_is_neither_accepted_nor_rejected(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """The index is broken when the completion comes.

    The terminal is told; when it has mended the index the same commit counts. Hazard 55.
    """
    hook(
        repo,
        "post-commit",
        "#!/bin/sh\nmv $GIT_DIR/index $GIT_DIR/index.good; echo x > $GIT_DIR/index\n",
    )
    path = tmp_path / "plan.toml"
    script = "$ echo more >> README; git commit -q -am 'more #done'\n@ sleep 3600\n"
    path.write_text(plan_text(repo, {"a": [coder(script)]}))
    home.serve()
    home.json("submit", str(path))
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    row = home.until(lambda row: row["tasks"][0]["terminals"][0]["step"] == 2)
    terminal = row["tasks"][0]["terminals"][0]
    assert "cannot be examined" in terminal["instruction"]
    assert (terminal["rejections"], row["tasks"][0]["status"]) == (0, "running")
    admin = Path(git(home.path / "worktrees" / "demo" / "a", "rev-parse", "--absolute-git-dir"))
    (admin / "index.good").rename(admin / "index")
    home.until(lambda row: row["status"] == "completed")
    told = [f["type"] for f in home.facts() if f["type"].startswith("commit.")]
    assert told == ["commit.waits", "commit.seen"]


def test_the_last_completion_of_a_program_that_ends_at_once_counts(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """Git writes when the program ends: its end waits until the completion is judged."""
    hook(repo, "reference-transaction", SLOW)
    path = tmp_path / "plan.toml"
    script = (
        "$ echo more >> README; (setsid git commit -q -am 'more #done' &) ; sleep 0.2\n@ exit 0\n"
    )
    path.write_text(plan_text(repo, {"a": [coder(script)]}))
    home.ok("up", str(path), timeout=60)
    assert git(repo, "show", "main:README").endswith("more")
