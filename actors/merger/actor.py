"""The merger of one workflow: build, test, land. Each step follows from the row and is told once.

`running -> merging` says that the branches are done. The branches are merged in order on the
target's present tip (in a worker process, in memory), the plan's test runs on exactly that tree,
and one compare-and-swap moves the target. `kill -9` anywhere leaves the old target or the tested
new one; the next incarnation reads the row and goes on after the last step that was told (hazards
44 to 49).

While a workflow is running, the merger also makes the bases of tasks that come after others, by the
same steps; nothing of that is tested or lands.

The other files of this folder do the steps and return what came of them; this actor alone stores
it.
"""

import logging
import threading
from typing import Unpack

import msgspec

from actors.git.merging.room import DriverLate
from actors.git.running.command import GitLate
from actors.git.trees.reach import Unseen
from actors.git.users import keeping
from actors.merger import cleanup
from actors.merger.build import ResolvedByGit, build, refused
from actors.merger.checks import Checks
from actors.merger.forecast import Forecasts
from actors.merger.landing import Submitted, land
from actors.merger.repair import check, lay_out
from actors.merger.scratch import scratch
from actors.merger.testrun import CheckSaid, Result, TestRun, TestsDue, of_merge, run_number
from actors.platform.workers import WorkerLate
from actors.pty.ending import end_recorded
from actors.pty.session import HostSaid
from actors.supervision.actor import handles
from actors.system.own_worker import OwnWorker, Rest
from actors.system.stage import CompanyActor, Stage
from bus import address as addresses
from bus.facts import Fact, MergeBehind, MergeConflict, MergeRefused, MergeTested, TaskChecked
from bus.kinds import MergeRefusal
from bus.messages import Look
from bus.rows import Workflow
from bus.status import FINAL_WORKFLOW, MergeStage, TaskStatus, WorkflowStatus
from store.change import update_merge, update_task, update_workflow
from store.columns import MergeColumns, TaskColumns
from store.errors import LostRace

log = logging.getLogger("callboard.merger")

MERGE_SECONDS = 600.0
"""The time limit for one step of a merge in its worker. Each `git` in it has a shorter one."""

HELD_SECONDS = 1.0
"""Seconds until the merger looks again after it saw a change that the watcher has not told yet."""

TIDY_SECONDS = 3_600.0
"""The time limit for cleaning up. What is left then is removed by the next try."""

_ENDS = (MergeBehind, MergeConflict, MergeRefused, MergeTested)
"""Facts after which a step is over: the next one waits for the decision on them."""


class _Tidied(msgspec.Struct, frozen=True):
    """The cleaning up has ended, with this error if it failed."""

    error: Exception | None = None


class Merger(CompanyActor):
    """One workflow's merge. Its handlers wait for a worker process, never for the tests."""

    def __init__(self, stage: Stage, workflow: str) -> None:
        super().__init__(stage)
        self._id = workflow
        self._tests: TestRun | None = None
        self._forecasts = Forecasts(stage.workers.forecasts)
        self._worker = OwnWorker(
            stage.workers, stage.timers, self.address, f"merge of {workflow}", MERGE_SECONDS
        )
        self._checks = Checks(stage, self.address, self._worker)
        self._pinned: set[str] = set()
        self._tidying: threading.Thread | None = None
        self._in_line = True  # perhaps; if not, the first in line is told once too often

    def on_start(self) -> None:
        """Look at the row: it says what an earlier incarnation has not ended."""
        self.stage.tell(self.address, Look())

    def on_stop(self) -> None:
        """Let go of the tests, which go on, and end the worker process."""
        self._forget_tests()
        self._checks.close()
        self._worker.close()

    def on_failure(self, *_: object) -> None:
        """Do as on a stop."""
        self.on_stop()

    @handles(Rest)
    def rest(self, _message: Rest) -> None:
        """End the worker process, which has had nothing to do."""
        self._worker.rest()

    def _forget_tests(self) -> None:
        if self._tests is not None:
            self._tests.close()
            self._tests = None

    @handles(Look)
    def look(self, _message: Look) -> None:
        """Take the next step that the row asks for."""
        row = self._row()
        first = self._first_in_line(row)
        self._checked(self._checks.look(row))
        if row.status != WorkflowStatus.MERGING:
            self._look_beside(row)
        if not row.merges:
            return
        if row.merge.told in {row.merge.step(fact.__name__) for fact in _ENDS}:
            return  # the workflow's actor is about to decide on it
        try:
            self._step(row, first or bool(row.merge.task))
        except (GitLate, WorkerLate) as late:
            row = self._row()
            hangs = isinstance(late, DriverLate)
            said = str(late) if hangs else f"a filter or a merge driver may be hanging: {late}"
            self._tell(row, refused(row, MergeRefusal.TOO_LONG, said))

    def _look_beside(self, row: Workflow) -> None:
        """While nothing is merged: end what tests are left, clean up, or look ahead."""
        if self._tests is not None:
            self._tests.end()
        else:
            end_recorded(self.stage.paths.terminal_dir(f"{self.address}tests/", 0).parent)
        if row.status in FINAL_WORKFLOW and all(t.gone for t in row.terminals()):
            self._tidy(row)
            return
        self._pin_cancelled(row)
        if row.status in (WorkflowStatus.RUNNING, WorkflowStatus.PAUSED):
            self._look_ahead(row)

    def _first_in_line(self, row: Workflow) -> bool:
        """Return whether it is this workflow's turn to build, test and land.

        Workflows with one target take turns, in the order in which they began to merge (hazard
        52). One that leaves the line tells the first in it.
        """
        if row.status != WorkflowStatus.MERGING and not self._in_line:
            return False
        line = self.stage.reader.line_of_merges(row.git_dir, row.target)
        was, self._in_line = self._in_line, row.id in line
        if line and was and not self._in_line:
            self.stage.tell(addresses.merger(line[0]), Look())
        return line[:1] == [row.id]

    def _is_held(self, row: Workflow) -> bool:
        """Return whether the repository was changed, so that a person must look before it lands.

        Nothing is merged either: a merge would run a merge driver that an agent has configured.
        The watcher tells the change, and wakes this actor when it is settled.
        """
        place, kept = self.stage.paths.kept(row.id), self.stage.reader.kept(row.id)[0]
        if not row.held and kept:
            if not keeping.holds(row.git_dir, place, kept, row.target):
                return False
            self.stage.tell(addresses.watcher(row.id), Look())
            self.stage.timers.after(HELD_SECONDS, self.address, Look())
        return bool(kept)

    def _step(self, row: Workflow, first: bool) -> None:
        match row.merge.stage:
            case MergeStage.BUILDING if first and not self._is_held(row):
                self._build(row)
            case MergeStage.TESTING if first and not row.merge.tested:
                self._test(row)
            case MergeStage.TESTING if first and not self._is_held(row):
                self._begin_landing(row)
            case MergeStage.CHECKING | MergeStage.BY_HAND:
                unseen, settings = self._unseen("/merge/"), self._settings()
                self._tell(row, check(row, self._worker, unseen, settings))
            case MergeStage.REPAIR:
                self._prepare_repair(row)
            case MergeStage.LANDING:
                self._land(row)

    # ---- the steps -----------------------------------------------------------------------

    def _build(self, row: Workflow) -> None:
        home, unseen = self.stage.paths.home, self._unseen("/merge/")
        built = build(row, self._worker, home, unseen, self._settings())
        if isinstance(built, ResolvedByGit):
            self._take(row, resolution=built.commit, repaired="")
        else:
            self._tell(row, built)

    def _test(self, row: Workflow) -> None:
        """Start the next run of the tests, or connect to the one that goes on."""
        plan = self.stage.reader.plan(self._id)
        if plan.test is None:
            return
        if self._tests is None or self._tests.number != run_number(row):
            self._forget_tests()
            path = scratch(self.stage.paths.home, self._id, "tested")
            trial = of_merge(self.address, row, plan)
            self._tests = TestRun(self.stage, self.address, self._worker, row, plan, path, trial)
        self._tested(self._tests.begin())

    @handles(HostSaid)
    def heard(self, message: HostSaid) -> None:
        """Handle what the host of the tests reports."""
        if self._tests is not None:
            self._tested(self._tests.heard(message))

    @handles(TestsDue)
    def tests_due(self, message: TestsDue) -> None:
        """End tests, or the check of a task, that run for too long."""
        self._checks.due(message)
        if self._tests is not None:
            self._tests.due(message)

    @handles(CheckSaid)
    def check_heard(self, message: CheckSaid) -> None:
        """Handle what the host of a task's check reports."""
        self._checked(self._checks.heard(message))

    def _checked(self, fact: Result | None) -> None:
        """Tell the result of a task's check, once; then look for the next."""
        if not isinstance(fact, TaskChecked):
            return
        task = next((t for t in self._row().tasks if t.address == fact.address), None)
        if task is None or task.checked >= fact.run:
            return
        expect: TaskColumns = {
            "checking": fact.commit,
            "check_run": fact.run,
            "checked": task.checked,
        }
        try:
            told = update_task(fact.address, expect, checked=fact.run)
            self.stage.commit(self, [told, fact])
        except LostRace as lost:
            log.info("%s: %s", self.address, lost)

    def _tested(self, fact: Result | None) -> None:
        """Tell the result, unless it was told before and is decided on."""
        if fact is None or self._tests is None:
            return
        row = self._row()
        if self._tests.number == run_number(row):
            self._tell(row, fact)

    def _begin_landing(self, row: Workflow) -> None:
        """Claim the landing, so that nobody can stop or abort it.

        A crash may cut it short when the target has moved already.
        """
        expect: MergeColumns = {
            "stage": MergeStage.TESTING,
            "round": row.merge.round,
            "commit": row.merge.commit,
        }
        try:
            claim = update_merge(self._id, expect, stage=MergeStage.LANDING)
            self.stage.commit(self, [claim])
        except LostRace:
            self.stage.tell(self.address, Look())
            return
        self._land(self._row())

    def _land(self, row: Workflow) -> None:
        has_test = self.stage.reader.plan(self._id).test is not None
        place = self.stage.paths.kept(row.id)
        kept = keeping.load(place, self.stage.reader.kept(row.id)[0])
        hooks = keeping.hooks_path(place, kept)
        own = Submitted(self._settings(), hooks)
        self._tell(row, land(row, self._worker, has_test=has_test, own=own))

    def _prepare_repair(self, row: Workflow) -> None:
        """Lay the red tree out for the merge terminal, or let the terminal look at it."""
        helper = row.merge_terminal
        if not row.merge.laid_out:
            home, unseen = self.stage.paths.home, self._unseen("/merge/")
            laid_out = lay_out(row, home, unseen, self._settings())
            self._take(row, worktree=laid_out.worktree, start=laid_out.start)
        elif helper is not None and not helper.gone:
            self.stage.tell(helper.address, Look())

    def _pin_cancelled(self, row: Workflow) -> None:
        """Pin the state of each task that was given up, when its programs are gone."""
        for task in row.tasks:
            is_over = task.status == TaskStatus.CANCELLED and all(t.gone for t in task.terminals)
            if is_over and task.worktree and task.address not in self._pinned:
                unseen = self._unseen(task.address)
                cleanup.keep(row, task, self._worker, unseen, self._settings())
                self._pinned.add(task.address)

    def _look_ahead(self, row: Workflow) -> None:
        changed = self._forecasts.look(row)
        if changed is not None:
            update = update_workflow(self._id, forecast=changed.foreseen)
            self.stage.commit(self, [update, *changed.facts])

    def _tidy(self, row: Workflow) -> None:
        """Clean up after a workflow that is over, in a worker process of its own.

        Removing the worktrees of a large repository takes minutes. A thread waits for it.
        """
        if self._tidying is not None and self._tidying.is_alive():
            return
        home, address, notify = self.stage.paths.home, self.address, self.stage.timers.notify
        workers, settings = self.stage.workers, self._settings()
        unseen = self.stage.paths.unseen(self.stage.reader.plan(self._id).has_fence)

        def tidy() -> None:
            worker = workers.hire(f"tidying of {row.id}", TIDY_SECONDS)
            try:
                tested = scratch(home, row.id, "tested")
                worker.call(cleanup.tidy, row, home, tested, unseen, settings)
            except Exception as error:  # noqa: BLE001 - the actor's, which raises it
                notify(address, _Tidied(error))
            else:
                notify(address, _Tidied())
            finally:
                workers.dismiss(worker)

        self._tidying = threading.Thread(target=tidy, name=f"tidy {row.id}", daemon=True)
        self._tidying.start()

    @handles(_Tidied)
    def tidied(self, message: _Tidied) -> None:
        """End the workflow's actors. Raises what the cleaning raised."""
        self._tidying = None
        if message.error is not None:
            raise message.error
        self.stage.commit(self, [update_workflow(self._id, tidied=True)])
        self.supervisor.parent.terminate_child(self._id, block=False)

    def _unseen(self, address: str) -> Unseen:
        """Return what our git must not see in the worktree of the task, or merge, at an address."""
        return self.stage.paths.unseen(self.stage.reader.plan(self._id).fences(address))

    # ---- reading and storing ---------------------------------------------------------------

    def _row(self) -> Workflow:
        workflow = self.stage.reader.workflow(self._id)
        if workflow is None:
            raise LookupError(f"workflow {self._id} has no row")
        return workflow

    def _settings(self) -> dict[str, str] | None:
        """Return the git settings of the submission, by whose filters our git goes."""
        return self.stage.reader.git_settings(self._id)

    def _tell(self, row: Workflow, fact: Fact) -> None:
        """Store the fact of one step, once: the row remembers the last step that was told."""
        merge = row.merge
        key = merge.step(type(fact).__name__)
        if merge.told == key:
            return
        expect: MergeColumns = {"told": merge.told, "round": merge.round, "stage": merge.stage}
        try:
            self.stage.commit(self, [update_merge(self._id, expect, told=key), fact])
        except LostRace:
            self.stage.tell(self.address, Look())

    def _take(self, row: Workflow, **columns: Unpack[MergeColumns]) -> None:
        """Change columns of the merge without a fact, unless its row has changed; look again."""
        expect: MergeColumns = {"told": row.merge.told, "stage": row.merge.stage}
        try:
            self.stage.commit(self, [update_merge(self._id, expect, **columns)])
        except LostRace as lost:
            log.info("%s: %s", self.address, lost)
        self.stage.tell(self.address, Look())
