"""A simulated stage for decisions.

The durable mailbox, and terminals and a merger that do what they are told to.
"""

import copy
from collections.abc import Callable, Sequence

import msgspec

from actors.workflow.decisions.decide import decide
from bus import facts, requests
from bus.commit_words import Meaning
from bus.errors import Refused
from bus.facts import Fact
from bus.kinds import Ending, LimitKind, MergeRefusal
from bus.peer import NOBODY, Caller
from bus.plan import Plan
from bus.questions import Question
from bus.rows import Task, Terminal
from bus.status import (
    IN_LINE,
    MergeStage,
    QuestionStage,
    TaskStatus,
    TerminalStatus,
    WorkflowStatus,
)
from store.change import Operation, Update, update_merge, update_question
from store.columns import QuestionColumns
from store.submission import submission
from tests.actors.workflow.decisions.decisions_rules import check, command_of
from tests.actors.workflow.decisions.decisions_state import apply

NOW = "2026-11-22T12:00:00.000000Z"
W, T, P = WorkflowStatus, TaskStatus, TerminalStatus
OnChange = Callable[[Sequence[Operation]], None]
Step = tuple[str, Callable[[], object]]
VERDICTS = ("", "done", "review", "fail", "pass", "reject", "checkpoint")


class Staged:
    """`on_change` sees every change as it is stored, `trace` says what was done."""

    def __init__(self, plan: Plan, on_change: OnChange = lambda _: None) -> None:
        self.plan = plan
        self.on_change = on_change
        self.head = 0
        self.queue: list[Fact] = []
        self.past: list[Fact] = []
        self.told: list[Fact] = []
        self.offer: facts.RepairOffered | None = None
        self.trace: list[str] = []
        self.caller: Caller = NOBODY
        self.tokens = 0
        self.commits = 0
        self.green: set[str] = set()
        self.target = "base0"
        first = submission("demo", plan, NOW)
        self.state, told = apply(None, first)
        self._stored(first, told)

    def status(self) -> WorkflowStatus:
        """Return the workflow's status now. A type checker would narrow the attribute."""
        return self.state.status

    def stage(self) -> MergeStage:
        """The stage of the merge now."""
        return self.state.merge.stage

    # ---- the durable mailbox ---------------------------------------------------------

    def _stored(self, change: Sequence[Operation], told: list[Fact]) -> None:
        self.head += len(told)
        self.told += told
        self.queue += [copy.copy(fact) for fact in told if fact.observed]
        self.on_change(change)

    def store(self, change: list[Operation]) -> None:
        """One change as an actor writes it."""
        self.state, told = apply(self.state, change, self.head)
        self._stored(change, told)

    def decide(self, event: Fact | requests.Command) -> list[Operation]:
        """One decision, stored, with every rule of the house checked."""
        before = self.state
        written = msgspec.json.encode(before)
        self.tokens += 1
        token = f"token{self.tokens}"
        by = self.caller
        operations = decide(self.state, self.plan, event, token=token, now=NOW, caller=by)
        assert msgspec.json.encode(before) == written, "decide changed its input"
        assert operations == decide(before, self.plan, event, token=token, now=NOW, caller=by)
        self.state, told = apply(before, operations, self.head)
        for operation in operations:
            if isinstance(operation, Update) and operation.table == "workflow":
                self.plan = msgspec.json.decode(
                    operation.sets.get("plan", msgspec.json.encode(self.plan)), type=Plan
                )
        self._stored(operations, told)
        self._remember_offer(told)
        check(before, self.state, self.plan, operations)
        return operations

    def _remember_offer(self, told: list[Fact]) -> None:
        for fact in told:
            if isinstance(fact, facts.RepairOffered):
                self.offer = fact
        moved = [f for f in told if isinstance(f, facts.WorkflowMoved) and f.new == W.FAILED]
        if moved:
            assert any(isinstance(f, facts.RepairOffered) for f in told), "failed without offer"
            self.check_offer()

    def check_offer(self) -> None:
        """Each action that was offered is allowed in this state."""
        assert self.offer is not None
        for action in self.offer.actions:
            order = command_of(action)
            if order is not None:
                decide(self.state, self.plan, order, token="t", now=NOW)

    def deliver(self) -> None:
        fact = self.queue.pop(0)
        self.past.append(fact)
        self.decide(fact)

    def drain(self) -> None:
        while self.queue:
            self.deliver()

    def order(self, command: requests.Command) -> bool:
        """A person's command, after what was stored before it.

        False where it is refused, which must be an answer to a person.
        """
        self.drain()
        try:
            self.decide(command)
        except Refused as error:
            body = error.body
        else:
            return True
        assert body.code == 400
        assert body.actions, body
        return False

    # ---- terminals ---------------------------------------------------------------------

    def find(self, address: str) -> Terminal:
        return next(t for t in self.state.terminals() if t.address == address)

    def task(self, name: str) -> Task:
        return next(t for t in self.state.tasks if t.id == name)

    def _see(self, terminal: Terminal, fact: Fact, **sets: object) -> None:
        fence = {"incarnation": terminal.incarnation}
        self.store([Update("terminal", terminal.address, dict(sets), fence), fact])

    def ready(self, terminal: Terminal) -> None:
        fact = facts.TerminalReady(address=terminal.address, incarnation=terminal.incarnation)
        self._see(terminal, fact, launch_over=True)

    def fail_launch(self, terminal: Terminal) -> None:
        fact = facts.LaunchFailed(
            address=terminal.address, incarnation=terminal.incarnation, reason="no such program"
        )
        self._see(terminal, fact, gone=True)

    def exit(self, terminal: Terminal, status: int = 0, unsure: int = 0) -> None:
        fact = facts.TerminalExited(
            address=terminal.address,
            incarnation=terminal.incarnation,
            kind=Ending.EXITED,
            status=status,
            screen="the last screen",
            unsure=unsure,
        )
        self._see(terminal, fact, gone=True)

    def rest(self, terminal: Terminal, *, stopped: bool = True) -> None:
        """The program of a kept terminal is stopped, or does not come to rest."""
        fact = facts.TerminalKept(
            address=terminal.address, incarnation=terminal.incarnation, stopped=stopped
        )
        self._see(terminal, fact, resting=stopped)

    def time_out(self, terminal: Terminal) -> None:
        self.store(
            [facts.TimedOut(address=terminal.address, incarnation=terminal.incarnation, seconds=9)]
        )

    def make_room(self, terminal: Terminal) -> None:
        short = facts.MemoryShort(
            address=terminal.address, incarnation=terminal.incarnation, reason="0 MiB are free"
        )
        self.store([short])

    def end_turn(self, terminal: Terminal) -> None:
        """Its turn ends without a commit that counts; it is told so, or waits for a person."""
        where, incarnation, step = terminal.address, terminal.incarnation, terminal.step
        if terminal.nudges < self.plan.nudges:
            without = facts.TurnWithoutCommit(
                address=where, incarnation=incarnation, step=step, missing="all"
            )
            self.store([without])
        else:
            idle = facts.TerminalIdle(
                address=where, incarnation=incarnation, step=step, missing="all"
            )
            self._see(terminal, idle, idle="all")

    def limit(self, terminal: Terminal, by: LimitKind, compact: str = "") -> None:
        """Its model refuses it; a wait for a time is over at once."""
        where, incarnation, step = terminal.address, terminal.incarnation, terminal.step
        fact = facts.TerminalLimited(
            address=where, incarnation=incarnation, step=step, by=by, account="x", compact=compact
        )
        self._see(terminal, fact, limited=by, limits=terminal.limits + 1, account="x")

    def end_limit(self, terminal: Terminal) -> None:
        """Its wait is over."""
        fact = facts.LimitOver(
            address=terminal.address,
            incarnation=terminal.incarnation,
            step=terminal.step,
            by=terminal.limited,
        )
        self._see(terminal, fact, limited=LimitKind.NONE, until="")

    def commit(
        self, address: str, verdict: str, problem: str = "", empty: bool = False, **names: str
    ) -> str:
        self.commits += 1
        commit = f"{self.commits:040x}"
        fact = facts.CommitSeen(
            address=address,
            branch="b",
            commit=commit,
            subject="what was done",
            verdict=Meaning(verdict),
            issues="an issue" if verdict in ("fail", "reject") else "",
            problem=problem,
            empty=empty,
            names=names,
        )
        self.store([fact])
        return commit

    def check_task(self, task: Task, passed: bool = True) -> None:
        """The merger tells the result of the task's check, once."""
        fact = facts.TaskChecked(
            address=task.address,
            commit=task.checking,
            passed=passed,
            command=["check"],
            status=0 if passed else 1,
            run=task.check_run,
            tail="1 failed",
        )
        expect = {"checked": task.checked, "check_run": task.check_run}
        self.store([Update("task", task.address, {"checked": task.check_run}, expect), fact])

    # ---- the orchestrator's model ----------------------------------------------------------

    def think(self, question: Question, said: dict[str, object] | None) -> None:
        """The model is asked, and answers; with None its call fails."""
        number = question.number
        fact = facts.OrchestratorAnswered(
            address="demo/", question=number, proposal=said or {}, error="" if said else "503"
        )
        wanted: QuestionColumns = {"stage": QuestionStage.WANTED}
        over = QuestionStage.OVER if question.sums_up else QuestionStage.ANSWERED
        answered = update_question("demo", number, wanted, stage=over, tokens=9, reserved=0, at=NOW)
        self.store([answered, fact])

    # ---- the merger --------------------------------------------------------------------

    def merger_steps(self) -> list[Step]:
        """What the merger would observe next; nothing while its last word is undecided."""
        merge = self.state.merge
        told = ("demo/", merge.task)
        if not self.state.merges or any(f.address in told for f in self.queue):
            return []
        if merge.stage in (MergeStage.CHECKING, MergeStage.BY_HAND):
            return [("accepts the resolution", self.judge), ("finds fault", self.find_fault)]
        if merge.stage not in IN_LINE:
            return []
        if merge.task:
            return [
                ("makes the base", self.make_base),
                ("finds a conflict", self.find_conflict),
                ("refuses", self.refuse),
            ]
        if not merge.commit:
            return [
                ("builds", self.build),
                ("finds a conflict", self.find_conflict),
                ("refuses", self.refuse),
            ]
        if not merge.tested:
            return [("tests green", self.test), ("tests red", lambda: self.test(False))]
        return [
            ("lands", self.land),
            ("lands but for a checkout", self.land_but),
            ("target moved", self.move_target),
            ("refuses", self.refuse),
        ]

    def _tell(self, fact: Fact) -> None:
        """As the merger does it: each step once.

        One that was told before would never be told again, and the merge would wait for ever.
        """
        key = self.state.merge.step(type(fact).__name__)
        assert key != self.state.merge.told, f"told before, so never again: {key}"
        self.store([update_merge("demo", told=key), fact])

    def build(self) -> None:
        self.commits += 1
        fact = facts.MergeStarted(
            address="demo/",
            target="main",
            base=self.target,
            commit=f"merge{self.commits}",
            branches=[],
        )
        self._tell(fact)

    def make_base(self) -> None:
        merge = self.state.merge
        self.commits += 1
        fact = facts.TaskBased(
            address=merge.task,
            target="main",
            base=self.target,
            commit=f"base{self.commits}",
            branches=[task.branch for task in self.state.to_merge()],
            round=merge.round,
        )
        self._tell(fact)

    def find_conflict(self) -> None:
        fact = facts.MergeConflict(
            address="demo/", files=["a.py"], branch="feat/a", worktree="/tmp/scratch"
        )
        self._tell(fact)

    def refuse(self) -> None:
        fact = facts.MergeRefused(
            address="demo/", reason=MergeRefusal.FILES_IN_THE_WAY, message="in the way", files=["x"]
        )
        self._tell(fact)

    def test(self, passed: bool = True) -> None:
        merge = self.state.merge
        if passed:
            self.green.add(merge.commit)
        fact = facts.MergeTested(
            address="demo/",
            commit=merge.commit,
            passed=passed,
            command=["pytest"],
            status=0 if passed else 1,
            run=merge.runs + 1,
            tail="1 failed",
        )
        self._tell(fact)

    def judge(self, *problems: str) -> None:
        self.commits += 1
        commit = self.state.merge.carried or f"{self.commits:040x}"
        fact = facts.ResolutionJudged(address="demo/", commit=commit, problems=list(problems))
        self._tell(fact)

    def find_fault(self) -> None:
        self.judge("a.py has conflict markers")

    def land(self) -> None:
        """The merger takes the target as its own before it moves it."""
        merge = self.state.merge
        assert self.plan.test is None or merge.commit in self.green, "an untested tree lands"
        if merge.stage == MergeStage.TESTING:
            self.store([update_merge("demo", stage=MergeStage.LANDING)])
        fact = facts.MergeLanded(
            address="demo/", target="main", old=merge.base, new=merge.commit, tested=True
        )
        self._tell(fact)

    def land_but(self) -> None:
        """A filter hangs in the user's checkout after the target has moved."""
        if self.state.merge.stage == MergeStage.TESTING:
            self.store([update_merge("demo", stage=MergeStage.LANDING)])
        fact = facts.MergeBehind(
            address="demo/",
            target="main",
            commit=self.state.merge.commit,
            checkouts=["/repo"],
            message="a filter hangs",
        )
        self._tell(fact)

    def move_target(self) -> None:
        old, self.target = self.state.merge.base, f"{self.target}+"
        self._tell(facts.TargetMoved(address="demo/", target="main", old=old, new=self.target))
