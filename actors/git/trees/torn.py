"""Make the files again that a power cut tore while an agent's git was writing.

Git does not sync what an agent commits until Callboard is told of it. After a power cut such a file
is there and empty, or full of zero bytes, and every later git refuses: a commit of the same content
finds its object and cannot read it. No git leaves such a file, so one is removed or written again
(git's own FAQ says so of objects). A file that is wrong in another way is left alone.
"""

import os
from pathlib import Path

from actors.git.reading.reflog import entries
from actors.git.reading.refs import HEADS, read_ref
from actors.git.running.command import GitUnknown, git
from actors.git.running.places import Within
from actors.platform import disk
from actors.platform.files import open_regular

_FEW = 4
"""Bytes at the beginning of a file of which one at least is not zero, unless it was torn."""
_NAME_LENGTHS = (38, 62)
"""Lengths of a loose object's file name, with SHA-1 and with SHA-256."""


def mend_objects(git_dir: str) -> list[str]:
    """Remove the loose objects that hold nothing; return their paths.

    A live git is not disturbed: it gives an object its name when all of it is written.
    """
    removed = []
    with os.scandir(Path(git_dir, "objects")) as groups:
        directories = [group.path for group in groups if len(group.name) == 2 and group.is_dir()]
    for directory in directories:
        with os.scandir(directory) as entries:
            for entry in entries:
                if len(entry.name) in _NAME_LENGTHS and _is_torn(entry):
                    Path(entry.path).unlink(missing_ok=True)
                    removed.append(entry.path)
    return removed


def _is_torn(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) and not entry.stat(follow_symlinks=False).st_size


def mend_branch(git_dir: str, branch: str, base: str, removed: list[str]) -> None:
    """Let a branch name a commit that is there whole.

    A file of the branch that holds nothing is removed, so that the packed value counts, or none. If
    objects were `removed` and the tip lacks one, the branch goes back to the newest commit of its
    reflog that lacks none, else to `base`. What was told of is synced, so it is never taken back.
    """
    ref = HEADS + branch
    if _holds_nothing(file := Path(git_dir, ref)):
        file.unlink(missing_ok=True)
    tip = read_ref(git_dir, ref) if removed else None
    if tip is None or _is_whole(git_dir, tip, base):
        return
    before = (commit for commit, _ in entries(git_dir, ref))
    whole = next((commit for commit in before if _is_whole(git_dir, commit, base)), base)
    git("update-ref", "-m", "callboard: lost in a power cut", ref, whole, tip, at=git_dir)


def _is_whole(git_dir: str, commit: str, base: str) -> bool:
    """Return whether git can read all that a commit has beyond `base`."""
    try:
        git("rev-list", "--objects", "--quiet", commit, "--not", base, at=git_dir)
    except GitUnknown:
        return False
    return True


def mend_worktree(admin: Path, path: str, branch: str) -> list[str]:
    """Write the `HEAD` and the index of a worktree again where they hold nothing.

    `admin` is its directory in the repository's `worktrees/`. No file of the worktree is touched:
    what was staged is changed and not staged. Return the names of what was written.
    """
    mended = []
    if _holds_nothing(admin / "HEAD"):
        disk.write_durably(admin / "HEAD", f"ref: {HEADS}{branch}\n".encode())
        mended.append("HEAD")
    if _holds_nothing(admin / "index"):
        (admin / "index").unlink(missing_ok=True)
        git("read-tree", "HEAD", at=path, within=Within(str(admin.parents[1])))
        mended.append("index")
    return mended


def _holds_nothing(file: Path) -> bool:
    """Return whether this is a regular file that is empty, or that begins with zero bytes."""
    try:
        fd = open_regular(file, follow=False)
    except OSError:
        return False
    with os.fdopen(fd, "rb") as opened:
        return not opened.read(_FEW).strip(b"\0")
