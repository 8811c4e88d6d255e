"""What `check` prints: what a plan would run, and what is worth knowing."""

import shlex
from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.text import Text

from actors.command_line.output.actions import command_for
from actors.command_line.views.tables import columns, in_sandbox
from bus.action import Action, Do
from bus.checked import CheckedPlan, CheckedProgram


def check(plan: CheckedPlan) -> Any:
    """Return what a plan would run."""
    heads = ["task", "branch", "terminals, in turn"]
    graph = any(task.after for task in plan.tasks)
    rows = columns(*heads, *(["after"] if graph else []))
    for task in plan.tasks:
        cells = [task.id, task.branch, " -> ".join(task.terminals), ", ".join(task.after)]
        rows.add_row(*map(escape, cells[: len(rows.columns)]))
    checks = [escape(f"check of {t.id}: {shlex.join(t.check)}") for t in plan.tasks if t.check]
    test = " ".join(plan.test) if plan.test else "none: what lands is NOT TESTED"
    head = f"{plan.name}: {plan.repo} -> {plan.target} ({plan.target_commit[:12]})"
    order = f"start order: {', '.join(plan.launch_order)}; {plan.max_terminals} at once"
    notes = [Text(f"note: {w}", style="yellow") for w in plan.warnings]
    test += " (in a sandbox)" if plan.test and plan.tests_fenced else ""
    test += f"; it gets {', '.join(plan.test_env)}" if plan.test_env else ""
    lines = [f"{name}: {text}" for name, text in _programs(plan)]
    if plan.environment:
        lines.append(f"the plan sets for all of it: {_variables(plan.environment)}")
    lines += [f"copied into each worktree: {', '.join(plan.copied)}"] if plan.copied else []
    lines += [f"what happens is told to: {who}" for who in plan.notify]
    lines += _starters(plan)
    return Group(
        escape(head),
        rows,
        *map(escape, lines),
        *_setup(plan),
        *checks,
        escape(f"test: {test}"),
        escape(order),
        *notes,
    )


def _starters(plan: CheckedPlan) -> list[str]:
    """Say which files of the repository make the plan's CLIs start others, and who trusts them."""
    found = {"": plan.starters, "NOT TRUSTED, so the plan is refused: ": plan.untrusted}
    lines = [
        f"{how}started by the repository (hooks, MCP servers, plugins): {', '.join(names)}"
        for how, names in found.items()
        if names
    ]
    return lines + ([command_for(Action(Do.TRUST, plan.repo))] if plan.untrusted else [])


_ANSWERS = {
    "bypass": "is asked nothing",
    "known": "known questions are answered with yes",
    "never": "a person answers its questions",
}


def _programs(plan: CheckedPlan) -> Iterator[tuple[str, str]]:
    """Yield each terminal and how it would run; those that run alike as one."""
    alike: dict[str, list[str]] = {}
    for one in plan.programs:
        why = f": {one.unfenced}" if one.unfenced else ""
        fence = f"no sandbox{why}" if one.sandbox == "off" else in_sandbox(one.fence)
        fence += {"on": "", "model": " with its model alone"}.get(one.network, " without network")
        said = f"{shlex.join(one.command)}; {_ANSWERS[one.auto_confirm]}; {fence}; {_key(one)}"
        said += f"; the plan sets {_variables(one.env)}" if one.env else ""
        said += "; kept while its work is judged" if one.keep else ""
        alike.setdefault(said, []).append(one.terminal)
    for said, terminals in alike.items():
        yield ", ".join(terminals), said


def _variables(values: dict[str, str]) -> str:
    return ", ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())


def _key(one: CheckedProgram) -> str:
    """Return with which key, or with which login, a program asks its model, and who has it."""
    if not one.base_url:
        login = f" with {', '.join(one.login)}" if one.login else ""
        return f"its own login{login}, which does not go through the model gateway"
    if not one.key:
        return one.base_url
    who = "which stays with the model gateway" if one.gateway else "which the agent gets"
    return f"key {one.key} -> {one.base_url}, {who}"


def _setup(plan: CheckedPlan) -> list[str]:
    if not plan.setup:
        return []
    inputs = ", ".join(plan.setup_inputs)
    when = f"once for the same {inputs}" if inputs else "in each tree"
    return [escape(f"setup: {' '.join(plan.setup)} ({when})")]
