"""Turns: tell the end of a turn, and act if it ended without a commit that counts.

After `idle_after` seconds of quiet the terminal is told what is missing, at most `nudges` times;
then it waits for a person. A password prompt, a pager or an editor takes no instruction, so it
waits for a person at once. This part never completes anything.
"""

from actors.clis.judging import Judgement
from actors.git.trees.reach import for_reading
from actors.platform.workers import WorkerLate
from actors.terminal.missing import UNKNOWN, Place, missing
from actors.terminal.port import Port, Timer
from actors.terminal.screens import PROMPT_MS
from bus.facts import TerminalIdle, TerminalResumed, TurnEnded, TurnWithoutCommit
from bus.rows import WAITS_FOR_KEYS, Task, Workflow

MISSING_SECONDS = 20.0
"""The time limit for examining the worktree, in seconds."""
_LONG_MS = 1 << 40
"""Longer than any stillness that a plan asks for."""


class Turn:
    """The part that watches turns. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.forget()

    def forget(self) -> None:
        """Reset: another incarnation begins, or the actor lets go of this one."""
        self._waiting = False
        self._asked: Judgement | None = None
        self._told = 0
        """The last step for which the terminal was told that nothing counts."""

    def consider(self, seen: Judgement, ms: int) -> bool:
        """Note whether a screen that has stood still for `ms` shows the end of the turn.

        Return whether the end was told now.
        """
        port, row = self._port, self._port.row
        if not self._is_over(seen, ms):
            self._look_later(seen, self._waiting)
            return False
        told = False
        if seen.obstacle is None and row.ended < row.step:
            ended = TurnEnded(address=port.at, incarnation=row.incarnation, step=row.step)
            told = port.observe(ended, while_alive=True, ended=row.step)
        if not self._waiting and not row.idle and self._told < row.step:
            self._wait()
        return told

    def is_due(self, seen: Judgement, ms: int) -> bool:
        """Handle the end of `idle_after`; return whether the watcher is to sweep now.

        The sweep makes sure that no commit that was just made is missed.
        """
        self._waiting = False
        paused, _ = self._port.stage.reader.pause_of(self._port.workflow_id)
        if not self._is_over(seen, ms):
            self._look_later(seen, True)
            return False
        if self._port.row.idle or self._told >= self._port.row.step:
            return False
        self._wait()  # the watcher may never answer
        self._asked = None if paused else seen
        return not paused

    @property
    def awaits_sweep(self) -> bool:
        """Whether this part waits for the watcher's answer."""
        return self._asked is not None

    def swept(self) -> None:
        """Tell a terminal that is still at work what is missing, or ask for a person.

        Every commit is journaled by now.
        """
        port, row, seen = self._port, self._port.row, self._asked
        self._asked = None
        over = row.works and not row.limited and not row.idle
        if seen is None or not over or self._told >= row.step:
            return
        workflow = port.stage.reader.workflow(port.workflow_id)
        if workflow is None or not (row.task or workflow.merge.asks):
            return
        what = self._missing(workflow)
        if seen.obstacle is None and row.nudges < port.plan.nudges:
            without = TurnWithoutCommit(
                address=port.at, incarnation=row.incarnation, step=row.step, missing=what
            )
            if port.observe(without, while_alive=True):
                self._told = without.step
            return
        if seen.obstacle is not None:
            what = f"{WAITS_FOR_KEYS}{seen.obstacle}. {what}"
        elif seen.question:
            what = f'It asks: "{seen.question}" {what}'
        idle = TerminalIdle(
            address=port.at,
            incarnation=row.incarnation,
            step=row.step,
            missing=what,
            obstacle=seen.obstacle or "",
            screen=seen.text,
        )
        port.observe(idle, while_alive=True, idle=what)

    def _is_over(self, seen: Judgement, ms: int) -> bool:
        """Return whether a program with a step to do has stopped, at its prompt or at an obstacle.

        A program whose profile has no `busy` pattern may be at work behind its prompt; only a long
        silence shows that it has stopped.
        """
        port, row = self._port, self._port.row
        works = row.works and row.step > 0 and not row.limited
        if not works or seen.prompt is not None or not seen.readable:
            return False
        if seen.obstacle is not None:
            return ms >= PROMPT_MS
        if row.delivered < row.step or seen.busy or not seen.ready:
            return False
        return ms >= (PROMPT_MS if port.profile.busy else int(port.plan.stall_after * 1000))

    def _look_later(self, seen: Judgement, waiting: bool) -> None:
        """Handle a screen that has not stood still for long enough, or shows that it goes on.

        The first may be the last look that anything else causes: a host tells each silence once.
        So a wait that was begun is begun again.
        """
        if waiting and self._is_over(seen, _LONG_MS):
            self._asked = None
            self._wait()
        else:
            self._go_on(seen)

    def _go_on(self, seen: Judgement) -> None:
        """Note that the turn goes on, or that another has begun."""
        port, row = self._port, self._port.row
        self._asked = None
        if self._waiting:
            self._waiting = False
            port.cancel(Timer.IDLE)
        if row.idle and seen.busy and seen.obstacle is None:
            fact = TerminalResumed(address=port.at, incarnation=row.incarnation)
            port.observe(fact, idle="")

    def _wait(self) -> None:
        self._waiting = True
        self._port.after(Timer.IDLE, self._port.plan.idle_after)

    def _missing(self, workflow: Workflow) -> str:
        """Return what is missing, examined in a worker process.

        A filter of the repository may hang.
        """
        port = self._port
        task = next((t for t in workflow.tasks if t.address == port.row.task), None)
        if task is None:
            return UNKNOWN
        worker = port.stage.workers.hire("missing", MISSING_SECONDS)
        try:
            while True:
                place = self._place(workflow, task)
                what = worker.call(missing, place)
                if place.landed == self._place(workflow, task).landed:  # nothing landed meanwhile
                    return what
        except WorkerLate as late:
            return f"{UNKNOWN} ({late})"
        finally:
            port.stage.workers.dismiss(worker)

    def _place(self, workflow: Workflow, task: Task) -> Place:
        port, reader = self._port, self._port.stage.reader
        return Place(
            worktree=task.worktree,
            branch=task.branch,
            base=task.base,
            since=port.row.working_since,
            others=frozenset(reader.branches_in(workflow.git_dir) - {task.branch}),
            landed=frozenset(reader.landed(workflow.git_dir, workflow.target)),
            within=for_reading(
                workflow.git_dir,
                task.worktree,
                port.stage.paths.unseen(port.plan.fences(task.address)),
            ),
            settings=reader.git_settings(workflow.id),
        )
