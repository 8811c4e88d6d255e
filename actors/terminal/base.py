"""What every part of a terminal actor needs: its row, what the plan asks of it, its screen,
its timers, and the way to tell what it sees.
"""

import logging
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from actors.clis.judging import Judgement, judge
from actors.clis.profile import Profile
from actors.platform.loop import Timer
from actors.platform.workers import WorkerLate
from actors.system.stage import CompanyActor, Stage
from actors.terminal.prepare import profile_for, unverified_version
from bus import address as addresses
from bus.plan import AutoConfirm, Plan, TerminalPlan
from bus.rows import Terminal
from store.change import Operation
from store.errors import LostRace

log = logging.getLogger("callboard.terminal")

ROWS, COLUMNS = 40, 120

UNREADABLE_SECONDS = 120.0
"""A screen that could not be read in time is looked at again after so long."""

T = TypeVar("T")


class Unreadable(Exception):
    """The screen could not be read in time."""


class Due(msgspec.Struct, frozen=True):
    """A timer of this incarnation is due."""

    what: str
    incarnation: int


class TerminalBase(CompanyActor):
    """The ground under `TerminalActor`. `row` is there after the first look; all of it runs
    in the actor's thread."""

    row: Terminal

    def __init__(self, stage: Stage, address: str) -> None:
        super().__init__(stage)
        self.at = address
        self.workflow_id = addresses.workflow_of(address)
        self.size = (ROWS, COLUMNS)
        self.unreadable = ""  # why the last look at the screen failed
        self._unreadable_until = 0.0
        self._timers: dict[str, Timer] = {}

    # ---- timers --------------------------------------------------------------------------

    def later(self, what: str, seconds: float) -> None:
        """`Due(what)` in so many seconds; replaces an earlier one of this name."""
        self.cancel(what)
        where, due = self.address, Due(what, self.row.incarnation)
        self._timers[what] = self.stage.timers.after(seconds, where, due)

    def cancel(self, what: str) -> None:
        timer = self._timers.pop(what, None)
        if timer is not None:
            timer.cancel()

    def cancel_all(self) -> None:
        for what in list(self._timers):
            self.cancel(what)

    def is_due(self, what: str) -> bool:
        """Whether a timer of this name runs."""
        return what in self._timers

    # ---- what the plan asks ----------------------------------------------------------------

    @cached_property
    def plan(self) -> Plan:
        return self.stage.reader.plan(self.workflow_id)

    @cached_property
    def asked(self) -> TerminalPlan:
        return self.stage.reader.terminal_plan(self.at)

    @cached_property
    def profile(self) -> Profile:
        return profile_for(self.plan, self.row.cli)

    @cached_property
    def unverified(self) -> str | None:
        """The program's version where nobody verified the profile with it; else None."""
        return unverified_version(self.stage, self.profile)

    def read_again(self) -> None:
        """Another incarnation may be another program (`repair --cli`)."""
        for name in ("asked", "profile", "unverified"):
            self.__dict__.pop(name, None)

    @property
    def auto_confirm(self) -> AutoConfirm:
        """What may be answered unasked: nothing on the screens of an unknown version."""
        return self.asked.auto_confirm if self.unverified is None else "never"

    @property
    def may_begin(self) -> bool:
        """What it is to work on is there: the merge terminal waits for its worktree."""
        if self.row.task:
            return True
        workflow = self.stage.reader.workflow(self.workflow_id)
        return workflow is not None and workflow.merge.staged

    @property
    def directory(self) -> Path:
        return self.stage.paths.terminal_dir(self.at, self.row.incarnation)

    def judge(self, before: int | None = None) -> Judgement:
        """The newest screen. One that cannot be read is nothing the profile knows, and says
        so where its text would be."""
        try:
            return self.read_screen(judge, before)
        except Unreadable as error:
            return Judgement(str(error), -1, ready=False, busy=False, began=False, prompt=None)

    def read_screen(self, function: Callable[..., T], *args: Any) -> T:
        """`function(profile, directory, rows, columns, *args)` in a worker process. Raises what
        it raises, or `Unreadable`: then not tried again for a while, for others wait for that
        worker too."""
        if time.monotonic() < self._unreadable_until:
            raise Unreadable(self.unreadable)
        try:
            seen = self.stage.workers.screens.call(
                function, self.profile, self.directory, *self.size, *args
            )
        except WorkerLate as late:
            self._unreadable_until = time.monotonic() + UNREADABLE_SECONDS
            self.unreadable = (
                f"(its screen cannot be read: {late}; does a pattern of its profile, `ready` or "
                f"`busy` or that of a prompt, backtrack without end?)"
            )
            log.warning("%s %s", self.at, self.unreadable)
            self.later("screen", UNREADABLE_SECONDS)
            raise Unreadable(self.unreadable) from late
        self.unreadable = ""
        return seen

    def store(self, change: list[Operation]) -> bool:
        """Store an observation, and read the row again. False where it was told before, or
        is of an incarnation gone by."""
        try:
            self.stage.commit(self, change)
        except LostRace as lost:
            log.info("%s: told before: %s", self.at, lost)
            return False
        finally:
            self.row = self.stage.reader.terminal(self.at) or self.row
        return True
