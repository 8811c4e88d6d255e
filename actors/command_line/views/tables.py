"""Make the tables and trees that commands print from the structs of `bus/`."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from shlex import quote
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from actors.command_line.output.actions import command_for
from actors.command_line.output.facts import carried, foreseen, line, one_line
from actors.command_line.output.program import command
from actors.command_line.views.outline import Outline, Piece
from actors.command_line.views.waiting import Questions, Wait, limit_words, waits
from bus import clock
from bus.action import Action, Do
from bus.checked import CheckedPlan, CheckedProgram
from bus.results import BranchPreview, Chain, FileChange, Node, Report, TaskDiff
from bus.rows import Terminal, Workflow
from bus.status import FINAL_WORKFLOW, TaskStatus


def _table(*heads: str, with_head: bool = True) -> Table:
    """Return an empty table. Its cells, which hold paths and commands, are never cut."""
    columns = [Column(head, overflow="fold") for head in heads]
    return Table(*columns, box=None, pad_edge=False, show_header=with_head)


_COLOURS = {
    "completed": "green",
    "running": "cyan",
    "waiting": "blue",
    "ready": "blue",
    "merging": "magenta",
    "starting": "yellow",
    "review_pending": "magenta",
    "paused": "yellow",
    "failed": "bold red",
    "cancelled": "red",
}


def waiting(
    workflows: list[Workflow], questions: Questions | None = None
) -> list[tuple[str, Wait]]:
    """Return what waits for a person in these workflows, each with the address that it is about."""
    return [
        (wait.address or workflow.address, wait)
        for workflow in workflows
        for wait in waits(workflow, questions)
    ]


def ps(
    workflows: list[Workflow],
    waiting: Sequence[Wait] = (),
    hidden: int = 0,
    *,
    whole: bool = True,
) -> Any:
    """Return what waits for a person, then an outline of each workflow.

    `hidden` is how many workflows were left out. Without `whole`, of a workflow with many tasks
    those that are completed or have not begun are only counted.
    """
    if not workflows and not hidden:
        return f"no workflow yet: {command('up', 'PLAN')}"
    parts: list[Any] = []
    if waiting:
        parts = [Text("waits for you", style="bold yellow"), *map(_wait, waiting), Text()]
    trees: list[Any] = [workflow_tree(workflow, whole=whole) for workflow in workflows]
    if hidden:
        trees.append(Text(f"{hidden} that ended before are not shown: {command('ps', '--all')}"))
    return Group(*parts, *trees)


def _wait(wait: Wait) -> Text:
    """Return what waits and its first command on one line, then each further command on one."""
    return Text("\n    ".join([f"  {wait.what}: {wait.commands[0]}", *wait.commands[1:]]))


def workflow_tree(workflow: Workflow, *, whole: bool = True) -> Outline:
    """Return a workflow with its tasks and their terminals; see `ps`."""
    found = Outline(
        [(workflow.address, "bold"), *_status(workflow.status), *_reason(workflow.reason)]
    )
    shown = workflow.tasks
    if not whole and len(shown) > _MANY_TASKS:
        shown = [task for task in shown if task.status not in _QUIET]
        counts = Counter(task.status for task in workflow.tasks if task.status in _QUIET)
        found.add([(f"{_counted(counts)}: {command('ps', workflow.id)}", "")])
    for task in shown:
        where = [(task.address, ""), *_status(task.status), (f" on {task.branch}", "")]
        below = found.add([*where, *_reason(task.reason)])
        for terminal in task.terminals:
            below.add(_terminal(terminal))
    for text in forecasts(workflow):
        found.add([(text, "yellow")])
    if workflow.merge_terminal:
        found.add(_terminal(workflow.merge_terminal))
    return found


_MANY_TASKS = 12
"""A workflow with more tasks is folded among others."""
_QUIET = (TaskStatus.COMPLETED, TaskStatus.PENDING, TaskStatus.CANCELLED)


def _counted(counts: Mapping[TaskStatus, int]) -> str:
    return ", ".join(f"{counts[status]} {status}" for status in _QUIET if counts.get(status))


_MOST_FORECASTS = 5


def forecasts(workflow: Workflow) -> list[str]:
    """Return what its merge has to expect: a target that was moved, and foreseen conflicts.

    These are at most 6 lines; those in the same files share one line.
    """
    moved = [workflow.moved] if workflow.moved and workflow.status not in FINAL_WORKFLOW else []
    if workflow.status not in ("running", "paused"):
        return moved
    alike: dict[tuple[str, ...], dict[str, None]] = {}
    for pair in workflow.forecast:
        alike.setdefault(tuple(pair.files), {}).update(dict.fromkeys(pair.branches))
    found = [_alike(list(branches), list(files)) for files, branches in alike.items()]
    more = len(found) - _MOST_FORECASTS
    if more > 0:
        found = [*found[:_MOST_FORECASTS], f"{more} more conflicts are foreseen"]
    return moved + found


def _alike(branches: list[str], files: list[str]) -> str:
    if len(branches) > 3:
        named = f"{len(branches)} branches ({', '.join(branches[:2])}, …)"
        return f"{named} would conflict in {', '.join(files)}"
    return foreseen(branches, files)


def _terminal(terminal: Terminal) -> Iterator[Piece]:
    yield terminal.address, ""
    yield from _status(terminal.status)
    yield from _marks(terminal)
    yield f" {terminal.cli}", ""
    if terminal.fenced:
        yield " in a sandbox", "dim"
    yield from _reason(terminal.reason)


def _marks(terminal: Terminal) -> Iterator[Piece]:
    """Yield what was observed of a terminal whose program is to run, beside its status."""
    if not terminal.live:
        return
    if terminal.blocked:
        yield " blocked", "bold yellow"
    if terminal.idle:
        yield " idle", "bold yellow"
    if terminal.stalled:
        yield " stalled", "yellow"
    if terminal.waits and terminal.status == "starting":
        yield f" waits for {terminal.waits}", "yellow"
    if terminal.kept:
        yield " kept", "dim"
    if terminal.limited:
        yield f" limited: {limit_words(terminal, clock.wall())}", "yellow"
    if terminal.status == "running" and terminal.gone:
        yield " its program has ended", "yellow"


def _status(status: str) -> Iterator[Piece]:
    yield " ", ""
    yield status, _COLOURS.get(status, "white")


def _reason(reason: str) -> Iterator[Piece]:
    if reason:
        yield f" {one_line(reason, 100)}", "dim"


def tree(node: Node) -> Outline:
    """Return the supervision tree."""
    root = Outline(_node(node))
    _add(root, node)
    return root


def _add(outline: Outline, node: Node) -> None:
    for child in node.children:
        _add(outline.add(_node(child)), child)


def _node(node: Node) -> Iterator[Piece]:
    yield node.address, "bold"
    yield f" {node.strategy or node.kind} {node.state} #{node.incarnation}", ""
    if node.restarts:
        yield f" {node.restarts} restarts", "yellow"
    if node.mailbox_depth:
        yield f" {node.mailbox_depth} waiting", ""
    if node.stuck:
        yield f" stuck for {node.stuck:.0f} s", "bold red"
    if node.dead_letters:
        yield f" {node.dead_letters} dead letters", "red"
    said = f" {node.handled} handled"
    if node.uptime is not None:
        said += f", up {node.uptime:.0f} s"
    if node.host_memory_kb:
        said += f", host {node.host_memory_kb / 1024:.1f} MB"
    yield said, "dim"
    if node.last_error:
        yield f" {node.last_error}", "red"


def check(plan: CheckedPlan) -> Any:
    """Return what a plan would run."""
    heads = ["task", "branch", "terminals, in turn"]
    graph = any(task.after for task in plan.tasks)
    table = _table(*heads, *(["after"] if graph else []))
    for task in plan.tasks:
        cells = [task.id, task.branch, " -> ".join(task.terminals), ", ".join(task.after)]
        table.add_row(*map(escape, cells[: len(table.columns)]))
    checks = [escape(f"check of {t.id}: {shlex.join(t.check)}") for t in plan.tasks if t.check]
    test = " ".join(plan.test) if plan.test else "none: what lands is NOT TESTED"
    head = f"{plan.name}: {plan.repo} -> {plan.target} ({plan.target_commit[:12]})"
    order = f"start order: {', '.join(plan.launch_order)}; {plan.max_terminals} at once"
    notes = [Text(f"note: {w}", style="yellow") for w in plan.warnings]
    test += " (in a sandbox)" if plan.test and plan.tests_fenced else ""
    test += f"; it gets {', '.join(plan.test_env)}" if plan.test_env else ""
    lines = [f"{name}: {text}" for name, text in _programs(plan)]
    lines += [f"copied into each worktree: {', '.join(plan.copied)}"] if plan.copied else []
    lines += [f"what happens is told to: {who}" for who in plan.notify]
    lines += _starters(plan)
    return Group(
        escape(head),
        table,
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
        fence = "no sandbox" if one.sandbox == "off" else "in a sandbox"
        fence += {"on": "", "model": " with its model alone"}.get(one.network, " without network")
        said = f"{shlex.join(one.command)}; {_ANSWERS[one.auto_confirm]}; {fence}; {_key(one)}"
        said += "; kept while its work is judged" if one.keep else ""
        alike.setdefault(said, []).append(one.terminal)
    for said, terminals in alike.items():
        yield ", ".join(terminals), said


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


def why(chain: Chain) -> Any:
    """Return the chain of facts, newest first, each with its longer texts."""
    if not chain.facts:
        return f"no facts about {chain.address}"
    lines: list[Any] = []
    if chain.status:
        marks = _marks(chain.terminal) if chain.terminal is not None else ()
        because = [(f": {chain.reason}", "")] if chain.reason else []
        head = [(chain.address, "bold"), *_status(chain.status), *marks, *because]
        lines.append(Text.assemble(*head))
    for fact in chain.facts:
        lines.append(escape(line(fact)))
        for text in carried(fact):
            lines.append(Text("\n".join("        " + t for t in text.splitlines()), style="dim"))
    return Group(*lines)


def preview(branches: list[BranchPreview]) -> Any:
    """Return what the merge of each branch would do, one line each."""
    return escape("\n".join(map(_preview, branches)) or "no branch yet")


def _preview(branch: BranchPreview) -> str:
    if branch.unrelated:
        return f"{branch.branch}: shares no commit with the target"
    if branch.unknown:
        return f"{branch.branch}: not known: {branch.unknown}"
    if branch.conflicts:
        files = ", ".join(file.path for file in branch.conflicts)
        return f"{branch.branch}: conflicts with {', '.join(branch.with_branches)} in {files}"
    count = len(branch.changes)
    files = f"{count} file{'' if count == 1 else 's'}"
    named = f": {', '.join(branch.changes)}" if count else ""
    return f"{branch.branch}: merges, {files}{named}"


def diff(found: TaskDiff) -> str:
    """Return what a branch changes: the diff if it was asked for, else one line for each file."""
    if found.text:
        lines = found.text.split("\n")
    else:
        lines = [_file(file) for file in found.files] or ["no file differs from the base"]
    lines += ["the diff was cut after 1 MiB"] if found.cut else []
    lines += [f"not tracked: {name}" for name in found.untracked]
    return "\n".join(lines)


def _file(file: FileChange) -> str:
    name = f"{file.old_path} -> {file.path}" if file.old_path else file.path
    return f"{name} | " + ("binary" if file.binary else f"+{file.added} -{file.removed}")


def providers(found: list[dict[str, Any]]) -> Any:
    """Return a table of the user's providers and where their keys come from."""
    if not found:
        return f"no providers; `{command('providers', 'import')}` takes over those of cc-switch"
    table = _table("name", "address", "model", "key")
    for made in found:
        row = (made["name"], made["base_url"], made["model"], made["problem"] or made["key"])
        table.add_row(*map(escape, row))
    return table


def doctor(report: Report) -> str:
    """Return what the doctor found, one line each, and below it what helps."""
    lines = []
    for item in report.items:
        lines.append(f"{item.state:<8}{item.what}")
        if item.help:
            lines.append(f"{'':<8}{item.help}")
    return "\n".join(lines)


def outcome(row: Workflow) -> str:
    """Return the outcome of a workflow, with commands to look at it or to go on."""
    if row.status == "completed":
        return (
            f"{row.address} completed: {row.reason}\n"
            f"look: git -C {quote(row.repo)} log --oneline --graph {quote(row.target)}\n"
            f"      {command('events', row.id)}"
        )
    reason, *more = row.reason.splitlines() or [""]
    lines = [f"{row.address} {row.status}: {reason}", *_indented(more), *_evidence(row)]
    for wait in waits(row):
        known = wait.what.startswith(f"{row.id} {row.status}: ")
        lines += [] if known else [wait.what]
        lines += [f"  {words}" for words in wait.commands]
    look = command("why", row.id)
    if not any(line.strip() == look for line in lines):
        lines.append(f"look: {look}")
    return "\n".join(lines)


_MOST_EVIDENCE = 12
"""How many lines of a program's output are shown where a workflow ends."""


def _evidence(row: Workflow) -> list[str]:
    """Return the end of the output of tests that failed on the merged tree."""
    if not row.merge.red or row.status != "failed":
        return []
    return _indented(row.merge.problem.splitlines()[1:])


def _indented(output: list[str]) -> list[str]:
    """Return the first line and the last lines of a program's output, without blank ones."""
    lines = [line for line in output if line.strip()]
    cut = len(lines) > _MOST_EVIDENCE
    shown = [*lines[:1], "…", *lines[1 - _MOST_EVIDENCE :]] if cut else lines
    return [f"    {line}" for line in shown]
