"""Bring a checkout of the target from one commit to its descendant, without touching what is mine.

A checkout here is the user's clone or any worktree. The order makes every instant safe:

1. `lock`: an intent file (old, new) in the checkout's git directory, then `index.lock` as a hard
   link to it, or as a file of the same bytes where there are no links. So a lock left by a crash is
   provably ours, and no other git changes the index.
2. `in_the_way`: every path that would change must be as it was in `old`, or as in `new` already.
3. (the caller moves the ref)
4. `bring`: files are written aside and renamed into place, so each is old or new, never half; the
   index comes last, by one rename. Killed anywhere, `bring` again ends the same.
5. `unlock`: the lock goes first, the intent after it.

A file that changes between 2 and 4 is left as its user has it, and shows as modified. The same
holds for an index entry, when a person took our lock away after a crash and staged a file; all
other entries follow, because the next commit would take back what a stale entry has.
Sparse checkouts: files outside the cone stay outside; files new to the repository are written.
Submodules: the index moves, the submodule's own checkout does not (`git submodule update`).
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

from actors.git.changes import is_as_staged
from actors.git.command import NOT_INSIDE, GitRefused, GitUnknown, git, git_line, split0
from actors.git.names import read_name
from actors.platform import disk

_INTENT: Final = "callboard-land"
_GITLINK: Final = "160000"
_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What `link` says on a file system without hard links (exFAT, some network shares)."""
_READ_TREE_REFUSALS: Final = (
    "Cannot merge|would be overwritten|would lose untracked|resolve your current index first"
)


class Intent(msgspec.Struct, frozen=True):
    """What a landing is about to do; stands in the checkout's git directory until it is done."""

    target: str
    old: str
    new: str


_NAMED: Final = re.compile(r"^error: Entry '(.+?)' ", re.MULTILINE)
_decode_intent = msgspec.json.Decoder(Intent).decode


class Change(msgspec.Struct, frozen=True):
    """One path that differs between two commits."""

    path: str
    status: str
    """`A` | `D` | `M` | `T`."""
    is_submodule: bool


class Locked(Exception):
    """Another program holds the index; `path` is its lock file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Checkout:
    """One checkout: its directory, and its own git directory (not the common one)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._admin = Path(git_line("rev-parse", "--absolute-git-dir", at=path))
        self._index = self._admin / "index"
        self._lock = self._admin / "index.lock"
        self._intent = self._admin / _INTENT
        self._aside = self._admin / f"{_INTENT}.d"

    def intent(self) -> Intent | None:
        """The landing that was begun here and not ended."""
        try:
            return _decode_intent(self._intent.read_bytes())
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:  # torn by a power cut, so before the ref was moved
            self.unlock()
            return None

    def rebasing(self) -> str | None:
        """The branch (full ref) that a rebase here will write when it ends; HEAD is detached."""
        for name in ("rebase-merge", "rebase-apply"):
            with contextlib.suppress(FileNotFoundError):
                return read_name(self._admin / name / "head-name")
        return None

    def lock(self, intent: Intent) -> None:
        """Declare the intent and take the index lock; raises `Locked`. Ours already: fine."""
        standing = self.intent()
        if standing not in (None, intent):
            raise Locked(str(self._lock))  # an earlier landing that has not ended here
        declared = standing == intent
        if not declared:
            disk.write_durably(self._intent, msgspec.json.encode(intent))
        try:
            self._take_lock()
        except FileExistsError:
            if self._is_our_lock():
                return
            if not declared:
                self._intent.unlink()
            raise Locked(str(self._lock)) from None

    def _take_lock(self) -> None:
        """Make the lock file, which shows whose it is. Raises `FileExistsError`."""
        try:
            os.link(self._intent, self._lock)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with self._lock.open("xb") as file:
                file.write(self._intent.read_bytes())

    def unlock(self) -> None:
        """Forget the intent. Without one, nothing happens."""
        shutil.rmtree(self._aside, ignore_errors=True)
        if self._is_our_lock():
            self._lock.unlink()
        self._intent.unlink(missing_ok=True)

    def in_the_way(self, old: str, new: str) -> list[str]:
        """The files that keep the checkout from going from `old` to `new`; empty when none does."""
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
            if tag.islower():  # assume-unchanged: git was told not to look, so we do not know
                blocked.add(change.path)
            elif tag != "S" and not change.is_submodule:
                blocked |= self._blocked_by(change, dirty_old, dirty_new, gone)
        return sorted(blocked)

    def bring(self, old: str, new: str) -> list[str]:
        """Make files and index those of `new`; return files left alone because they changed since.

        To be called between `lock` and `unlock`, after the ref has moved; may be repeated.
        """
        pending = self._staged(new)  # index entries that are `new` already are done
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
            with contextlib.suppress(GitUnknown):  # it spares git a look at the files later on
                self._refresh()
            os.replace(self._scratch, self._index)  # noqa: PTH105
        return kept

    # What git says. All of it reads a copy of the index, so that its file stats are still good.

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
        """Paths whose index entry differs from `commit`."""
        command = ("diff-index", "--cached", "--name-only", "-z", "--no-renames", commit)
        return set(split0(git(*command, at=self.path)))

    def _refresh(self) -> None:
        self._git("update-index", "-q", "--refresh", codes=(0, 1))

    def _dirty(self) -> set[str]:
        """Paths whose file differs from the scratch index, or is missing."""
        self._refresh()
        output = self._git("diff-files", "--raw", "-z", "--no-renames", NOT_INSIDE).split(b"\0")
        return {
            os.fsdecode(name)
            for info, name in zip(output[::2], output[1::2], strict=False)
            if not self._is_as_staged(info, name)
        }

    def _is_as_staged(self, info: bytes, name: bytes) -> bool:
        """Whether a file that git calls modified has the bytes and the mode that are staged: only
        its line ends would be rewritten.
        """
        old, new, oid, _, status = info.removeprefix(b":").split(b" ")
        return (
            status == b"M" and old == new and is_as_staged(Path(self.path, os.fsdecode(name)), oid)
        )

    def _tags(self) -> dict[str, str]:
        """`S` skip-worktree, lower case assume-unchanged, by path."""
        lines = split0(self._git("ls-files", "-v", "-z"))
        return {line[2:]: line[0] for line in lines}

    def _read_trees(self, old: str, new: str) -> None:
        self._git("read-tree", "-i", "-m", old, new, refusals=_READ_TREE_REFUSALS)

    def _read_entries(self, old: str, new: str, pending: set[str]) -> list[str]:
        """Set the entries of `pending` to `new`, one by one, in the scratch index.

        An entry that differs from `old` was staged by a person: it stays, and is returned.
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
        """`MODE TYPE OID<TAB>PATH` of every file of a commit."""
        return split0(git("ls-tree", "-r", "-z", commit, at=self.path))

    def _feed(self, *args: str, lines: list[str]) -> None:
        self._git(*args, stdin=b"".join(os.fsencode(line) + b"\0" for line in lines))

    def _is_our_lock(self) -> bool:
        """A hard link to the intent; where the file system has none, a file of the same bytes."""
        try:
            if self._lock.samefile(self._intent):
                return True
            intent = self._intent.read_bytes()
            return self._lock.stat().st_size == len(intent) and self._lock.read_bytes() == intent
        except FileNotFoundError:
            return False

    # What lies on disk.

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
        """The part of `path` that must be a directory and is a file or a symbolic link."""
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
                continue  # `new` has a directory here, and a crash came after it was made
            if self._exists(path):
                if path in dirty_old:
                    kept.append(path)
                    continue
                file.unlink()
            self._prune(file)  # also for a file that was deleted before a crash
        return kept

    def _prune(self, file: Path) -> None:
        """Remove the directories that `file` has left empty."""
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
        """Git's filters run here, and may hang or fail, while nothing has been changed."""
        names = b"\0".join(os.fsencode(path) for path in paths)
        prefix = f"--prefix={self._new_files}/"
        self._git("checkout-index", "-q", "-z", "--stdin", prefix, stdin=names)

    def _place(self, paths: list[str], dirty_old: set[str], tags: dict[str, str]) -> list[str]:
        """Rename what was written aside into its place."""
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
