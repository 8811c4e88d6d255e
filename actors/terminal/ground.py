"""The base of a terminal's actor: it implements the `Port` that the parts are given."""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, Unpack, cast

from actors.clis.judging import Judgement
from actors.clis.profile import Profile
from actors.platform import loop
from actors.pty.window import COLUMNS, ROWS
from actors.system.stage import CompanyActor, Stage
from actors.terminal import port
from actors.terminal.port import Due, Timer
from actors.terminal.prepare import profile_for, unverified_version
from actors.terminal.screens import Screens
from bus import address as addresses
from bus import clock
from bus.facts import Fact
from bus.kinds import Role
from bus.messages import Look
from bus.plan import AutoConfirm, Plan, TerminalPlan
from bus.rows import Terminal
from bus.status import TerminalStatus
from store.change import AccountNews, Operation, update_terminal
from store.columns import TerminalColumns
from store.errors import LostRace

log = logging.getLogger("callboard.terminal")

T = TypeVar("T")


class Ground(CompanyActor):
    """The row, the plan, the screen and the timers of a terminal, and the storing of facts.

    Used in the actor's thread only. `on_start` reads `row`.
    """

    def __init__(self, stage: Stage, address: str) -> None:
        super().__init__(stage)
        self.at = address
        self.workflow_id = addresses.workflow_of(address)
        self.size = (ROWS, COLUMNS)
        self.row = _nothing_wanted(address)
        self._screens = Screens(
            address, stage.workers.screens, lambda seconds: self.after(Timer.SCREEN, seconds)
        )
        self._directory: tuple[int, Path] | None = None
        self._timers: dict[Timer, loop.Timer] = {}
        self._version_asked: tuple[str | None, float] | None = None

    def on_start(self) -> None:
        """Read the row."""
        self.row = self.stage.reader.terminal(self.at) or self.row

    # ---- timers --------------------------------------------------------------------------

    def after(self, timer: Timer, seconds: float) -> None:
        """Send this actor `Due(timer)` after `seconds`; replace a timer that runs."""
        self.cancel(timer)
        where, due = self.address, Due(timer, self.row.incarnation)
        self._timers[timer] = self.stage.timers.after(seconds, where, due)

    def cancel(self, timer: Timer) -> None:
        """Stop a timer, if it runs."""
        running = self._timers.pop(timer, None)
        if running is not None:
            running.cancel()

    def cancel_all(self) -> None:
        """Stop every timer."""
        for timer in list(self._timers):
            self.cancel(timer)

    # ---- what the plan says --------------------------------------------------------------

    @cached_property
    def plan(self) -> Plan:
        """The workflow's plan."""
        return self.stage.reader.plan(self.workflow_id)

    @cached_property
    def asked(self) -> TerminalPlan:
        """What the plan says of this terminal."""
        return self.stage.reader.terminal_plan(self.at)

    @cached_property
    def profile(self) -> Profile:
        """The profile of the terminal's CLI. Raise `LaunchRefused` if there is none."""
        return profile_for(self.plan, self.row.cli)

    @property
    def unverified(self) -> str | None:
        """The version of the program, if the profile was not verified with it; else None.

        It is "" if it is unknown, as on a busy machine that could not say it in time. Then it is
        asked again, once in `VERSION_SECONDS`.
        """
        asked = self._version_asked
        if asked is None or (asked[0] == "" and clock.awake() - asked[1] >= port.VERSION_SECONDS):
            version = unverified_version(self.stage, self.plan, self.profile)
            asked = self._version_asked = version, clock.awake()
        return asked[0]

    def read_again(self) -> None:
        """Forget the window's size and what was read of the plan for this terminal.

        Another incarnation may run another program.
        """
        self.size = (ROWS, COLUMNS)
        for name in ("plan", "asked", "profile"):
            self.__dict__.pop(name, None)
        self._version_asked = None

    @property
    def auto_confirm(self) -> AutoConfirm:
        """The policy for prompts: `never` if the version of the program is unverified."""
        return self.asked.auto_confirm if self.unverified is None else "never"

    @property
    def may_begin(self) -> bool:
        """Whether the terminal may begin.

        A task's terminal always may; that of the merge waits for its worktree.
        """
        if self.row.task:
            return True
        workflow = self.stage.reader.workflow(self.workflow_id)
        return workflow is not None and workflow.merge.laid_out

    # ---- what it sees ----------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        """The directory of this incarnation's host."""
        number = self.row.incarnation
        if self._directory is None or self._directory[0] != number:
            self._directory = number, self.stage.paths.terminal_dir(self.at, number)
        return self._directory[1]

    def judge(self, before: int | None = None) -> Judgement:
        """Judge the newest screen, compared with the screen at offset `before`."""
        return self._screens.judge(self.profile, self.directory, self.size, before)

    def read_screen(self, function: Callable[..., T], *args: Any) -> T:
        """Call `function(profile, directory, rows, columns, *args)` in a worker process.

        Raise `Unreadable`, or what the function raises.
        """
        return self._screens.read(function, self.profile, self.directory, self.size, *args)

    def commit(self, change: Sequence[Operation]) -> None:
        """Store a change in the actor's name. Raise `StoreError`, or `Fenced`."""
        self.stage.commit(self, change)

    def observe(
        self,
        fact: Fact | AccountNews,
        *,
        also: Sequence[Operation] = (),
        while_alive: bool = False,
        **columns: Unpack[TerminalColumns],
    ) -> bool:
        """Store `fact`, set `columns` and do `also` in one transaction; read the row again.

        The transaction requires that the incarnation and the old values of `columns` are unchanged
        and, with `while_alive`, that the program is to be alive. Return False if that is not so:
        the fact was told before, or belongs to a former incarnation. Raise `StoreError`, or
        `Fenced`.
        """
        row = self.row
        fence: TerminalColumns = {"incarnation": row.incarnation}
        if while_alive:
            fence["shall_run"] = True
        old = cast(TerminalColumns, {name: getattr(row, name) for name in columns})
        try:
            change = update_terminal(self.at, {**fence, **old}, **(columns or fence))
            self.commit([change, fact, *also])
        except LostRace as lost:
            log.info("%s: told before: %s", self.at, lost)
            return False
        finally:
            self.row = self.stage.reader.terminal(self.at) or self.row
            if "gone" in columns:  # there is nothing more to do for this incarnation
                self.stage.tell(self.address, Look())
        return True


def _nothing_wanted(address: str) -> Terminal:
    """Return a stand-in for the row of a terminal that has none."""
    return Terminal(
        address=address,
        task="",
        position=0,
        role=Role.CODER,
        cli="",
        status=TerminalStatus.NOT_STARTED,
    )
