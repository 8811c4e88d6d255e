"""One way to make a repository in a test: real ones, driven by the `git` program."""

import subprocess
from collections.abc import Mapping
from pathlib import Path


def git(
    at: Path, *words: str | Path, check: bool = True, env: Mapping[str, str] | None = None
) -> str:
    """Run git in a directory; return its output without space at the ends."""
    done = subprocess.run(
        ["git", *map(str, words)], cwd=at, env=env, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, f"git {words}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def make_repo(path: Path, files: dict[str, str] | None = None) -> Path:
    """Make a repository with one commit on `main`."""
    Repo.made(path).commit("first", files or {"README": "a sample\n"})
    return path


class Repo:
    """A repository in a temporary directory."""

    def __init__(self, path: Path, env: Mapping[str, str] | None = None) -> None:
        self.path, self.env = path, env

    @classmethod
    def made(cls, path: Path, env: Mapping[str, str] | None = None) -> "Repo":
        """Make a repository without a commit, whose user has a name."""
        path.mkdir(parents=True, exist_ok=True)
        repo = cls(path, env)
        repo.git("init", "-q", "-b", "main")
        repo.git("config", "user.name", "A U Thor")
        repo.git("config", "user.email", "author@example.com")
        return repo

    @property
    def git_dir(self) -> str:
        return str(self.path / ".git")

    def git(self, *words: str | Path, at: Path | None = None, check: bool = True) -> str:
        return git(at or self.path, *words, check=check, env=self.env)

    def write(self, files: dict[str, str], at: Path | None = None) -> None:
        for name, text in files.items():
            file = (at or self.path) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())

    def commit(
        self, message: str, files: dict[str, str] | None = None, at: Path | None = None
    ) -> str:
        """Write the files, commit everything, return the commit."""
        self.write(files or {}, at)
        self.git("add", "-A", at=at)
        self.git("commit", "-q", "--allow-empty", "-m", message, at=at)
        return self.oid("HEAD", at)

    def oid(self, name: str, at: Path | None = None) -> str:
        return self.git("rev-parse", "--verify", name, at=at)

    def branch(self, name: str, files: dict[str, str], start: str = "main") -> str:
        """A branch with one commit on `start`, made beside the checkout; return its tip."""
        side = self.path.parent / f"{self.path.name}-side"
        self.git("worktree", "add", "-q", "-b", name, side, start)
        oid = self.commit(f"Work on {name}", files, at=side)
        self.git("worktree", "remove", "--force", side)
        return oid
