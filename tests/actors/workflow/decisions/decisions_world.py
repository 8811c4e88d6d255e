"""A simulated world around the pure core: programs, git, the merger, a person.

What the real actors do is done here to rows in memory, each thing as one step: facts are
stored first and decided on later, in order, as the durable mailbox does it.
"""

import copy
from functools import partial

from actors.workflow.decisions import bases, line
from bus import facts, requests
from bus.kinds import Ending, LimitKind
from bus.questions import Question
from bus.rows import Terminal
from bus.status import FINAL_TASK, MergeStage, QuestionStage, WorkflowStatus
from tests.actors.workflow.decisions.decisions_rules import all_commands, command_of
from tests.actors.workflow.decisions.decisions_stage import VERDICTS, P, Staged, Step, T, W


class World(Staged):
    """What may happen next on it, and the two great questions: does it end, is it never stuck."""

    # ---- what may happen next -----------------------------------------------------------

    def must(self, merger: bool = True) -> list[Step]:
        """What happens by itself sooner or later, whatever the agents do."""
        if self.queue:
            return [("deliver", self.deliver)]
        steps: list[Step] = []
        for terminal in self.state.terminals():
            if not terminal.gone and not terminal.shall_run:
                steps.append((f"{terminal.address} ends", partial(self.exit, terminal)))
            elif terminal.status == P.STARTING and not terminal.launch_over:
                steps.append((f"{terminal.address} ready", partial(self.ready, terminal)))
            elif terminal.kept and not terminal.resting and not terminal.gone:
                steps.append((f"{terminal.address} rests", partial(self.rest, terminal)))
        for task in self.state.tasks:
            if task.checking and task.checked < task.check_run:
                steps.append((f"check of {task.id} green", partial(self.check_task, task)))
        return steps + (self.merger_steps()[:1] if merger else [])

    def _asked(self) -> list[Question]:
        """The question that is put to the model, if there is one."""
        is_over = self.state.status in (W.COMPLETED, W.CANCELLED)
        return [q for q in self.state.questions if q.stage == QuestionStage.WANTED and not is_over]

    def _answers(self, question: Question) -> list[Step]:
        """Whatever a model may say: what helps, what does not, and what is no action."""
        said: list[dict[str, object]]
        said = [{"action": "nothing"}, {"action": "escalate", "text": "which?"}, {"action": "land"}]
        said.append({"action": "add_task", "task": f"m{len(self.state.tasks)}", "text": "more"})
        for task in self.state.tasks:
            for action in ("send_back", "blame", "add_terminal"):
                said.append({"action": action, "task": task.address, "text": "mend it"})
            said.append({"action": "retry", "task": task.address})
        for terminal in self.state.terminals():
            said.append({"action": "instruct", "terminal": terminal.address, "text": "go on"})
        steps: list[Step] = [("no model answers", partial(self.think, question, None))]
        return steps + [(f"the model says {e}", partial(self.think, question, e)) for e in said]

    def may(self) -> list[Step]:
        """Everything that programs, git and the merger can do now."""
        steps: list[Step] = [("deliver", self.deliver)] * 3 if self.queue else []
        for terminal in self.state.terminals():
            steps += self._program_steps(terminal)
        for task in self.state.tasks:
            steps.append((f"checkpoint {task.id}", partial(self.commit, task.address, "")))
            if task.checking and task.checked < task.check_run:
                for passed in (True, False):
                    step = partial(self.check_task, task, passed)
                    steps.append((f"check of {task.id} {passed}", step))
                steps.append((f"{task.id} amends", partial(self.commit, task.address, "done")))
        for question in self._asked():
            steps += self._answers(question)
        return steps + self.merger_steps()

    def _program_steps(self, terminal: Terminal) -> list[Step]:
        where = terminal.address
        steps: list[Step] = []
        if not terminal.gone:
            steps.append((f"{where} exits", lambda: self.exit(terminal)))
            if terminal.status == P.STARTING and not terminal.launch_over and terminal.shall_run:
                steps += [(f"{where} ready", lambda: self.ready(terminal))] * 4
                steps.append((f"{where} launch fails", lambda: self.fail_launch(terminal)))
        if terminal.kept and not terminal.resting and not terminal.gone:
            steps += [(f"{where} rests", partial(self.rest, terminal))] * 4
            steps.append((f"{where} does not rest", partial(self.rest, terminal, stopped=False)))
        if terminal.rests:
            steps.append((f"{where} is to make room", partial(self.make_room, terminal)))
        if terminal.works:
            branch = terminal.task or where
            for verdict in ("done", "done", *VERDICTS):
                steps.append((f"{where} #{verdict}", partial(self.commit, branch, verdict)))
            steps.append((f"{where} stops", lambda: self.end_turn(terminal)))
            by, compact = (LimitKind.CONTEXT, "/compact") if terminal.step % 2 else ("usage", "")
            steps.append(
                (f"{where} is limited", partial(self.limit, terminal, LimitKind(by), compact))
            )
            if terminal.limited:
                steps.append((f"{where} may go on", partial(self.end_limit, terminal)))
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
            steps.append((f"again {fact!r}", partial(self.decide, fact)))
            again = copy.copy(fact)
            steps.append((f"twice {fact!r}", partial(self.store, [again])))
        for terminal in self.state.terminals():
            if terminal.incarnation > 1:
                late = terminal.incarnation - 1
                steps.append(
                    (
                        f"late exit {terminal.address}",
                        partial(
                            self.store,
                            [
                                facts.TerminalExited(
                                    address=terminal.address,
                                    incarnation=late,
                                    kind=Ending.SIGNALED,
                                    status=9,
                                )
                            ],
                        ),
                    )
                )
        for task in self.state.tasks:
            for verdict in VERDICTS:
                where = task.address
                steps.append((f"stray {verdict}", partial(self.commit, where, verdict)))
        return steps

    def orders(self) -> list[Step]:
        return [(repr(c), partial(self.order, c)) for c in all_commands(self.state)]

    def walk(self, step: Step) -> None:
        self.trace.append(step[0])
        step[1]()

    # ---- the two great questions ------------------------------------------------------------

    def settle(self, merger: bool = True) -> None:
        """Let all happen that happens by itself, until only agents and persons can act.

        Without the merger, also it waits.
        """
        for _ in range(300):
            steps = self.must(merger)
            if not steps:
                return
            self.walk(steps[0])
        raise AssertionError("the world does not come to rest")

    def is_working(self, terminal: Terminal) -> bool:
        return terminal.works and not terminal.gone

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
                asked = state.merge.stage in (MergeStage.CONFLICT, MergeStage.CHECKOUT)
                by_person = asked and self.offer is not None
                assert working or by_person, "the merge waits for nobody"
            case W.RUNNING:
                full = sum(not t.gone for t in state.terminals()) >= self.plan.max_terminals
                blocked = bases.blocked(state)
                if state.merge.task:
                    asked = state.merge.stage == MergeStage.CONFLICT and self.offer is not None
                    assert working or asked, "a base is merged by nobody"
                for task in state.tasks:
                    if task.status in FINAL_TASK or line.worker(task) or task.id in blocked:
                        continue
                    if task.waits:
                        before = [t for t in state.tasks if t.id in task.after]
                        is_open = any(t.status != T.COMPLETED for t in before)
                        assert is_open or state.merge.task, f"{task.address} is not begun"
                        continue
                    if task.status == T.REVIEW_PENDING and line.next_in_line(task) is None:
                        continue
                    assert full, f"{task.address} is stuck"
                    assert working, f"{task.address} is stuck"
                assert any(
                    t.status not in FINAL_TASK and t.id not in blocked for t in state.tasks
                ), "nothing left to do"
            case W.STARTING:
                raise AssertionError("starting with nothing under way")

    def finish(self, *stops: WorkflowStatus) -> None:
        """With agents that succeed and a person who does what is offered, all lands.

        Ends earlier where the workflow gets to one of `stops`.
        """
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
                self.walk((f"{working[0].address} #done", partial(self.say_done, working[0])))
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
            first = command_of(self.offer.actions[0])
            assert first is not None
            return first
        if state.status in simple:
            return simple[state.status]
        judged = [t for t in state.tasks if t.status == T.REVIEW_PENDING]
        if not judged and state.merge.task:
            return requests.MergeContinue(workflow="demo")
        return requests.TaskApprove(task=next(iter(judged)).address)


def _killed(address: str, incarnation: int) -> facts.TerminalExited:
    return facts.TerminalExited(
        address=address, incarnation=incarnation, kind=Ending.SIGNALED, status=9
    )
