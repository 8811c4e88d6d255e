"""Update a checkout of the target from one commit to its descendant; keep the user's changes.

A checkout is the user's clone or any worktree. The order of the steps makes it
safe to be killed at any point:

1. `hold.take` stores what will be done and locks the index (`actors.git.landing.hold`).
2. `in_the_way` checks that every path to be changed is as in `old`, or already as in `new`.
3. The caller moves the ref.
4. `bring` writes files aside and renames each into place, so each is old or new and never half
   written. It replaces the index last, by one rename. If it is killed, a repeated call has the same
   result.
5. `release` removes what was written aside, the lock and the intent.

A file that changes between steps 2 and 4 is left as the user has it, and git shows it as modified.
After a crash, a person may remove our lock and stage a file. Its index entry is left, too. All
other entries are set to `new`: with a stale entry, the next commit would undo the landed change.

Sparse checkouts: files outside the cone are not written; files new to the repository are.
Submodules: the index entry is updated, but not the submodule's own checkout
(`git submodule update`).
"""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from actors.git.landing.hold import INTENT, Hold
from actors.git.reading.changes import is_as_staged
from actors.git.running.command import NOT_INSIDE, GitRefused, GitUnknown, git, split0
from actors.git.running.names import read_name
from actors.git.running.places import own_git_dir

_GITLINK: Final = "160000"
_READ_TREE_REFUSALS: Final = (
    "Cannot merge|would be overwritten|would lose untracked|resolve your current index first"
)


_NAMED: Final = re.compile(r"^error: Entry '(.+?)' ", re.MULTILINE)


class Change(msgspec.Struct, frozen=True):
    """One path that differs between two commits."""

    path: str
    status: str
    """`A` | `D` | `M` | `T`."""
    is_submodule: bool


class Checkout:
    """One checkout: its directory, and its own git directory (not the common one)."""

    def __init__(self, path: str) -> None:
        self.path = path
        admin = own_git_dir(path)
        if admin is None:
            raise FileNotFoundError(f"{path} is no checkout any more")
        self._admin = admin
        self._index = self._admin / "index"
        self.hold = Hold(self._admin)
        self._aside = self._admin / f"{INTENT}.d"

    def rebasing(self) -> str | None:
        """Return the branch (full ref) that a rebase here will set when it ends; None for none."""
        for name in ("rebase-merge", "rebase-apply"):
            with contextlib.suppress(FileNotFoundError):
                return read_name(self._admin / name / "head-name")
        return None

    def release(self) -> None:
        """Remove what was written aside, and let other git programs change the index again."""
        shutil.rmtree(self._aside, ignore_errors=True)
        self.hold.release()

    def in_the_way(self, old: str, new: str) -> list[str]:
        """Return the files that keep the checkout from being updated from `old` to `new`."""
        changes = self._changes(old, new)
        names = {change.path for change in changes}
        gone = {change.path for change in changes if change.status == "D"}
        staged = self._staged(old) & self._staged(new)
        unmerged = set(
            split0(git("diff", "--name-only", "-z", "--diff-filter=U", NOT_INSIDE, at=self.path))
        )
        with self._scratch_index():
            tags = self._tags()
            dirty_old = self._dirty()
            blocked = (names & staged) | unmerged
            try:
                self._read_trees(old, new)
            except GitRefused as error:
                return sorted(blocked | set(_NAMED.findall(error.stderr))) or [error.stderr]
            dirty_new = self._dirty()
        for change in changes:
            tag = tags.get(change.path, "H")
            if tag.islower():  # assume-unchanged: git does not look, so its state is unknown
                blocked.add(change.path)
            elif tag != "S" and not change.is_submodule:
                blocked |= self._blocked_by(change, dirty_old, dirty_new, gone)
        return sorted(blocked)

    def bring(self, old: str, new: str) -> list[str]:
        """Update files and index to `new`; return the files left alone because they changed.

        Call it between `hold.take` and `release`, after the ref has moved. It may be repeated.
        """
        pending = self._staged(new)  # entries that are as in `new` already need nothing
        changes = [change for change in self._changes(old, new) if change.path in pending]
        kept: list[str] = []
        with self._scratch_index():
            tags = self._tags()
            dirty_old = self._dirty()
            try:
                self._read_trees(old, new)
            except GitRefused:
                kept = self._read_entries(old, new, pending)
                changes = [change for change in changes if change.path not in kept]
            dirty_new = self._dirty()
            mine = [
                change
                for change in changes
                if tags.get(change.path, "H") != "S" and not change.is_submodule
            ]
            wanted = [c.path for c in mine if c.status != "D" and c.path in dirty_new]
            self._write_aside(wanted)
            kept += self._delete([c.path for c in mine if c.status == "D"], dirty_old)
            kept += self._place(wanted, dirty_old, tags)
            with contextlib.suppress(GitUnknown):  # it only saves git from reading the files later
                self._refresh()
            os.replace(self._scratch, self._index)  # noqa: PTH105
        return kept

    # Questions to git. They use a copy of the index, which keeps the file stats.

    @property
    def _scratch(self) -> Path:
        return self._aside / "index"

    @contextlib.contextmanager
    def _scratch_index(self) -> Iterator[None]:
        shutil.rmtree(self._aside, ignore_errors=True)
        self._aside.mkdir()
        if self._index.exists():
            shutil.copy2(self._index, self._scratch)
        try:
            yield
        finally:
            shutil.rmtree(self._aside, ignore_errors=True)

    def _git(
        self,
        *args: str,
        stdin: bytes = b"",
        codes: tuple[int, ...] = (0,),
        refusals: str = "",
    ) -> bytes:
        env = {"GIT_INDEX_FILE": str(self._scratch)}
        options = ("-c", "core.splitIndex=false", "-c", "core.untrackedCache=false")
        return git(
            *options, *args, at=self.path, env=env, stdin=stdin, codes=codes, refusals=refusals
        )

    def _changes(self, old: str, new: str) -> list[Change]:
        output = split0(
            git("diff-tree", "-r", "-z", "--raw", "--no-renames", old, new, at=self.path)
        )
        return [
            Change(path, info.split(" ")[4], _GITLINK in (info[1:7], info.split(" ")[1]))
            for info, path in zip(output[::2], output[1::2], strict=True)
        ]

    def _staged(self, commit: str) -> set[str]:
        """Return the paths whose index entry differs from `commit`."""
        command = ("diff-index", "--cached", "--name-only", "-z", "--no-renames", commit)
        return set(split0(git(*command, at=self.path)))

    def _refresh(self) -> None:
        self._git("update-index", "-q", "--refresh", codes=(0, 1))

    def _dirty(self) -> set[str]:
        """Return the paths whose file differs from the scratch index, or is missing."""
        self._refresh()
        output = self._git("diff-files", "--raw", "-z", "--no-renames", NOT_INSIDE).split(b"\0")
        return {
            os.fsdecode(name)
            for info, name in zip(output[::2], output[1::2], strict=False)
            if not self._is_as_staged(info, name)
        }

    def _is_as_staged(self, info: bytes, name: bytes) -> bool:
        """Return whether a file that git calls modified has the staged bytes and mode.

        In such a file, only the line ends would be rewritten.
        """
        old, new, oid, _, status = info.removeprefix(b":").split(b" ")
        return (
            status == b"M" and old == new and is_as_staged(Path(self.path, os.fsdecode(name)), oid)
        )

    def _tags(self) -> dict[str, str]:
        """Return the tag of each path: `S` is skip-worktree, lower case is assume-unchanged."""
        lines = split0(self._git("ls-files", "-v", "-z"))
        return {line[2:]: line[0] for line in lines}

    def _read_trees(self, old: str, new: str) -> None:
        self._git("read-tree", "-i", "-m", old, new, refusals=_READ_TREE_REFUSALS)

    def _read_entries(self, old: str, new: str, pending: set[str]) -> list[str]:
        """Set the entries of `pending` to `new`, one by one, in the scratch index.

        An entry that differs from `old` was staged by a person: it is kept, and its path returned.
        """
        staged = self._staged(old) & pending
        follow = sorted(pending - staged)
        skipped = [path for path, tag in self._tags().items() if tag == "S"]
        entries = {line.partition("\t")[2]: line for line in self._tree(new)}
        gone = [f"0 {'0' * 40}\t{path}" for path in follow if path not in entries]
        lines = [*gone, *(entries[path] for path in follow if path in entries)]
        self._feed("update-index", "-z", "--index-info", lines=lines)
        known = [path for path in skipped if path in entries]
        self._feed("update-index", "-z", "--skip-worktree", "--stdin", lines=known)
        return sorted(staged)

    def _tree(self, commit: str) -> list[str]:
        """Return `MODE TYPE OID<TAB>PATH` of every file of a commit."""
        return split0(git("ls-tree", "-r", "-z", commit, at=self.path))

    def _feed(self, *args: str, lines: list[str]) -> None:
        self._git(*args, stdin=b"".join(os.fsencode(line) + b"\0" for line in lines))

    # Files on disk.

    def _blocked_by(
        self, change: Change, dirty_old: set[str], dirty_new: set[str], gone: set[str]
    ) -> set[str]:
        path = change.path
        if change.status == "D":
            return {path} if path in dirty_old and self._exists(path) else set()
        if path not in dirty_new:
            return set()  # it is `new` already
        if change.status != "A":
            return {path} if path in dirty_old else set()
        place = Path(self.path, path)
        if place.is_dir() and not place.is_symlink():
            inside = {
                str(file.relative_to(self.path)) for file in place.rglob("*") if not file.is_dir()
            }
            return inside - gone
        if self._exists(path):
            return {path}
        above = self._wrong_parent(path)
        return {above} if above is not None and above not in gone else set()

    def _exists(self, path: str) -> bool:
        return os.path.lexists(Path(self.path, path))

    def _wrong_parent(self, path: str) -> str | None:
        """Return the parent of `path` that is a file or a symbolic link; None if there is none."""
        for parent in reversed(Path(path).parents[:-1]):
            real = Path(self.path, parent)
            if real.is_symlink() or (real.exists() and not real.is_dir()):
                return str(parent)
        return None

    def _delete(self, paths: list[str], dirty_old: set[str]) -> list[str]:
        kept = []
        for path in paths:
            if self._wrong_parent(path) is not None:
                continue
            file = Path(self.path, path)
            if file.is_dir() and not file.is_symlink():
                continue  # `new` has a directory here, made before a crash
            if self._exists(path):
                if path in dirty_old:
                    kept.append(path)
                    continue
                file.unlink()
            self._prune(file)  # also if the file was deleted before a crash
        return kept

    def _prune(self, file: Path) -> None:
        """Remove the parent directories that are empty without `file`."""
        for parent in file.parents:
            if parent == Path(self.path):
                return
            try:
                parent.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return

    @property
    def _new_files(self) -> Path:
        return self._aside / "files"

    def _write_aside(self, paths: list[str]) -> None:
        """Write the files of `paths` aside.

        Git's filters run here and may hang or fail; nothing in the checkout has changed yet.
        """
        names = b"\0".join(os.fsencode(path) for path in paths)
        prefix = f"--prefix={self._new_files}/"
        self._git("checkout-index", "-q", "-z", "--stdin", prefix, stdin=names)

    def _place(self, paths: list[str], dirty_old: set[str], tags: dict[str, str]) -> list[str]:
        """Rename the files written aside into place; return those that were left alone."""
        kept = []
        for path in paths:
            is_old = path in tags and path not in dirty_old
            free = not self._exists(path) and self._wrong_parent(path) is None
            if not is_old and not free:
                kept.append(path)
                continue
            goal = Path(self.path, path)
            goal.parent.mkdir(parents=True, exist_ok=True)
            _move(self._new_files / path, goal)
        return kept


def _move(source: Path, goal: Path) -> None:
    try:
        os.replace(source, goal)  # noqa: PTH105
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The git directory is on another file system (`git init --separate-git-dir`).
        beside = goal.with_name(f".{goal.name[:200]}.callboard")
        shutil.copy2(source, beside, follow_symlinks=False)
        os.replace(beside, goal)  # noqa: PTH105
