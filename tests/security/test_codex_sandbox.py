"""F10: what the profile of codex opens to codex's own sandbox: a commit on the branch, no more."""

import json
import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from actors.clis.placeholders import placeholders, strictly_filled
from actors.clis.profile import load
from tests.cli_install import Missing, cache_of, cli_path
from tests.repositories import git

SCRIPT = """
echo a > a.txt; git add -A; git commit -qm one && git commit -q --amend -m two || echo "no commit"
echo x >> {common}/config && echo "configuration written"
touch {common}/hooks/pre-commit && echo "hook planted"
touch {common}/info/attributes && echo "attributes planted"
git update-ref refs/heads/main HEAD && echo "target moved"
git update-ref refs/heads/other/b HEAD && echo "another branch made"
git update-ref refs/callboard/x HEAD && echo "pinned"
true
"""


def in_codex(cwd: Path, roots: list[str], script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in codex's own sandbox, in which these directories are writable."""
    home = cache_of("codex") / "home"  # below the system's temporary directory it makes none
    home.mkdir(parents=True, exist_ok=True)
    table = "sandbox_workspace_write"
    settings = {
        "sandbox_mode": "workspace-write",
        f"{table}.writable_roots": roots,
        f"{table}.exclude_slash_tmp": True,
        f"{table}.exclude_tmpdir_env_var": True,
    }
    given = [each for k, v in settings.items() for each in ("-c", f"{k}={json.dumps(v)}")]
    env = {**os.environ, "PATH": cli_path("codex"), "CODEX_HOME": str(home)}
    argv = ["codex", "sandbox", *given, "--", "sh", "-c", script]
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=60)


def test_codex_commits_on_its_branch_and_changes_nothing_that_others_use(
    tmp_path: Path, repo: Path
) -> None:
    worktree = tmp_path / "worktree"
    git(repo, "worktree", "add", "-q", "-b", "feat/a", str(worktree))
    try:
        tried = in_codex(worktree, [], "true")
    except Missing as error:
        pytest.skip(str(error))
    if tried.returncode:
        pytest.skip(f"codex makes no sandbox here: {tried.stderr[-300:]}")
    known = placeholders(None, None, tmp_path / "home", worktree, repo)
    args = strictly_filled("ask_args", load()["codex"].ask_args, known)
    roots = [value for key, value in pairwise(args) if key == "--add-dir"]
    done = in_codex(worktree, roots, SCRIPT.format(common=repo / ".git"))
    assert done.stdout == "", done.stderr
    assert git(repo, "log", "-1", "--format=%s", "feat/a") == "two"


def test_a_git_file_of_an_agent_opens_nothing_else(tmp_path: Path, repo: Path) -> None:
    worktree = tmp_path / "worktree"
    git(repo, "worktree", "add", "-q", "--detach", str(worktree))
    (worktree / ".git").write_text(f"gitdir: {tmp_path}\n")
    known = placeholders(None, None, tmp_path / "home", worktree, repo)
    admin = str(repo / ".git" / "worktrees" / "worktree")
    assert [known[name] for name in ("git_dir", "git_refs", "git_logs")] == [admin] * 3
