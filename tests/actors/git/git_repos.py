"""A real repository for tests, driven by the `git` program."""

import subprocess
from pathlib import Path


class Repo:
    """A repository in a temporary directory, driven by the `git` program."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def git_dir(self) -> str:
        return str(self.path / ".git")

    def git(self, *args: str | Path, at: Path | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["git", "-C", str(at or self.path), *map(str, args)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"git {args}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

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
