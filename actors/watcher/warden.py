"""The warden: it notices at once that the worktree of a program at work was removed.

Nobody but Callboard removes a worktree while a program works in it. An agent can do it all the
same, with `rm -rf` or `git worktree remove`, also to the worktree of another task. Its program
would go on in a directory that is gone, and only its silence would tell.

One inotify instance watches the directories above all worktrees of the home. Where the system has
no inotify, the warden looks every `LOOK_SECONDS`.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from actors.supervision.actor import handles
from actors.system.stage import CompanyActor, Stage
from bus import address as addresses
from bus.facts import WorktreeLost
from bus.rows import Terminal, Workflow
from bus.status import TerminalStatus
from store.errors import StoreError

if sys.platform == "linux":
    from inotify_simple import INotify, flags

log = logging.getLogger("callboard.warden")

LOOK_SECONDS = 30.0
"""How often to look where the system does not tell."""

_AT_WORK = (TerminalStatus.WAITING, TerminalStatus.RUNNING)


class Begin(msgspec.Struct, frozen=True):
    """Begin to watch."""


class Removed(msgspec.Struct, frozen=True):
    """Something was removed below these directories; empty means anywhere."""

    workflows: frozenset[str] = frozenset()


class Warden(CompanyActor):
    """Compares the rows of programs at work with the disk. Handlers wait for the journal only."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._top = stage.paths.home / "worktrees"
        self._watch: _Watch | None = None
        self._told: set[tuple[str, int]] = set()

    def on_start(self) -> None:
        """Have this actor begin to watch: that takes long enough to delay the runtime's start."""
        self.stage.timers.notify(self.address, Begin())

    @handles(Begin)
    def begin(self, _message: Begin) -> None:
        """Watch, and then look: what was removed before is told too."""
        try:
            self._watch = _Watch(self._top) if sys.platform == "linux" else None
        except OSError as error:
            log.warning("%s is not watched: %s", self._top, error)
        if self._watch is not None:
            watch, loop = self._watch, self.stage.loop
            loop.post(lambda: loop.watch(watch, lambda: self._changed(watch), None))
        self.removed(Removed())

    def on_stop(self) -> None:
        """Stop watching."""
        watch, self._watch = self._watch, None
        if watch is not None:
            self.stage.loop.post(lambda: self._end(watch))

    def on_failure(self, *_: object) -> None:
        """Stop watching."""
        self.on_stop()

    @handles(Removed)
    def removed(self, message: Removed) -> None:
        """Tell each worktree that is gone though a program works there, once.

        A database that cannot be read or written is no failure of the warden, whose failures would
        end the runtime. It looks again later.
        """
        again = self._watch is None and not message.workflows
        try:
            for id in message.workflows or self.stage.reader.unfinished_ids():
                self._look(id)
        except StoreError as error:
            log.warning("worktrees are not looked at: %s", error)
            again = True
        if again:
            self.stage.timers.after(LOOK_SECONDS, self.address, Removed())

    def _look(self, id: str) -> None:
        workflow = self.stage.reader.workflow(id)
        for terminal, where, path in _at_work(workflow) if workflow is not None else ():
            key = (terminal.address, terminal.incarnation)
            if key in self._told or Path(path).is_dir():
                continue
            fact = WorktreeLost(
                address=where,
                terminal=terminal.address,
                incarnation=terminal.incarnation,
                path=path,
            )
            self.stage.commit(self, [fact])
            self._told.add(key)

    # ---- in the loop's thread ------------------------------------------------------------

    def _changed(self, watch: "_Watch") -> None:
        names = watch.drain()
        if names is None:
            self.stage.timers.notify(self.address, Removed())
        elif names:
            self.stage.timers.notify(self.address, Removed(frozenset(names)))

    def _end(self, watch: "_Watch") -> None:
        self.stage.loop.unwatch(watch.fileno())
        watch.close()


def _at_work(workflow: Workflow) -> Iterator[tuple[Terminal, str, str]]:
    """Yield each program at work with its task's (or its own) address, and its worktree."""
    for task in workflow.tasks:
        for terminal in task.terminals:
            if _works(terminal) and task.worktree:
                yield terminal, task.address, task.worktree
    helper = workflow.merge_terminal
    if helper is not None and _works(helper) and workflow.merge.worktree:
        yield helper, addresses.merge_terminal(workflow.id), workflow.merge.worktree


def _works(terminal: Terminal) -> bool:
    return terminal.status in _AT_WORK and terminal.shall_run and not terminal.gone


class _Watch:
    """An inotify instance on a directory and the directories in it.

    The directory need not be there: the one above it is watched too.
    """

    def __init__(self, top: Path) -> None:
        self._top = top
        self._inotify = INotify()
        self._names: dict[int, str] = {}
        made = flags.CREATE | flags.MOVED_TO
        try:
            self._above = self._inotify.add_watch(str(top.parent), made | flags.ONLYDIR)
            self._cover()
        except OSError:
            self._inotify.close()
            raise

    def fileno(self) -> int:
        return int(self._inotify.fileno())

    def close(self) -> None:
        self._inotify.close()

    def drain(self) -> set[str] | None:
        """Return the directories in which something was removed; None means anywhere."""
        found: set[str] = set()
        anywhere = False
        for event in self._inotify.read(timeout=0):
            below = self._names.get(event.wd)
            if event.mask & flags.IGNORED:
                self._names.pop(event.wd, None)
            elif event.wd == self._above:
                anywhere |= event.name == self._top.name
            elif event.mask & flags.Q_OVERFLOW or below == "":
                anywhere = True
            elif below is not None:
                found.add(below)
        if anywhere:
            self._cover()
            return None
        return found

    def _cover(self) -> None:
        """Watch the directory and those in it, as far as they are there."""
        gone = flags.DELETE | flags.MOVED_FROM | flags.ONLYDIR | flags.DONT_FOLLOW
        with suppress(FileNotFoundError, NotADirectoryError):
            made = flags.CREATE | flags.MOVED_TO
            self._names[self._inotify.add_watch(str(self._top), gone | made)] = ""
            for directory in self._top.iterdir():
                with suppress(FileNotFoundError, NotADirectoryError):
                    self._names[self._inotify.add_watch(str(directory), gone)] = directory.name
