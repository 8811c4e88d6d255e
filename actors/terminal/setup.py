"""Set-up: the command that the plan runs once in each new worktree (`npm ci`), under a host.

The host gives it what a terminal has: output on disk within bounds, the exit status, the end of all
processes that it started, and a run that survives the runtime. A run belongs to the task. One of
the terminals that need it starts it, the others follow it, and each is told how it ended.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.clis import home as config_home
from actors.clis.profile import Profile
from actors.git.running.command import GitFailed
from actors.git.trees import kept
from actors.git.trees.kept import Recipe
from actors.platform import disk, openings, sandbox
from actors.platform.workers import WorkerDied
from actors.pty import output, records
from actors.pty.events import Closed, Ended
from actors.pty.records import Exit
from actors.pty.session import Broke, Found, HostSaid, Session
from actors.terminal.errors import LaunchRefused
from actors.terminal.port import Done, Failed, Port, Timer
from actors.terminal.sandbox import of_setup
from actors.terminal.worktree import is_set_up, mark_set_up, working_directory
from bus import clock
from bus.environment import with_plans
from bus.kinds import Ending

log = logging.getLogger("callboard.terminal")

SETUP_SECONDS = 600.0
"""The time limit of a run, in seconds."""
KEEP_SECONDS = 300.0
"""The time limit, in seconds, for copying what a run made."""
GRACE_MS = 5_000
"""Milliseconds between TERM and KILL when a run is ended."""
TAIL = 2_000
"""Bytes at the end of the output that are told if a run failed."""
PROBE_SECONDS = 1.0
"""Seconds until a host that did not answer is looked at again."""
_NO_INPUT = ["sh", "-c", 'exec "$@" < /dev/null', "setup"]
"""The run has a terminal, but its input is empty."""


class SetUpSaid(msgspec.Struct, frozen=True):
    """An event of the host of a set-up. Sent within the process."""

    said: HostSaid


Outcome = Done | Failed | None
"""How a run ended; None while it goes on."""


class SetUp:
    """The part that has a worktree set up. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._session: Session | None = None
        self._where = Path()
        self._too_late = False

    @property
    def under_way(self) -> bool:
        """Whether this actor follows a run."""
        return self._session is not None

    def is_wanted(self, where: Path) -> bool:
        """Return whether the worktree is still to be set up. Raise `LaunchRefused`.

        The worktree of a merge is never set up. A run that ended well while nobody listened is not
        repeated, and its result is kept as any. With `setup_inputs`, the result of a run in another
        tree may do.
        """
        port = self._port
        if not (port.row.task and port.plan.setup) or is_set_up(where):
            return False
        number, found = self._newest()
        if found is Found.ENDED and _is_good(self._at(number).exit()):
            self._with_kept(kept.keep, where)
            mark_set_up(where)
            return False
        if found is not Found.ALIVE and self._with_kept(kept.fill, where):
            mark_set_up(where)
            return False
        return True

    def _with_kept(self, use: Callable[[Recipe, str], bool], where: Path) -> bool:
        """Fill the worktree from a kept result, or keep its own; return whether that was done.

        It is only a saving: if it fails, `setup` runs as always.
        """
        stage = self._port.stage
        workflow = stage.reader.workflow(self._port.workflow_id)
        if workflow is None:
            return False
        secret = stage.reader.proof("kept set-ups")
        plan = self._port.plan
        unseen = stage.paths.unseen(plan.fences(self._port.row.task))
        settings = stage.reader.git_settings(workflow.id)
        recipe = kept.recipe(stage.paths.home, secret, workflow.git_dir, plan, unseen, settings)
        if recipe is None:
            return False
        worker = stage.workers.hire("set-up", KEEP_SECONDS)
        try:
            return worker.call(use, recipe, str(where))
        except (OSError, GitFailed, WorkerDied) as error:
            log.warning("%s: the result of setup: %s", self._address, error)
            return False
        finally:
            stage.workers.dismiss(worker)

    def begin(self, where: Path) -> Outcome:
        """Start a run, or follow the one that goes on. Raise `OSError`, or `LaunchRefused`."""
        self._where, self._too_late = where, False
        number, found = self._newest()
        if found is Found.ALIVE:
            self._session = session = self._at(number)
            self._follow(session)
        else:
            self._session = session = self._at(number + 1)
            self._start(session, where)
            if not session.connected:
                return self._finish(session.exit())
        if self._session is not None:
            identity = records.read_identity(session.directory)
            ran = clock.awake_since(identity.started) if identity is not None else 0.0
            self._port.after(Timer.SET_UP, max(0.0, SETUP_SECONDS - ran))
        return None

    def converge(self) -> Outcome:
        """If the terminal is to end, end the run, or leave it to other terminals that need it."""
        if self._port.row.shall_run or self._session is None:
            return None
        if self._is_needed():
            self.forget()
            return Done()
        self._session.end(GRACE_MS)
        return None

    def ends_what_runs(self) -> bool:
        """End a run that a former incarnation of the actor began, unless another terminal needs it.

        Called for a terminal that is to end before it was started. Return whether there is such a
        run.
        """
        number, found = self._newest()
        if found is not Found.ALIVE or self._is_needed():
            return False
        self._session = session = self._at(number)
        self._follow(session)
        self.converge()
        return True

    def too_late(self) -> None:
        """End a run that has exceeded its time limit."""
        self._too_late = True
        if self._session is not None:
            self._session.end(GRACE_MS)

    def heard(self, message: SetUpSaid) -> Outcome:
        """Act on an event of the run's host."""
        if self._session is None or message.said.incarnation != self._session.incarnation:
            return None
        match message.said.event:
            case Broke(error=error):
                raise error
            case Ended(exit=ended):
                return self._finish(ended)
            case Closed():
                self.forget()
                return Done()
        return None

    def forget(self) -> None:
        """Let go of the host; the run goes on."""
        session, self._session = self._session, None
        if session is not None:
            self._port.cancel(Timer.SET_UP)
            session.close()

    # ---- its host ------------------------------------------------------------------------

    @property
    def _address(self) -> str:
        return f"{self._port.row.task}setup/"

    def _newest(self) -> tuple[int, Found]:
        """Return the number of this task's last run, and its state. Raise `LaunchRefused`."""
        top = self._port.stage.paths.terminal_dir(self._address, 0).parent
        numbers = [int(path.name) for path in top.glob("*") if path.name.isdigit()]
        if not numbers:
            return 0, Found.NEVER
        session = self._at(max(numbers))
        found = session.look()
        if found is Found.FOREIGN:
            session.set_aside()
            return self._newest()
        if found is Found.UNKNOWN:
            raise LaunchRefused(f"{session.directory} cannot be read")
        if found is Found.LOST:
            session.end_strays(GRACE_MS / 1000)
        return max(numbers), found

    def _at(self, number: int) -> Session:
        stage, where = self._port.stage, self._port.at
        directory = stage.paths.terminal_dir(self._address, number)
        return Session(
            stage.loop,
            lambda said: stage.timers.notify(where, SetUpSaid(said)),
            directory=directory,
            socket=stage.paths.socket(self._address, number),
            token=stage.reader.proof("setup", self._address, str(number)),
            incarnation=number,
        )

    def _start(self, session: Session, where: Path) -> None:
        own = self._port.plan.environment
        env = config_home.environment(Profile(name="setup"), with_plans(own), own_provider=True)
        env = with_plans(own, {}) | env
        env["TERM"] = "dumb"
        argv = [*_NO_INPUT, *(self._port.plan.setup or [])]
        try:
            place = working_directory(where, self._port.plan)
            if fence := self._fence(session, where, place):
                env = openings.without_ways_out({**env, "TMPDIR": str(_tmp(session))}, fence)
                argv = sandbox.wrapped(argv, fence)
            session.start(argv, env, place, *self._port.size)
        except OSError:
            self.forget()
            raise

    def _fence(self, session: Session, where: Path, place: Path) -> openings.Limits | None:
        """Return the limits of the run, with a temporary directory of its own; None for none."""
        workflow = self._port.stage.reader.workflow(self._port.workflow_id)
        if workflow is None:
            return None
        fence = of_setup(self._port, workflow, where, _tmp(session))
        if fence is not None:
            _tmp(session).mkdir(mode=0o700, parents=True, exist_ok=True)
            fence = msgspec.structs.replace(fence, cwd=str(place))
        return fence

    def _forget_own_home(self, session: Session) -> None:
        """Remove what a run changed that failed; what the others changed goes with `tidy`."""
        own = session.directory / openings.OWN
        if not own.is_dir():
            return
        worker = self._port.stage.workers.hire("set-up", KEEP_SECONDS)
        try:
            worker.call(disk.remove_tree, own)
        except (OSError, WorkerDied) as error:
            log.warning("%s stays: %s", own, error)
        finally:
            self._port.stage.workers.dismiss(worker)

    def _follow(self, session: Session) -> None:
        """Connect to the run.

        A host that is just starting or ending does not answer; it is looked at again soon.
        """
        try:
            session.connect()
        except OSError as error:
            log.info("%s: the host does not answer: %s", self._address, error)
            self.forget()
            self._port.after(Timer.PROBE, PROBE_SECONDS)

    def _is_needed(self) -> bool:
        """Return whether a terminal of this task is still to be started."""
        workflow = self._port.stage.reader.workflow(self._port.workflow_id)
        task = self._port.row.task
        return workflow is not None and any(
            each.shall_run and not each.launch_over
            for each in workflow.terminals()
            if each.task == task
        )

    def _finish(self, ended: Exit) -> Outcome:
        session = self._session
        assert session is not None
        self.forget()
        good = _is_good(ended) and not self._too_late
        if not good:
            self._forget_own_home(session)
        else:  # the task's agents see what it has changed in its home directory
            self._with_kept(kept.keep, self._where)
            mark_set_up(self._where)
        if good or not self._port.row.shall_run:
            return Done()
        if self._too_late:
            reason = f"setup took longer than {SETUP_SECONDS:g} s"
        else:
            reason = f"setup {ended.kind} with status {ended.status}"
        tail = output.tail(session.directory, TAIL)
        return Failed(f"{reason}:\n{tail}")


def _tmp(session: Session) -> Path:
    return session.directory / "tmp"


def _is_good(ended: Exit) -> bool:
    return ended.kind == Ending.EXITED and ended.status == 0 and not ended.told
