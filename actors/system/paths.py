"""Where a runtime keeps its files."""

import hashlib
from pathlib import Path

import msgspec


class Paths(msgspec.Struct):
    """The directories of one home. Computes names only; creates nothing. Any thread.

    `sockets` is a directory outside the home with a short path, because the path of a Unix socket
    is limited to about 100 bytes. The runtime changes it if that directory is lost and cannot be
    made again.
    """

    home: Path
    sockets: Path

    def socket(self, address: str, incarnation: int) -> Path:
        """Return the socket on which the host of one incarnation listens."""
        name = hashlib.sha256(address.encode()).hexdigest()[:16]
        return self.sockets / f"{name}-{incarnation}"

    def terminal_dir(self, address: str, incarnation: int) -> Path:
        """Return the directory in which the host of one incarnation keeps its files."""
        return Path(f"{self.home}/terminals/{address.strip('/')}/{incarnation}")

    def unseen(self, fenced: bool) -> tuple[str, ...] | None:
        """Return what our git must not see in the worktree of an agent; None without a sandbox."""
        return (str(self.home), str(self.sockets)) if fenced else None

    def kept(self, workflow: str) -> Path:
        """Return the directory with the copy of the repository's shared files of a workflow."""
        return self.home / "repositories" / workflow

    def worktree(self, task: str) -> Path:
        """Return the worktree of a task, given the task's address."""
        return self.home / "worktrees" / task.strip("/")
