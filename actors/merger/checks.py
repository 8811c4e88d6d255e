"""Checks of tasks: a task's own test, on the tree with which its coder hands its work on.

They run as the tests of a merge do, one after another in a workflow, while it merges nothing.
"""

from actors.merger.scratch import scratch
from actors.merger.testrun import CheckSaid, Result, TestRun, TestsDue, Trial
from actors.pty.ending import end_recorded
from actors.system.own_worker import OwnWorker
from actors.system.stage import Stage
from bus.plan import Plan
from bus.rows import Task, Workflow


class Checks:
    """The check that runs now, if one does. Belongs to the merger's thread.

    `look` and `heard` return the result when the check has ended.
    """

    def __init__(self, stage: Stage, address: str, worker: OwnWorker) -> None:
        self._stage = stage
        self._merger = address
        self._worker = worker
        self._run: TestRun | None = None
        self._swept = False

    def look(self, row: Workflow) -> Result | None:
        """Begin the next check, go on with the one that runs, or end one that nobody wants."""
        plan = self._stage.reader.plan(row.id)
        task = next((t for t in row.tasks if t.checking and t.checked < t.check_run), None)
        trial = _trial(task, plan) if task is not None else None
        self._sweep(row, trial)
        if self._run is not None and self._run.trial != trial:
            self.close()
        if trial is None:
            return None
        if self._run is None:
            path = scratch(self._stage.paths.home, row.id, "tested")
            self._run = TestRun(self._stage, self._merger, self._worker, row, plan, path, trial)
        return self._run.begin()

    def _sweep(self, row: Workflow, wanted: Trial | None) -> None:
        """End checks of tasks that are not wanted any more; of this runtime or one before."""
        over = self._run is not None and self._run.trial != wanted
        if self._swept and not over:
            return
        self._swept = True
        for task in row.tasks:
            if task.check_run and (wanted is None or wanted.task != task.address):
                end_recorded(self._stage.paths.terminal_dir(_at(task), 0).parent)

    def heard(self, message: CheckSaid) -> Result | None:
        """Handle what the host of a check reports."""
        run = self._run
        if run is None or run.trial.task != message.task:
            return None
        return run.heard(message.said)

    def due(self, message: TestsDue) -> None:
        """End a check that runs for too long."""
        if self._run is not None:
            self._run.due(message)

    def close(self) -> None:
        """Let go of the check; it goes on."""
        run, self._run = self._run, None
        if run is not None:
            run.close()


def _at(task: Task) -> str:
    return f"{task.address}check/"


def _trial(task: Task, plan: Plan) -> Trial:
    command = next((t.check for t in plan.task if t.id == task.id), None)
    proof = ("check", task.address, str(task.check_run), task.checking)
    return Trial(
        _at(task),
        task.check_run,
        proof,
        task.checking,
        command or ["true"],
        plan.test_timeout,
        task.address,
    )
