"""A simulated world around the pure core: programs, git, the merger, a person.

What the real actors do is done here to rows in memory, each thing as one step: facts are
stored first and decided on later, in order, as the durable mailbox does it.
"""

import copy
import shlex
from collections.abc import Callable, Sequence

from decisions_state import apply

from actors.decisions import line
from actors.decisions.decide import decide
from bus import facts, requests
from bus.errors import Refused
from bus.facts import Fact
from bus.plan import Plan
from bus.rows import Task, Terminal, Workflow
from bus.status import FINAL_TASK, TaskStatus, TerminalStatus, WorkflowStatus
from store.change import Move, Operation, Update
from store.submission import submission

NOW = "2026-11-22T12:00:00.000000Z"
W, T, P = WorkflowStatus, TaskStatus, TerminalStatus
OnChange = Callable[[Sequence[Operation]], None]
Step = tuple[str, Callable[[], object]]
VERDICTS = ("", "done", "review", "fail", "pass", "reject", "checkpoint")


class World:
    """`on_change` sees every change as it is stored, `trace` says what was done."""

    def __init__(self, plan: Plan, on_change: OnChange = lambda change: None) -> None:
        self.plan = plan
        self.on_change = on_change
        self.head = 0
        self.queue: list[Fact] = []
        self.past: list[Fact] = []
        self.told: list[Fact] = []
        self.offer: facts.RepairOffered | None = None
        self.trace: list[str] = []
        self.tokens = 0
        self.commits = 0
        self.green: set[str] = set()
        self.target = "base0"
        first = submission("demo", plan, NOW)
        self.state, told = apply(None, first)
        self._stored(first, told)

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
        before = copy.deepcopy(self.state)
        self.tokens += 1
        token = f"token{self.tokens}"
        operations = decide(self.state, self.plan, event, token=token, now=NOW)
        assert self.state == before, "decide changed its input"
        assert operations == decide(before, self.plan, event, token=token, now=NOW)
        self.state, told = apply(before, operations, self.head)
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
        """Each command that was offered is one that goes on."""
        assert self.offer is not None
        for text in self.offer.commands:
            order = command_of(text)
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
        """A person's command, after what was stored before it. False where it is refused,
        which must be an answer to a person."""
        self.drain()
        try:
            self.decide(command)
        except Refused as refusal:
            assert refusal.body.code == 400
            assert refusal.body.help.startswith("python run.py "), refusal.body
            return False
        return True

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
        self._see(terminal, fact, ready=True)

    def fail_launch(self, terminal: Terminal) -> None:
        fact = facts.LaunchFailed(
            address=terminal.address, incarnation=terminal.incarnation, reason="no such program"
        )
        self._see(terminal, fact, gone=True)

    def exit(self, terminal: Terminal, status: int = 0, unsure: int = 0) -> None:
        fact = facts.TerminalExited(
            address=terminal.address,
            incarnation=terminal.incarnation,
            kind="exited",
            status=status,
            screen="the last screen",
            unsure=unsure,
        )
        self._see(terminal, fact, gone=True)

    def time_out(self, terminal: Terminal) -> None:
        self.store(
            [facts.TimedOut(address=terminal.address, incarnation=terminal.incarnation, seconds=9)]
        )

    def commit(self, address: str, verdict: str, problem: str = "", **names: str) -> str:
        self.commits += 1
        commit = f"{self.commits:040x}"
        fact = facts.CommitSeen(
            address=address,
            branch="b",
            commit=commit,
            subject="what was done",
            verdict=verdict,
            issues="an issue" if verdict in ("fail", "reject") else "",
            problem=problem,
            names=names,
        )
        self.store([fact])
        return commit

    # ---- the merger --------------------------------------------------------------------

    def merger_steps(self) -> list[Step]:
        """What the merger would observe next; nothing while its last word is undecided."""
        merge = self.state.merge
        if self.state.status != W.MERGING or any(f.address == "demo/" for f in self.queue):
            return []
        if merge.waits in ("checking", "by_hand"):
            return [("accepts the resolution", self.judge), ("finds fault", self.find_fault)]
        if merge.waits not in ("", "landing"):
            return []
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
            ("target moved", self.move_target),
            ("refuses", self.refuse),
        ]

    def _tell(self, fact: Fact) -> None:
        """As the merger does it: each step once. One that was told before would never be told
        again, and the merge would wait for ever."""
        key = self.state.merge.step(type(fact).__name__)
        assert key != self.state.merge.told, f"told before, so never again: {key}"
        self.store([Update("workflow", "demo", {"merge_told": key}), fact])

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

    def find_conflict(self) -> None:
        fact = facts.MergeConflict(
            address="demo/", files=["a.py"], branch="feat/a", worktree="/tmp/scratch"
        )
        self._tell(fact)

    def refuse(self) -> None:
        fact = facts.MergeRefused(
            address="demo/", reason="target_checked_out", message="in the way", files=["x"]
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
        commit = self.state.merge.resolved or f"{self.commits:040x}"
        fact = facts.ResolutionJudged(address="demo/", commit=commit, problems=list(problems))
        self._tell(fact)

    def find_fault(self) -> None:
        self.judge("a.py has conflict markers")

    def land(self) -> None:
        """The merger takes the target as its own before it moves it."""
        merge = self.state.merge
        assert self.plan.test is None or merge.commit in self.green, "an untested tree lands"
        if merge.waits == "":
            self.store([Update("workflow", "demo", {"merge_waits": "landing"})])
        fact = facts.MergeLanded(
            address="demo/", target="main", old=merge.base, new=merge.commit, tested=True
        )
        self._tell(fact)

    def move_target(self) -> None:
        old, self.target = self.state.merge.base, f"{self.target}+"
        self._tell(facts.TargetMoved(address="demo/", target="main", old=old, new=self.target))

    # ---- what may happen next -----------------------------------------------------------

    def must(self, merger: bool = True) -> list[Step]:
        """What happens by itself sooner or later, whatever the agents do."""
        if self.queue:
            return [("deliver", self.deliver)]
        steps: list[Step] = []
        for terminal in self.state.terminals():
            if not terminal.gone and not terminal.alive:
                steps.append((f"{terminal.address} ends", lambda t=terminal: self.exit(t)))
            elif terminal.status == P.STARTING and not terminal.ready:
                steps.append((f"{terminal.address} ready", lambda t=terminal: self.ready(t)))
        return steps + (self.merger_steps()[:1] if merger else [])

    def may(self) -> list[Step]:
        """Everything that programs, git and the merger can do now."""
        steps = [("deliver", self.deliver)] * 3 if self.queue else []
        for terminal in self.state.terminals():
            steps += self._program_steps(terminal)
        for task in self.state.tasks:
            steps.append((f"checkpoint {task.id}", lambda t=task: self.commit(t.address, "")))
        return steps + self.merger_steps()

    def _program_steps(self, terminal: Terminal) -> list[Step]:
        where = terminal.address
        steps: list[Step] = []
        if not terminal.gone:
            steps.append((f"{where} exits", lambda: self.exit(terminal)))
            if terminal.status == P.STARTING and not terminal.ready and terminal.alive:
                steps += [(f"{where} ready", lambda: self.ready(terminal))] * 4
                steps.append((f"{where} launch fails", lambda: self.fail_launch(terminal)))
        if terminal.status == P.RUNNING and terminal.alive:
            branch = terminal.task or where
            for verdict in ("done", "done", *VERDICTS):
                steps.append((f"{where} #{verdict}", lambda v=verdict: self.commit(branch, v)))
            steps.append((f"{where} times out", lambda: self.time_out(terminal)))
            steps.append(
                (f"{where} says nonsense", lambda: self.commit(branch, "done", problem="dirty"))
            )
            steps.append(
                (f"{where} names another", lambda: self.commit(branch, "done", terminal_id="9"))
            )
        return steps

    def noise(self) -> list[Step]:
        """Late and repeated facts, and commits nobody waits for."""
        steps: list[Step] = []
        for fact in self.past[-3:]:
            steps.append((f"again {fact!r}", lambda f=fact: self.decide(f)))
            again = copy.copy(fact)
            steps.append((f"twice {fact!r}", lambda f=again: self.store([f])))
        for terminal in self.state.terminals():
            if terminal.incarnation > 1:
                late = terminal.incarnation - 1
                steps.append(
                    (
                        f"late exit {terminal.address}",
                        lambda t=terminal, n=late: self.store(
                            [
                                facts.TerminalExited(
                                    address=t.address, incarnation=n, kind="signaled", status=9
                                )
                            ]
                        ),
                    )
                )
        for task in self.state.tasks:
            for verdict in VERDICTS:
                where = task.address
                steps.append((f"stray {verdict}", lambda a=where, v=verdict: self.commit(a, v)))
        return steps

    def orders(self) -> list[Step]:
        return [(repr(c), lambda c=c: self.order(c)) for c in all_commands(self.state)]

    def walk(self, step: Step) -> None:
        self.trace.append(step[0])
        step[1]()

    # ---- the two great questions ------------------------------------------------------------

    def settle(self, merger: bool = True) -> None:
        """Let all happen that happens by itself, until only agents and persons can act;
        without the merger, also it waits."""
        for _ in range(300):
            steps = self.must(merger)
            if not steps:
                return
            self.walk(steps[0])
        raise AssertionError("the world does not come to rest")

    def is_working(self, terminal: Terminal) -> bool:
        return terminal.status == P.RUNNING and terminal.alive and not terminal.gone

    def check_not_stuck(self) -> None:
        """At rest, somebody works or somebody was asked, in every part of the workflow."""
        state = self.state
        working = [t for t in state.terminals() if self.is_working(t)]
        match state.status:
            case W.CREATED | W.READY | W.PAUSED | W.COMPLETED | W.CANCELLED:
                return
            case W.FAILED:
                self.check_offer()
            case W.MERGING:
                by_person = state.merge.waits == "conflict" and self.offer is not None
                assert working or by_person, "the merge waits for nobody"
            case W.RUNNING:
                full = sum(not t.gone for t in state.terminals()) >= self.plan.max_terminals
                for task in state.tasks:
                    if task.status in FINAL_TASK or line.worker(task):
                        continue
                    if task.status == T.REVIEW_PENDING and line.next_in_line(task) is None:
                        continue
                    assert full and working, f"{task.address} is stuck"
                assert any(t.status not in FINAL_TASK for t in state.tasks), "nothing left to do"
            case W.STARTING:
                raise AssertionError("starting with nothing under way")

    def finish(self, *stops: WorkflowStatus) -> None:
        """With agents that succeed and a person who does what is offered, all lands. Ends
        earlier where the workflow gets to one of `stops`."""
        for _ in range(500):
            if self.state.status in (W.COMPLETED, W.CANCELLED, *stops):
                return
            steps = self.must()
            if steps:
                self.walk(steps[0])
                continue
            self.check_not_stuck()
            state = self.state
            working = [t for t in state.terminals() if self.is_working(t)]
            if working:
                self.walk((f"{working[0].address} #done", lambda t=working[0]: self.say_done(t)))
                continue
            order = self.helpful()
            self.trace.append(repr(order))
            assert self.order(order), f"refused: {order}"
        raise AssertionError("does not land")

    def say_done(self, terminal: Terminal) -> None:
        self.commit(terminal.task or terminal.address, "done")

    def helpful(self) -> requests.Command:
        state = self.state
        simple: dict[WorkflowStatus, requests.Command] = {
            W.CREATED: requests.WorkflowPrepare(workflow="demo"),
            W.READY: requests.WorkflowStart(workflow="demo"),
            W.PAUSED: requests.WorkflowResume(workflow="demo"),
            W.MERGING: requests.MergeContinue(workflow="demo"),
        }
        if state.status == W.FAILED:
            assert self.offer is not None
            first = command_of(self.offer.commands[0])
            assert first is not None
            return first
        if state.status in simple:
            return simple[state.status]
        task = next(t for t in state.tasks if t.status == T.REVIEW_PENDING)
        return requests.TaskApprove(task=task.address)


def command_of(text: str) -> requests.Command | None:
    """The request behind a command line that was offered; None for a reading one."""
    python, run, verb, where, *options = shlex.split(text)
    assert (python, run) == ("python", "run.py")
    match verb, options:
        case "retry", []:
            return requests.TaskRetry(task=f"{where}/")
        case "repair", []:
            return requests.WorkflowRepair(workflow=where)
        case "repair", ["--cli", cli]:
            return requests.WorkflowRepair(workflow=where, cli=cli)
        case "prepare", []:
            return requests.WorkflowPrepare(workflow=where)
        case "merge", ["--continue"]:
            return requests.MergeContinue(workflow=where)
        case "merge", ["--abort"]:
            return requests.MergeAbort(workflow=where)
    assert verb == "why", text
    return None


def all_commands(state: Workflow) -> list[requests.Command]:
    id = state.id
    commands: list[requests.Command] = [
        requests.WorkflowPrepare(workflow=id),
        requests.WorkflowStart(workflow=id),
        requests.WorkflowPause(workflow=id),
        requests.WorkflowResume(workflow=id),
        requests.WorkflowStop(workflow=id),
        requests.WorkflowRepair(workflow=id),
        requests.WorkflowRepair(workflow=id, cli="codex"),
        requests.MergeContinue(workflow=id),
        requests.MergeAbort(workflow=id),
    ]
    for task in state.tasks:
        commands += [
            requests.TaskRetry(task=task.address),
            requests.TaskApprove(task=task.address),
            requests.TaskReject(task=task.address, reason="not good"),
        ]
    return commands


def check(before: Workflow, after: Workflow, plan: Plan, operations: list[Operation]) -> None:
    """The rules that hold after every decision. `apply` has checked that every transition
    is legal and no compare-and-swap was lost."""
    old = {t.address: t for t in before.terminals()}
    terminals = after.terminals()
    assert sum(not t.gone for t in terminals) <= plan.max_terminals, "too many at once"
    assert sum(t.status == P.STARTING for t in terminals) <= 1, "two launches at once"
    for terminal in terminals:
        task = next((t for t in after.tasks if t.address == terminal.task), None)
        was = old.get(terminal.address, terminal)
        assert terminal.incarnation in (was.incarnation, was.incarnation + 1)
        if terminal.incarnation == was.incarnation and terminal.address in old:
            assert terminal.step >= was.step
        elif terminal.address in old:
            assert was.gone, "started while the last incarnation is there"
        assert not (terminal.wanted and terminal.live), "wanted and live"
        done = terminal.status == P.COMPLETED and task is not None
        assert not (terminal.wanted and done), "wanted though it has completed"
        assert not terminal.alive or terminal.live, "alive at its end"
        if terminal.live and not terminal.alive:
            assert task is not None and line.under_review(task, terminal), "live, not alive"
        if task is not None and task.status in FINAL_TASK:
            assert not terminal.alive and not terminal.wanted, "works on after its task's end"
        if task is not None and terminal.step > (was.step if terminal.address in old else 0):
            assert line.has_worktree_alone(task, terminal), "instructed beside another"
    for task in after.tasks:
        assert sum(t.status == P.RUNNING and t.alive for t in task.terminals) <= 1
        assert (task.status == T.REVIEW_PENDING) == (line.reviewed(task) is not None)
    if after.status in (W.COMPLETED, W.CANCELLED, W.FAILED):
        assert not any(t.alive or t.wanted for t in terminals), "works after the end"
    if after.status in (W.MERGING, W.COMPLETED):
        assert all(t.status == T.COMPLETED for t in after.tasks)
    if before.status == after.status == W.PAUSED:
        started = {P.STARTING, P.RUNNING}
        assert not any(
            isinstance(o, Move) and o.new in started and o.table == "terminal" for o in operations
        ), "something begins while paused"
