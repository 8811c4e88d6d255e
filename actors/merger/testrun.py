"""A test run: the plan's test on the merged tree, under a host of its own.

The host gives what a terminal has: the output on disk within bounds, the exit status, the
end of the whole process group, and a run that survives the runtime.
"""

import logging
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from actors.git import land as landing
from actors.git.environment import project_env
from actors.platform.loop import Timer
from actors.pty import output, records
from actors.pty.events import Closed, Ended
from actors.pty.records import Exit
from actors.pty.session import Broke, Found, HostSaid, Session
from bus import clock
from bus.facts import MergeTested
from bus.messages import Look
from bus.plan import Plan
from bus.rows import Workflow

if TYPE_CHECKING:
    from actors.merger.actor import Merger

log = logging.getLogger("callboard.merger")

GRACE_MS = 5_000
PROBE_SECONDS = 0.2
"""Until a host that did not answer is looked at again."""
CUT_RUNS = 3
"""So often a run that was cut is redone, then the merge has failed."""
TAIL = 6_000
"""Bytes of the output's end that go into the fact."""


def run_number(row: Workflow) -> int:
    """The number of the run that the merge is at."""
    return row.merge.round * 1_000 + row.merge.runs + 1


class TestsDue(msgspec.Struct, frozen=True):
    """The time of run `number` is up."""

    number: int


class TestRun:
    """One run. Belongs to the merger's thread."""

    def __init__(self, actor: "Merger", plan: Plan, number: int, commit: str, path: Path) -> None:
        self.number = number
        self._actor = actor
        self._plan = plan
        self._commit = commit
        self._path = path
        self._timer: Timer | None = None
        self._timed_out = False
        stage, where = actor.stage, actor.address
        self._address = where + "tests/"
        self.directory = stage.paths.terminal_dir(self._address, number)
        known = records.read_identity(self.directory)
        self._since = known.started if known else clock.awake()
        self._session = Session(
            stage.loop,
            lambda said: stage.timers.notify(where, said),
            directory=self.directory,
            socket=stage.paths.socket(self._address, number),
            token=known.token if known else secrets.token_hex(16),
            incarnation=number,
        )

    def begin(self, row: Workflow) -> None:
        """Start it, or take up what a former incarnation started. Again: take it up again
        where the link was lost."""
        if self._session.connected:
            return
        match self._session.look():
            case Found.ALIVE:
                self._take_up()
            case Found.ENDED if self._timed_out or not self._session.exit().told:
                self._finish(self._session.exit())
                return
            case Found.ENDED | Found.LOST:
                self._session.end_strays(GRACE_MS / 1000)
                if not self._set_aside():
                    self._finish(Exit("lost", 0, 0.0, 0, 0, 0))
                    return
                self._since = clock.awake()
                self._start(row)
            case Found.NEVER:
                self._start(row)
            case Found.UNKNOWN:
                raise OSError(f"{self.directory} cannot be read")
        if self._timer is None:
            limit = self._plan.test_timeout - clock.awake_since(self._since)
            stage, where, due = self._actor.stage, self._actor.address, TestsDue(self.number)
            self._timer = stage.timers.after(max(0.0, limit), where, due)

    def _take_up(self) -> None:
        """A host that begins or ends just now does not answer: look again soon."""
        try:
            self._session.connect()
        except OSError as error:
            log.info("%s: the host does not answer: %s", self._address, error)
            stage, where = self._actor.stage, self._actor.address
            stage.timers.after(PROBE_SECONDS, where, Look())

    def _set_aside(self) -> bool:
        """A run that was cut (it was told to end, its host was killed, the machine went down)
        says nothing about the tree: what it left is kept beside and it is redone, but not for
        ever."""
        for number in range(1, CUT_RUNS + 1):
            aside = self.directory.with_name(f"{self.directory.name}.cut-{number}")
            if not aside.exists():
                self.directory.rename(aside)
                return True
        return False

    def _start(self, row: Workflow) -> None:
        home = str(self._actor.stage.paths.home)
        self._actor.worker.call(
            landing.checkout_tree, row.git_dir, home, str(self._path), self._commit
        )
        env = {**project_env(self._plan), "TERM": "dumb", "CALLBOARD_WORKFLOW": row.id}
        self._session.start(self._plan.test or [], env, self._path, 40, 120)
        if not self._session.connected:
            self._actor.stage.tell(self._actor.address, Look())

    def heard(self, said: HostSaid) -> None:
        if said.incarnation != self.number:
            return
        match said.event:
            case Broke(error=error):
                raise error
            case Ended(exit=ended):
                self._finish(ended)
            case Closed():
                self._session.close()
                self._actor.stage.tell(self._actor.address, Look())

    def due(self, message: TestsDue) -> None:
        if message.number == self.number:
            self._timed_out = True
            self.end()

    def end(self) -> None:
        """End the whole process group."""
        self._session.do(lambda link: link.end(GRACE_MS))

    def close(self) -> None:
        """Let go; what runs goes on running."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._session.close()

    def _finish(self, ended: Exit) -> None:
        self.close()
        if ended.told and not self._timed_out:
            self._actor.stage.tell(self._actor.address, Look())
            return
        tail = output.tail(self.directory, TAIL)
        if ended.kind == "exec_failed":
            tail = f"{self._plan.test} could not be started: {os.strerror(ended.status)}"
        row = self._actor.row()
        if run_number(row) != self.number:
            return  # it was told, and decided on meanwhile
        passed = ended.kind == "exited" and ended.status == 0 and not self._timed_out
        fact = MergeTested(
            address=row.address,
            commit=self._commit,
            passed=passed,
            command=self._plan.test or [],
            status=ended.status,
            seconds=round(max(0.0, ended.clock - self._began()), 3),
            timed_out=self._timed_out,
            run=row.merge.runs + 1,
            output=str(self.directory / "out"),
            tail=tail.replace("\r\n", "\n"),
        )
        self._actor.tell(row, fact)

    def _began(self) -> float:
        identity = records.read_identity(self.directory)
        return identity.started if identity is not None else 0.0
