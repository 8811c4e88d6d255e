"""A test run: the plan's test on the merged tree, under a host of its own.

As for a terminal, the host keeps the output on disk within bounds, stores the exit status, ends
the whole process group, and outlives the runtime.
"""

import logging
import os
import shlex
from pathlib import Path

import msgspec

from actors.git.landing.tested import Differs, checkout_tree
from actors.git.reading.identity import of_text
from actors.git.running.command import GitFailed
from actors.git.running.environment import project_env
from actors.git.running.places import main_workdir, place_within
from actors.git.trees import kept
from actors.git.trees.copies import copy_all
from actors.merger.build import refused
from actors.platform import disk, openings, sandbox
from actors.platform.loop import Timer
from actors.platform.openings import OWN
from actors.pty import output, records
from actors.pty.events import Closed, Ended
from actors.pty.records import Exit
from actors.pty.session import Broke, Found, HostSaid, Session
from actors.system.own_worker import OwnWorker
from actors.system.stage import Stage
from bus import clock
from bus.facts import MergeRefused, MergeTested, TaskChecked
from bus.kinds import Ending, MergeRefusal
from bus.messages import Look
from bus.plan import Plan
from bus.rows import Workflow

log = logging.getLogger("callboard.merger")

GRACE_MS = 5_000
PROBE_SECONDS = 0.2
"""The time until a host that did not answer is tried again."""
CUT_RUNS = 3
"""How often a run that was cut short is repeated before the merge fails."""
TAIL = 6_000
"""Bytes of the output's end that go into the fact."""

_ROUND = 1_000


def run_number(row: Workflow) -> int:
    """Return the number of the run that the merge is at."""
    return row.merge.round * _ROUND + row.merge.runs + 1


class Trial(msgspec.Struct, frozen=True):
    """What is run: `command` on the tree of `commit`, for at most `seconds`.

    The output is kept below the address `at`. `proof` are the words of the run's token. `task` is
    the address of the task whose check it is; "" for the tests of the merge.
    """

    at: str
    number: int
    proof: tuple[str, ...]
    commit: str
    command: list[str]
    seconds: float
    task: str = ""


def of_merge(address: str, row: Workflow, plan: Plan) -> Trial:
    """Return the next run of the plan's test, for the merger at `address`."""
    number, commit = run_number(row), row.merge.commit
    proof = ("tests", row.id, str(number), commit)
    return Trial(f"{address}tests/", number, proof, commit, plan.test or [], plan.test_timeout)


def _command(test: list[str], plan: Plan, is_set_up: bool) -> list[str]:
    """Return the test, after the plan's set-up unless a kept result is there already."""
    if plan.setup is None or is_set_up:
        return test
    failed = '{ s=$?; echo "setup failed with status $s"; exit "$s"; }'
    line = f"{shlex.join(plan.setup)} < /dev/null || {failed}; exec {shlex.join(test)}"
    return ["sh", "-c", line]


class TestsDue(msgspec.Struct, frozen=True):
    """The time limit of run `number` has passed; `task` is as in `Trial`."""

    number: int
    task: str = ""


class CheckSaid(msgspec.Struct, frozen=True):
    """An event of the host of a task's check. Sent within the process."""

    task: str
    said: HostSaid


Result = MergeTested | MergeRefused | TaskChecked


class TestRun:
    """One run of tests for the merger at `address`. Belongs to the merger's thread.

    `begin` and `heard` return the fact when the run has ended. Where they return None the merger
    looks again later: a message (`HostSaid`, `TestsDue`, `Look`) is on its way to it.
    """

    def __init__(
        self,
        stage: Stage,
        address: str,
        worker: OwnWorker,
        row: Workflow,
        plan: Plan,
        path: Path,
        trial: Trial,
    ) -> None:
        self.trial = trial
        self.number = trial.number
        self._stage = stage
        self._merger = address
        self._worker = worker
        self._row = row
        self._plan = plan
        self._path = path
        self._timer: Timer | None = None
        self._timed_out = False
        self._address = trial.at
        self.directory = stage.paths.terminal_dir(self._address, self.number)
        token = stage.reader.proof(*trial.proof)
        self._session = Session(
            stage.loop,
            self._pass_on,
            directory=self.directory,
            socket=stage.paths.socket(self._address, self.number),
            token=token,
            incarnation=self.number,
        )
        self._since = self._began() or clock.awake()

    def _pass_on(self, said: HostSaid) -> None:
        task = self.trial.task
        self._stage.timers.notify(self._merger, CheckSaid(task, said) if task else said)

    def begin(self) -> Result | None:
        """Start the run, or connect to it if it runs already.

        An earlier incarnation may have started it, or the connection may have been lost.
        """
        if self._session.connected:
            return None
        match self._session.look():
            case Found.ALIVE:
                self._take_over()
            case Found.ENDED if self._timed_out or not self._session.exit().told:
                return self._finish(self._session.exit())
            case Found.ENDED | Found.LOST:
                self._session.end_strays(GRACE_MS / 1000)
                if not self._set_aside():
                    return self._finish(Exit(Ending.LOST, 0, 0.0, 0, 0, 0))
                self._since = clock.awake()
                return self._start()
            case Found.FOREIGN:
                self._session.set_aside()
                return self._start()
            case Found.NEVER:
                return self._start()
            case Found.UNKNOWN:
                raise OSError(f"{self.directory} cannot be read")
        self._limit()
        return None

    def _limit(self) -> None:
        """Have the run ended at its time limit."""
        if self._timer is None:
            limit = self.trial.seconds - clock.awake_since(self._since)
            due = TestsDue(self.number, self.trial.task)
            self._timer = self._stage.timers.after(max(0.0, limit), self._merger, due)

    def _take_over(self) -> None:
        """Connect. A host that is starting or ending does not answer: try again soon."""
        try:
            self._session.connect()
        except OSError as error:
            log.info("%s: the host does not answer: %s", self._address, error)
            self._stage.timers.after(PROBE_SECONDS, self._merger, Look())

    def _set_aside(self) -> bool:
        """Keep what a run left that was cut short, so that it can be repeated.

        Such a run (it was told to end, its host was killed, the machine went down) says nothing
        about the tree. Return False if it was repeated often enough.
        """
        for number in range(1, CUT_RUNS + 1):
            aside = self.directory.with_name(f"{self.directory.name}.cut-{number}")
            if not aside.exists():
                self.directory.rename(aside)
                return True
        return False

    def _start(self) -> Result | None:
        """Run the tests in a directory that is made now: what lay there is not ours.

        They run only on exactly the tree of the commit (`git.tested`).
        """
        row, home = self._row, str(self._stage.paths.home)
        if os.path.lexists(self.directory):
            self._session.set_aside()
        self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.mkdir(mode=0o700)
        made = self._worker.call(
            checkout_tree,
            row.git_dir,
            home,
            str(self._path),
            self.trial.commit,
            settings=self._stage.reader.git_settings(row.id),
            author=of_text(row.author),
        )
        if isinstance(made, Differs):
            message = (
                f"the tests' directory {self._path} is not as the commit: somebody writes there"
            )
            if self.trial.task:
                return self._check_result(False, tail=message)
            return refused(row, MergeRefusal.TREE_DIFFERS, message, list(made.files))
        place = self._path / place_within(row.repo)
        place.mkdir(parents=True, exist_ok=True)
        copy_all(Path(row.repo), place, self._plan.copy)
        env = {**project_env(self._plan), "TERM": "dumb", "CALLBOARD_WORKFLOW": row.id}
        command = _command(self.trial.command, self._plan, self._is_set_up())
        if self._plan.is_fenced:
            command, env = self._fenced(command, env, place)
        self._session.start(command, env, place, 40, 120)
        if not self._session.connected:
            self._look_again()
        self._limit()
        return None

    def _fenced(
        self, command: list[str], env: dict[str, str], place: Path
    ) -> tuple[list[str], dict[str, str]]:
        """Put the tests into a sandbox, as the agents whose code they run. Raise `OSError`.

        They write their own directory and a temporary one, and what the plan allows.
        """
        if trouble := sandbox.trouble(self._plan.fence):
            raise OSError(f"the tests need a sandbox: {trouble}")
        tmp, paths = self.directory / "tmp", self._stage.paths
        tmp.mkdir(mode=0o700)
        allow = self._plan.sandbox_allow
        common = self._row.git_dir
        kept_real = (common, main_workdir(common, self._row.repo) or common)
        limits = openings.Limits(
            cwd=str(place),
            writable=(str(self._path), str(tmp), *openings.paths(allow)),
            hidden=(str(paths.home), str(paths.sockets)),
            network=self._plan.test_network == "on",
            home=sandbox.own_home(self.directory / OWN, *kept_real),
            agents=openings.agents(allow),
        )
        env = openings.without_ways_out({**env, "TMPDIR": str(tmp)}, limits)
        return sandbox.wrapped(command, limits), env

    def _is_set_up(self) -> bool:
        """Put the kept result of `setup` into the directory, if there is one (`git.kept`).

        It is only a saving: if it fails, `setup` runs as always.
        """
        reader, home = self._stage.reader, self._stage.paths.home
        secret = reader.proof("kept set-ups")
        recipe = kept.recipe(home, secret, self._row.git_dir, self._plan)
        try:
            path = str(self._path)
            return recipe is not None and self._worker.call(kept.fill, recipe, path, links=True)
        except (OSError, GitFailed) as error:
            log.warning("%s: the kept result of setup: %s", self._address, error)
            return False

    def _look_again(self) -> None:
        self._stage.tell(self._merger, Look())

    def heard(self, said: HostSaid) -> Result | None:
        """Handle what the host of the run reports. Raises the error of a session that broke."""
        if said.incarnation != self.number:
            return None
        match said.event:
            case Broke(error=error):
                raise error
            case Ended(exit=ended):
                return self._finish(ended)
            case Closed():
                self._session.close()
                self._look_again()
        return None

    def due(self, message: TestsDue) -> None:
        """End the run if its time limit has passed."""
        if message == TestsDue(self.number, self.trial.task):
            self._timed_out = True
            self.end()

    def end(self) -> None:
        """End the whole process group."""
        self._session.end(GRACE_MS)

    def close(self) -> None:
        """Disconnect; the run goes on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._session.close()

    def _finish(self, ended: Exit) -> Result | None:
        self.close()
        if ended.told and not self._timed_out:
            self._look_again()
            return None
        self._forget_own_home()
        tail = output.tail(self.directory, TAIL)
        if ended.kind == Ending.EXEC_FAILED:
            tail = f"{self.trial.command} could not be started: {os.strerror(ended.status)}"
        passed = ended.kind == Ending.EXITED and ended.status == 0 and not self._timed_out
        seconds = round(max(0.0, ended.clock - self._began()), 3)
        if self.trial.task:
            return self._check_result(passed, ended.status, seconds, tail)
        return MergeTested(
            address=self._row.address,
            commit=self.trial.commit,
            passed=passed,
            command=self.trial.command,
            status=ended.status,
            seconds=seconds,
            timed_out=self._timed_out,
            run=self.number % _ROUND,
            output=str(self.directory / "out"),
            tail=tail,
        )

    def _forget_own_home(self) -> None:
        """Remove what the run changed in its own home directory; what stays goes with `tidy`."""
        own = self.directory / OWN
        try:
            if own.is_dir():
                self._worker.call(disk.remove_tree, own)
        except OSError as error:
            log.warning("%s stays: %s", own, error)

    def _check_result(
        self, passed: bool, status: int = 0, seconds: float = 0.0, tail: str = ""
    ) -> TaskChecked:
        return TaskChecked(
            address=self.trial.task,
            commit=self.trial.commit,
            passed=passed,
            command=self.trial.command,
            status=status,
            seconds=seconds,
            timed_out=self._timed_out,
            run=self.number,
            output=str(self.directory / "out"),
            tail=tail,
        )

    def _began(self) -> float:
        """When the host of this run started; 0.0 if there is none."""
        if self._session.look() in (Found.FOREIGN, Found.UNKNOWN, Found.NEVER):
            return 0.0
        identity = records.read_identity(self.directory)
        return identity.started if identity is not None else 0.0
