"""A real repository for tests, driven by the `git` program; and a way to be killed anywhere."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from actors.git import command
from actors.git.land import Landing, land


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


class Crasher:
    """Kills the process just before or after the k-th thing it does to disk or by git."""

    def __init__(self, step: int) -> None:
        self.left = step

    def tick(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            self.tick()
            result = function(*args, **options)
            self.tick()
            return result

        return call


def killed_at(step: int, action: Callable[[], object]) -> bool:
    """Run `action` in a child killed at `step`; whether the child was killed at all."""
    pid = os.fork()
    if pid == 0:
        crasher = Crasher(step)
        for module, names in {
            os: ("replace", "link", "unlink", "rmdir", "mkdir"),
            command: ("run",),
            shutil: ("rmtree", "copy2"),
        }.items():
            for name in names:
                setattr(module, name, crasher.wrap(getattr(module, name)))
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def land_next(repo: Repo) -> Landing:
    """`main` is to become `next`."""
    old, new = repo.oid("main"), repo.oid("next")
    return land(repo.git_dir, "main", old=old, new=new, message="callboard: landed demo")
