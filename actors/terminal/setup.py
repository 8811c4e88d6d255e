"""Set-up: what the plan runs once in each new worktree (`npm ci`), under a host of its own.

The host gives what a terminal has: the output on disk within bounds, the exit status, the end of
all it started, and a run that survives the runtime. A run belongs to the task: each of its
terminals that needs it takes it up, one starts it, and each hears how it ended.
"""

import logging
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from actors.clis import home as config_home
from actors.clis.profile import Profile
from actors.platform import processes
from actors.platform.processes import Exit
from actors.pty import output
from actors.pty.link import Closed, Ended
from actors.pty.session import Broke, Found, HostSaid, Session
from actors.terminal.prepare import LaunchRefused, is_set_up, set_up_mark
from bus import clock
from bus.messages import Look

if TYPE_CHECKING:
    from actors.terminal.actor import TerminalActor

log = logging.getLogger("callboard.terminal")

SETUP_SECONDS = 600.0
"""How long it may take."""
GRACE_MS = 5_000
TAIL = 2_000
"""Bytes of the output's end that are told where it failed."""
_NO_INPUT = ["sh", "-c", 'exec "$@" < /dev/null', "setup"]
"""It has a terminal, and nobody sits there."""


class SetUpSaid(msgspec.Struct, frozen=True):
    """What the host of a set-up says. Put into a mailbox of the same process."""

    said: HostSaid


class SetUp:
    """The part of a terminal actor that has its worktree set up. In the actor's thread."""

    def __init__(self, actor: "TerminalActor") -> None:
        self._actor = actor
        self._session: Session | None = None
        self._where = Path()
        self._too_late = False

    @property
    def under_way(self) -> bool:
        return self._session is not None

    def is_wanted(self, where: Path) -> bool:
        """Whether the worktree is still to be set up: never that of a merge, and not again where
        the last run ended well while nobody looked."""
        actor = self._actor
        if not (actor.row.task and actor.plan.setup) or is_set_up(where):
            return False
        number, found = self._newest()
        if found is Found.ENDED and _is_good(self._at(number).exit()):
            set_up_mark(where).touch()
            return False
        return True

    def begin(self, where: Path) -> None:
        """Start it, or take up the run that goes on. Raises `OSError`."""
        actor = self._actor
        self._where, self._too_late = where, False
        number, found = self._newest()
        if found is not Found.ALIVE:
            number += 1
        self._session = session = self._at(number)
        if found is Found.ALIVE:
            self._take_up(session)
        else:
            env = config_home.environment(Profile(name="setup"), os.environ, own_provider=True)
            argv = [*_NO_INPUT, *(actor.plan.setup or [])]
            try:
                session.start(argv, {**env, "TERM": "dumb"}, where, *actor.size)
            except OSError:
                self.forget()
                raise
            if not session.connected:
                self._finish(session.exit())
        if self._session is not None:
            identity = processes.read_identity(session.directory)
            ran = clock.awake_since(identity.started) if identity is not None else 0.0
            actor.later("set_up", max(0.0, SETUP_SECONDS - ran))

    def converge(self) -> None:
        """It runs: that is well while a terminal is wanted that needs it."""
        actor = self._actor
        if actor.row.alive or self._session is None:
            return
        if self._is_needed():
            self.forget()
            actor.stage.tell(actor.address, Look())
        else:
            self._session.do(lambda link: link.end(GRACE_MS))

    def ends_what_runs(self) -> bool:
        """Its terminal is to end before it was started: a run that a former incarnation of this
        actor began ends first, unless another terminal needs it."""
        number, found = self._newest()
        if found is not Found.ALIVE or self._is_needed():
            return False
        self._session = session = self._at(number)
        self._take_up(session)
        self.converge()
        return True

    def too_late(self) -> None:
        self._too_late = True
        if self._session is not None:
            self._session.do(lambda link: link.end(GRACE_MS))

    def heard(self, message: SetUpSaid) -> None:
        if self._session is None or message.said.incarnation != self._session.incarnation:
            return
        match message.said.event:
            case Broke(error=error):
                raise error
            case Ended(exit=ended):
                self._finish(ended)
            case Closed():
                self.forget()
                self._actor.stage.tell(self._actor.address, Look())

    def forget(self) -> None:
        """Let go; what runs goes on running."""
        session, self._session = self._session, None
        if session is not None:
            self._actor.cancel("set_up")
            session.close()

    # ---- its host ------------------------------------------------------------------------

    @property
    def _address(self) -> str:
        return f"{self._actor.row.task}setup/"

    def _newest(self) -> tuple[int, Found]:
        """The last run of this task, and what is known of it."""
        top = self._actor.stage.paths.terminal_dir(self._address, 0).parent
        numbers = [int(path.name) for path in top.glob("*") if path.name.isdigit()]
        if not numbers:
            return 0, Found.NEVER
        session = self._at(max(numbers))
        found = session.look()
        if found is Found.UNKNOWN:
            raise LaunchRefused(f"{session.directory} cannot be read")
        if found is Found.LOST:
            session.end_strays(GRACE_MS / 1000)
        return max(numbers), found

    def _at(self, number: int) -> Session:
        stage, where = self._actor.stage, self._actor.address
        directory = stage.paths.terminal_dir(self._address, number)
        known = processes.read_identity(directory)
        return Session(
            stage.loop,
            lambda said: stage.timers.notify(where, SetUpSaid(said)),
            directory=directory,
            socket=stage.paths.socket(self._address, number),
            token=known.token if known else secrets.token_hex(16),
            incarnation=number,
        )

    def _take_up(self, session: Session) -> None:
        """One that begins or ends just now does not answer: it is looked at again soon."""
        try:
            session.connect()
        except OSError as error:
            log.info("%s: the host does not answer: %s", self._address, error)
            self.forget()
            self._actor.later("probe", 1.0)

    def _is_needed(self) -> bool:
        """Whether a terminal of this task is still to be started."""
        workflow = self._actor.stage.reader.workflow(self._actor.workflow_id)
        task = self._actor.row.task
        return workflow is not None and any(
            each.alive and not each.ready for each in workflow.terminals() if each.task == task
        )

    def _finish(self, ended: Exit) -> None:
        """Then the launch goes on: the turn is asked for again."""
        actor, session = self._actor, self._session
        assert session is not None
        self.forget()
        good = _is_good(ended) and not self._too_late
        if good:
            set_up_mark(self._where).touch()
        if good or not actor.row.alive:
            actor.stage.tell(actor.address, Look())
            return
        if self._too_late:
            reason = f"setup took longer than {SETUP_SECONDS:g} s"
        else:
            reason = f"setup {ended.kind} with status {ended.status}"
        tail = output.tail(session.directory, TAIL).replace("\r\n", "\n")
        actor.launch.failed(f"{reason}:\n{tail}")


def _is_good(ended: Exit) -> bool:
    return ended.kind == "exited" and ended.status == 0 and not ended.told
