"""The merger of one workflow: build, test, land, each from the row and told once.

`running -> merging` has said that the branches are done. The branches are merged in order
on the target's present tip (in a worker process of its own, in memory), the plan's test runs on
exactly that tree, and one compare-and-swap moves the target. `kill -9` anywhere leaves the
old target or the tested new one; the next incarnation reads the row and goes on from the
last step that was told (hazards 44 to 49).
"""

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pygit2

from actors.git import merge as merging
from actors.git import resolution, worktrees
from actors.git.command import GitLate, GitRefused, git
from actors.git.graph import descends
from actors.git.refs import HEADS, read_ref
from actors.git.repository import is_dirty
from actors.merger import cleanup
from actors.merger.forecast import Forecasts
from actors.merger.landing import Landing
from actors.merger.testrun import TestRun, TestsDue, run_number
from actors.platform.workers import WorkerLate
from actors.pty.ending import end_all
from actors.pty.session import HostSaid
from actors.supervision.actor import handles
from actors.system.own_worker import OwnWorker, Rest
from actors.system.stage import CompanyActor, Stage
from bus import address as addresses
from bus.facts import (
    Fact,
    MergeBehind,
    MergeConflict,
    MergeRefused,
    MergeStarted,
    MergeTested,
    ResolutionJudged,
)
from bus.messages import Look
from bus.rows import Workflow
from bus.status import FINAL_WORKFLOW, TerminalStatus, WorkflowStatus
from store.change import Update
from store.errors import LostRace

log = logging.getLogger("callboard.merger")

MERGE_SECONDS = 600.0
"""What one step of a merge may take in its worker; each `git` in it has its own, shorter limit."""

_ENDS = (MergeBehind, MergeConflict, MergeRefused, MergeTested)
"""Facts after which a step is over: what was decided on them is another step."""


class Merger(CompanyActor):
    """One workflow's merge. Handlers run in its thread; they wait for a worker process,
    never for the tests."""

    def __init__(self, stage: Stage, workflow: str) -> None:
        super().__init__(stage)
        self._id = workflow
        self._tests: TestRun | None = None
        self._forecasts = Forecasts(self)
        self._landing = Landing(self)
        self.worker = OwnWorker(
            stage.workers, stage.timers, self.address, f"merge of {workflow}", MERGE_SECONDS
        )
        self._in_line = True  # it may have been: whoever is first then, is told

    def on_start(self) -> None:
        """A landing that a crash has cut is ended by the next `land`: its row says so."""
        self.stage.tell(self.address, Look())

    def on_stop(self) -> None:
        self._forget_tests()
        self.worker.close()

    def on_failure(self, *_: object) -> None:
        self.on_stop()

    @handles(Rest)
    def rest(self, message: Rest) -> None:
        self.worker.rest()

    def _forget_tests(self) -> None:
        if self._tests is not None:
            self._tests.close()
            self._tests = None

    @handles(Look)
    def look(self, message: Look) -> None:
        row = self.row()
        first = self._first_in_line(row)
        if row.status != WorkflowStatus.MERGING:
            if self._tests is not None:
                self._tests.end()
            else:
                end_all(self.stage.paths.terminal_dir(f"{self.address}tests/", 0).parent)
            if row.status in FINAL_WORKFLOW and all(t.gone for t in row.terminals()):
                self._tidy(row)
            elif row.status in (WorkflowStatus.RUNNING, WorkflowStatus.PAUSED):
                self._forecasts.look(row)
            return
        if row.merge.told in {row.merge.step(fact.__name__) for fact in _ENDS}:
            return  # the workflow's actor is about to decide on it
        try:
            self._step(row, first)
        except (GitLate, WorkerLate) as late:
            self.refuse(self.row(), "too_long", f"does a filter or a merge driver hang? {late}")

    def _first_in_line(self, row: Workflow) -> bool:
        """Whether it is this one's turn to build, test and land: one after another on a target,
        first come, first served (hazard 52). Whoever leaves the line tells the first in it."""
        if row.status != WorkflowStatus.MERGING and not self._in_line:
            return False
        line = self.stage.reader.line_of_merges(row.git_dir, row.target)
        was, self._in_line = self._in_line, row.id in line
        if line and was and not self._in_line:
            self.stage.tell(addresses.merger(line[0]), Look())
        return line[:1] == [row.id]

    def _step(self, row: Workflow, first: bool) -> None:
        match row.merge.waits:
            case "" if first:
                self._go_on(row)
            case "checking" | "by_hand":
                self._judge(row)
            case "repair":
                self._stage_repair(row)
            case "landing":
                self._landing.go_on(row)

    @handles(HostSaid)
    def heard(self, message: HostSaid) -> None:
        if self._tests is not None:
            self._tests.heard(message)

    @handles(TestsDue)
    def tests_due(self, message: TestsDue) -> None:
        if self._tests is not None:
            self._tests.due(message)

    def row(self) -> Workflow:
        workflow = self.stage.reader.workflow(self._id)
        if workflow is None:
            raise LookupError(f"workflow {self._id} has no row")
        return workflow

    def tell(self, row: Workflow, fact: Fact, **sets: Any) -> None:
        """Store one step's fact, once: the row remembers the last step that was told."""
        merge = row.merge
        key = merge.step(type(fact).__name__)
        if merge.told == key:
            return
        columns = {"merge_told": key, **{f"merge_{name}": value for name, value in sets.items()}}
        expect = {
            "merge_told": merge.told,
            "merge_round": merge.round,
            "status": WorkflowStatus.MERGING,
        }
        try:
            self.stage.commit(self, [Update("workflow", self._id, columns, expect), fact])
        except LostRace:
            self.stage.tell(self.address, Look())

    def _go_on(self, row: Workflow) -> None:
        if not row.merge.commit:
            self._build(row)
        elif not row.merge.tested:
            self._test(row)
        else:
            self._landing.begin(row)

    # ---- build ---------------------------------------------------------------------------

    def _request(self, row: Workflow) -> merging.MergeRequest:
        """On the target's tip, or on a resolution that has it already. Of each branch the commit
        is merged that was accepted."""
        branches = [(task.branch, task.name) for task in row.tasks]
        tips = {task.branch: task.accepted for task in row.tasks}
        time = int(datetime.fromisoformat(row.merge.at).timestamp())
        request = merging.plan_merge(row.git_dir, row.target, branches, time=time, tips=tips)
        resolved = row.merge.resolved
        if not resolved:
            return request
        if descends(pygit2.Repository(row.git_dir), request.base, resolved):
            return msgspec.structs.replace(request, base=resolved)
        first = merging.MergeBranch("callboard", resolved, "resolved conflicts")
        return msgspec.structs.replace(request, branches=(first, *request.branches))

    def _build(self, row: Workflow) -> None:
        tip = read_ref(row.git_dir, HEADS + row.target)
        if tip is None:
            self.refuse(row, "target_missing", f"there is no branch {row.target!r} any more")
            return
        request = self._request(row)
        match self.worker.call(merging.merge_branches, request):
            case merging.MergeResult(result=result):
                fact = MergeStarted(
                    address=row.address,
                    target=row.target,
                    base=tip,
                    commit=result,
                    branches=[task.branch for task in row.tasks],
                )
                self.tell(row, fact)
            case merging.Conflict() as found:
                self._conflict(row, found)
            case merging.Unrelated(branch=branch):
                self.refuse(row, "unrelated", f"{branch} shares no commit with {row.target}")

    def _conflict(self, row: Workflow, found: merging.Conflict) -> None:
        """The conflict is laid out in a scratch worktree, detached, with git's markers: in
        that of the merge terminal where it works already. Where `git` itself finds no
        conflict, its merge is taken."""
        path = Path(row.merge.worktree)
        stays = self._at_work(row) and not is_dirty(str(path)) and self._bring(path, found.onto)
        if not stays:
            path = self._scratch(f"merge-{row.merge.round}-{found.tip[:8]}")
        request = self._request(row)
        made = self.worker.call(
            resolution.materialize,
            row.git_dir,
            str(self.stage.paths.home),
            str(path),
            onto=found.onto,
            tip=found.tip,
            message=f"Merge {found.branch} into {row.target}",
            author=request.author,
            at_onto=stays,
        )
        if made.resolved is not None and made.resolved != row.merge.resolved:
            self._take(row, merge_resolved=made.resolved)
            return
        fact = MergeConflict(
            address=row.address,
            files=[file.path for file in found.files],
            branch=found.branch,
            against=list(found.with_branches),
            worktree=str(path),
            start=found.onto,
        )
        self.tell(row, fact)

    def _take(self, row: Workflow, **columns: Any) -> None:
        """Change the merge's own columns and look again, if nobody was faster."""
        expect = {"merge_told": row.merge.told, "merge_waits": row.merge.waits}
        try:
            self.stage.commit(self, [Update("workflow", self._id, columns, expect)])
        except LostRace as lost:
            log.info("%s: %s", self.address, lost)
        self.stage.tell(self.address, Look())

    def _scratch(self, name: str) -> Path:
        path = self.stage.paths.home / "worktrees" / self._id / f".{name}"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    # ---- test ----------------------------------------------------------------------------

    def _test(self, row: Workflow) -> None:
        """Start the next run, or take up the one that goes on."""
        plan = self.stage.reader.plan(self._id)
        if plan.test is None:
            return
        number = run_number(row)
        if self._tests is None or self._tests.number != number:
            self._forget_tests()
            path = self._scratch("tested")
            self._tests = TestRun(self, plan, number, row.merge.commit, path)
        self._tests.begin(row)

    # ---- what ends a step ------------------------------------------------------------

    def refuse(
        self, row: Workflow, reason: str, message: str, files: list[str] | None = None
    ) -> None:
        fact = MergeRefused(address=row.address, reason=reason, message=message, files=files or [])
        self.tell(row, fact)

    # ---- resolution and repair -----------------------------------------------------------

    def _judge(self, row: Workflow) -> None:
        """What the merge terminal committed, or a person left in the worktree: is it whole?
        A mended red tree must come from it; a resolved conflict must lose nothing."""
        merge = row.merge
        tip = next((task.accepted for task in row.tasks if task.branch == merge.branch), "")
        if merge.waits == "by_hand":
            checked = self.worker.call(
                resolution.check_worktree, row.git_dir, merge.worktree, onto=merge.start, tip=tip
            )
            commit, problems = checked.head, checked.problems
        elif merge.files:
            commit = merge.resolved
            problems = self.worker.call(
                resolution.check_resolution, row.git_dir, onto=merge.start, tip=tip, head=commit
            )
        else:
            commit, problems = merge.resolved, ()
        texts = [problem.text for problem in problems]
        self.tell(row, ResolutionJudged(address=row.address, commit=commit, problems=texts))

    def _stage_repair(self, row: Workflow) -> None:
        """The red tree, in a scratch worktree, for the terminal that mends it."""
        merge, helper = row.merge, row.merge_terminal
        if merge.staged:
            if helper is not None and not helper.gone:
                self.stage.tell(helper.address, Look())
            return
        path = Path(merge.worktree)
        if self._at_work(row):
            self._bring(path, merge.commit)
        else:
            path = self._scratch(f"merge-{merge.round}")
            mark = f"repair {merge.commit}\n"
            name = worktrees.registered(row.git_dir, str(path))
            if name is None or worktrees.mark_of(row.git_dir, name) != mark:
                worktrees.make(row.git_dir, str(path), merge.commit, mark=mark, detach=True)
        self._take(row, merge_worktree=str(path), merge_start=merge.commit)

    @staticmethod
    def _at_work(row: Workflow) -> bool:
        """The merge terminal works, in a worktree that it cannot leave."""
        helper = row.merge_terminal
        works = helper is not None and helper.status == TerminalStatus.RUNNING
        return works and bool(row.merge.worktree) and Path(row.merge.worktree).is_dir()

    def _bring(self, worktree: Path, commit: str) -> bool:
        """A terminal that works stays where it stands, and what it is to work on next comes
        there. False where its own changes are in the way; they stay. (A red tree's repair
        is then rejected with the reason, a conflict is laid out elsewhere.)"""
        try:
            git(
                *("checkout", "-q", "--detach", commit),
                at=str(worktree),
                refusals="would be overwritten|resolve your current index first",
            )
        except GitRefused as error:
            log.warning("%s: %s", self.address, error)
            return False
        return True

    # ---- the end -------------------------------------------------------------------------

    def _tidy(self, row: Workflow) -> None:
        """Clean up after a workflow that is over, then end its actors."""
        cleanup.tidy(row, self.stage.paths.home, self._scratch("tested"))
        self.stage.commit(self, [Update("workflow", self._id, {"tidied": True})])
        self.supervisor.parent.terminate_child(self._id, block=False)
