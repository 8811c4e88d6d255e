"""Which facts a person is told: what waits for one, what is over, and what is in trouble.

Pure functions of a fact and of the rows.
"""

from collections.abc import Callable
from typing import Any

from bus import address as addresses
from bus import facts
from bus.facts import AnyFact
from bus.kinds import LaunchWait, Role
from bus.questions import ESCALATE
from bus.rows import Task, Workflow
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus

_OVER = (WorkflowStatus.COMPLETED, WorkflowStatus.FAILED)
_TASK = (TaskStatus.FAILED, TaskStatus.REVIEW_PENDING)
_AT_WORK = (TerminalStatus.STARTING, TerminalStatus.WAITING, TerminalStatus.RUNNING)


def _always(_fact: Any) -> bool:
    return True


def _is_of_runtime(address: str) -> bool:
    """Return whether an actor is of the runtime itself; a notice of the notifier would repeat."""
    return not addresses.whose(address) and address != addresses.NOTIFIER


_WORTH: dict[type[Any], Callable[[Any], bool]] = {
    facts.TerminalBlocked: _always,
    facts.TerminalIdle: _always,
    facts.TerminalStalled: _always,
    facts.TerminalLimited: lambda fact: not fact.retries and not fact.compact,
    facts.LimitReached: _always,
    facts.LaunchWaits: lambda fact: fact.wait == LaunchWait.DISK,
    facts.TaskMoved: lambda fact: fact.new in _TASK,
    facts.WorkflowMoved: lambda fact: fact.new in _OVER,
    facts.MergeConflict: _always,
    facts.MergeRefused: _always,
    facts.MergeLanded: _always,
    facts.MergeBehind: _always,
    facts.RepositoryChanged: lambda fact: fact.held,
    facts.ActorFailing: _always,
    facts.ActorFailed: lambda fact: _is_of_runtime(fact.address),
    facts.ProviderLimited: lambda fact: not fact.until,
    facts.ProviderFailed: _always,
    facts.OrchestratorActed: lambda fact: fact.accepted and fact.action == ESCALATE,
}


def may_matter(fact: facts.Fact) -> bool:
    """Return whether a person may be told this fact, as far as the fact itself says. Any thread."""
    rule = _WORTH.get(type(fact))
    return rule is not None and rule(fact)


def wakes(fact: facts.Fact) -> bool:
    """Return whether the notifier is to look: for this fact, or for a new workflow. Any thread."""
    return isinstance(fact, facts.WorkflowMoved) or may_matter(fact)


def matters(fact: AnyFact, workflow: Workflow | None) -> bool:
    """Return whether a person is told this fact.

    `workflow` is its workflow as it is now, None for a fact of the runtime. A review that an agent
    does, a limit that ends by itself or has ended, and a question of the orchestrator on which a
    person has acted, are no business of a person.
    """
    if not may_matter(fact):
        return False
    if workflow is None:
        return True
    match fact:
        case facts.TaskMoved(new=TaskStatus.REVIEW_PENDING):
            task = next((t for t in workflow.tasks if t.address == fact.address), None)
            return task is None or not _has_reviewer(task)
        case facts.TerminalLimited():
            rows = [each for each in workflow.terminals() if each.address == fact.address]
            return any(row.limited and not row.until for row in rows)
        case facts.OrchestratorActed(question=number):
            return any(each.escalated for each in workflow.questions if each.number == number)
    return True


def _has_reviewer(task: Task) -> bool:
    return any(t.role == Role.REVIEWER and t.status in _AT_WORK for t in task.terminals)


def text(fact: AnyFact) -> str:
    """Return the fact as a line for a person."""
    words = {
        facts.TerminalBlocked: "asks: {text}",
        facts.TerminalIdle: "waits for a person: {missing}",
        facts.TerminalStalled: "shows nothing new for {seconds:.0f} s",
        facts.TerminalLimited: "cannot go on: {by} ({account})",
        facts.LimitReached: "has used {percent} % of its cap: {used:g} of {cap:g} {of}",
        facts.LaunchWaits: "is not started: {reason}",
        facts.TaskMoved: "is {new}: {reason}",
        facts.WorkflowMoved: "is {new}: {reason}",
        facts.MergeConflict: "has a conflict in {files}",
        facts.MergeRefused: "was not merged: {message}",
        facts.MergeLanded: "has landed on {target}",
        facts.MergeBehind: "has landed, but for a checkout: {message}",
        facts.RepositoryChanged: "lands nothing: {files} of the repository changed",
        facts.ActorFailing: "{actor} fails again and again: {error}",
        facts.ActorFailed: "failed and is started again: {error}",
        facts.ProviderLimited: "{account} is limited: {by}",
        facts.ProviderFailed: "{account} fails: {text}",
        facts.OrchestratorActed: "needs a decision: {said} {choices}",
    }
    fields = {
        name: ", ".join(value) if isinstance(value, list) else value
        for name, value in ((name, getattr(fact, name)) for name in fact.__struct_fields__)
    }
    said = " ".join(words[type(fact)].format(**fields).split()).removesuffix(":")
    return f"{fact.address} {said}"[:300]
