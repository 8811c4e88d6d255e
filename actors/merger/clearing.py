"""Remove what a workflow that is over left: worktrees, refs, and the files of its terminals.

Runs in a worker process, because removing the worktrees of a large repository takes minutes. Each
step may be repeated; one that was cut short is finished by the next call.
"""

import os
import re
from pathlib import Path
from shlex import quote
from typing import Final

import msgspec

from actors.git.landing import tested
from actors.git.reading.refs import HEADS, read_ref
from actors.git.running.command import GitFailed
from actors.git.running.converting import as_submitted
from actors.git.running.errors import RepositoryError
from actors.git.trees import worktrees
from actors.git.trees.leftovers import sweep
from actors.git.trees.reach import Unseen
from actors.platform import disk
from actors.pty.ending import hosts_below
from bus.results import Cleaned, Kept
from bus.rows import Workflow

_TESTED: Final = ".tested"
"""The name of the directory in which the tests of the merge run."""
_MARK: Final = re.compile(r"\..+\.(set-up|removing)\Z|.+\.removing\Z")
"""Names of files and directories beside the worktrees that only Callboard makes."""


class Clearing(msgspec.Struct, frozen=True):
    """What to clear: the row of a workflow that is over, in this home.

    `spared` maps branches that other workflows need to the reason for which they stay. `settings`
    are the git settings of the submission. With `keep_outputs`, the files of the terminals stay.
    With `dry_run`, nothing is changed. `unseen` is for our git in the worktrees.
    """

    row: Workflow
    home: str
    spared: dict[str, str]
    settings: dict[str, str] | None = None
    dry_run: bool = False
    keep_outputs: bool = False
    unseen: Unseen = None


def clear(asked: Clearing) -> Cleaned:
    """Remove what nobody needs any more; return what was removed, and what stays and why."""
    return _Clear(asked).run()


class _Clear:
    def __init__(self, asked: Clearing) -> None:
        self._asked = asked
        self._row = asked.row
        self._home = Path(asked.home)
        self._removed: list[str] = []
        self._kept: list[Kept] = []

    def run(self) -> Cleaned:
        if Path(self._row.git_dir).is_dir():
            gone = [path for path, pin in self._places() if self._remove_worktree(path, pin)]
            self._clear_tests()
            self._sweep(gone)
        self._remove_directory(self._home / "worktrees" / self._row.id)
        if not self._asked.keep_outputs:
            self._remove_outputs(self._home / "terminals" / self._row.id)
        return Cleaned(
            workflow=self._row.id,
            removed=self._removed,
            kept=self._kept,
            dry_run=self._asked.dry_run,
            sizes=self._sizes() if self._asked.dry_run else {},
        )

    def _sizes(self) -> dict[str, int]:
        """Return the bytes that each directory takes which would be removed."""
        places = (Path(what) for what in self._removed if what.startswith("/"))
        return {str(place): disk.taken(place) for place in places}

    # ---- worktrees -------------------------------------------------------------------------

    def _places(self) -> list[tuple[str, str]]:
        """Return the paths of the worktrees, each with the name of its pin."""
        row = self._row
        found = {task.worktree: f"{row.id}/{task.id}" for task in row.tasks if task.worktree}
        for scratch in sorted((self._home / "worktrees" / row.id).glob(".*")):
            if scratch.is_dir() and scratch.name != _TESTED and not _MARK.match(scratch.name):
                found[str(scratch)] = f"{row.id}/{scratch.name.lstrip('.')}"
        return list(found.items())

    def _remove_worktree(self, path: str, pin_as: str) -> bool:
        """Remove a worktree. Return whether it is gone, or will be."""
        git_dir, home = self._row.git_dir, str(self._home)
        there = Path(path).exists()
        if not there and worktrees.registered(git_dir, path) is None:
            return True
        if not self._asked.dry_run:
            tip = read_ref(git_dir, HEADS + self._row.target) or ""
            try:
                at, unseen = (git_dir, home, path), self._asked.unseen
                with as_submitted(git_dir, self._asked.settings, path if there else ""):
                    worktrees.remove(*at, merged_into=tip, pin_as=pin_as, unseen=unseen)
            except (GitFailed, RepositoryError, OSError) as error:
                self._kept.append(Kept(path, str(error)))
                return False
        if there:
            self._removed.append(path)
        return True

    def _clear_tests(self) -> None:
        path = self._home / "worktrees" / self._row.id / _TESTED
        if os.path.lexists(path) and not self._asked.dry_run:
            try:
                tested.clear(self._row.git_dir, str(self._home), str(path))
            except (GitFailed, RepositoryError, OSError) as error:
                self._kept.append(Kept(str(path), str(error)))

    def _sweep(self, gone: list[str]) -> None:
        row = self._row
        branches = [task.branch for task in row.tasks if task.base]
        try:
            swept = sweep(
                row.git_dir,
                row.id,
                branches,
                self._asked.spared,
                going=gone,
                dry_run=self._asked.dry_run,
            )
        except (GitFailed, OSError) as error:
            self._kept.append(Kept(f"the refs in {row.git_dir}", str(error)))
        else:
            self._removed += swept.removed
            self._kept += swept.kept

    # ---- the home --------------------------------------------------------------------------

    def _remove_directory(self, place: Path) -> None:
        """Remove the directory of the worktrees, unless something is in it that stays."""
        if not place.is_dir():
            return
        for entry in sorted(place.iterdir()):
            if self._is_ours(entry):
                self._remove(entry)
            elif not self._is_told(entry):
                what = "its repository is gone" if entry.is_dir() else "Callboard did not make it"
                self._kept.append(
                    Kept(str(entry), f"{what}; remove it: rm -rf {quote(str(entry))}")
                )
        if not self._asked.dry_run and not any(place.iterdir()):
            place.rmdir()

    def _is_ours(self, entry: Path) -> bool:
        return bool(_MARK.match(entry.name))

    def _is_told(self, entry: Path) -> bool:
        return str(entry) in {*self._removed, *(kept.what for kept in self._kept)}

    def _remove_outputs(self, place: Path) -> None:
        if not place.is_dir():
            return
        if hosts := hosts_below(place):
            said = f"a program still runs there: {hosts[0].directory}"
            self._kept.append(Kept(str(place), said))
        elif self._remove(place):
            self._removed.append(str(place))

    def _remove(self, path: Path) -> bool:
        if self._asked.dry_run:
            return True
        try:
            if path.is_dir() and not path.is_symlink():
                disk.remove_tree(path)
            else:
                path.unlink()
        except OSError as error:
            self._kept.append(Kept(str(path), str(error)))
            return False
        return True
