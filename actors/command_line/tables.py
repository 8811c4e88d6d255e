"""What the reading commands show: tables and trees, made from the structs of `bus/`."""

from shlex import quote
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from actors.command_line.facts import carried, foreseen, line, one_line
from actors.command_line.program import command
from bus.results import BranchPreview, Chain, CheckedPlan, Node, Report
from bus.rows import Task, Terminal, Workflow

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

_FIRST_STEPS = {
    "created": ("waits to be prepared", "prepare"),
    "ready": ("waits for the start", "start"),
    "paused": ("is paused", "resume"),
}


def ps(workflows: list[Workflow]) -> Any:
    """Everything under way; what waits for a person first."""
    if not workflows:
        return f"no workflow yet: {command('up', 'PLAN')}"
    waiting = [escape(text) for workflow in workflows for text in waits(workflow)]
    parts: list[Any] = [Text("waits for you", style="bold yellow"), *waiting, ""] if waiting else []
    return Group(*parts, *(workflow_tree(workflow) for workflow in workflows))


def waits(workflow: Workflow) -> list[str]:
    """What of a workflow waits for a person, with the command that goes on."""
    id, found = workflow.id, []
    for task in workflow.tasks:
        address = task.address.rstrip("/")
        if _reviewed_by_person(task):
            found.append(f"  {address} asks for review: {command('approve', address)}")
        found += [text for terminal in task.terminals for text in _asks(terminal)]
    if workflow.merge_terminal is not None:
        found += _asks(workflow.merge_terminal)
    if workflow.status in _FIRST_STEPS:
        state, step = _FIRST_STEPS[workflow.status]
        found.append(f"  {id} {state}: {command(step, id)}")
    if workflow.status == "failed":
        found.append(f"  {id} failed: {one_line(workflow.reason)}: {command('why', id)}")
    if merge_of_person(workflow):
        landed, where = workflow.merge.waits == "checkout", workflow.merge.worktree
        what = "landed, but for a checkout" if landed else f"a conflict in {where}"
        found.append(f"  {id} has {what}: {command('merge', id, '--continue')}")
    return found


def _reviewed_by_person(task: Task) -> bool:
    at_work = ("waiting", "running", "starting")
    reviewers = [t for t in task.terminals if t.role == "reviewer" and t.status in at_work]
    return task.status == "review_pending" and not reviewers


def _asks(terminal: Terminal) -> list[str]:
    where = terminal.address.rstrip("/")
    if not terminal.alive:
        return []
    if terminal.blocked:
        return [f"  {where} asks something: {command('answer', where, 'CHOICE')}"]
    if terminal.idle:
        return [f"  {where} has stopped: {one_line(terminal.idle)}: {command('retry', where)}"]
    if terminal.stalled:
        return [f"  {where} has been silent for long: {command('why', where)}"]
    return []


def merge_of_person(workflow: Workflow) -> bool:
    """A conflict, and no merge terminal is at it; or a checkout that cannot follow."""
    helper, waits = workflow.merge_terminal, workflow.merge.waits
    at_work = helper is not None and (helper.alive or helper.wanted)
    asks = waits == "checkout" or (waits == "conflict" and not at_work)
    return workflow.status == "merging" and asks


def workflow_tree(workflow: Workflow) -> Tree:
    """A workflow with its tasks and their terminals."""
    title = f"[bold]{workflow.address}[/] {_status(workflow.status)}"
    tree = Tree(title + _reason(workflow))
    for task in workflow.tasks:
        branch = tree.add(
            f"{task.address} {_status(task.status)} on {escape(task.branch)}" + _reason(task)
        )
        for terminal in task.terminals:
            branch.add(_terminal_line(terminal))
    if workflow.status in ("running", "paused"):
        for pair in workflow.forecast:
            tree.add(f"[yellow]{escape(foreseen(pair.branches, pair.files))}[/]")
    if workflow.merge_terminal:
        tree.add(_terminal_line(workflow.merge_terminal))
    return tree


def _terminal_line(terminal: Terminal) -> str:
    marks = " [bold yellow]blocked[/]" if terminal.blocked else ""
    marks += " [bold yellow]idle[/]" if terminal.idle else ""
    marks += " [yellow]stalled[/]" if terminal.stalled else ""
    text = f"{terminal.address} {_status(terminal.status)}{marks} {escape(terminal.cli)}"
    return text + _reason(terminal)


def _status(status: str) -> str:
    return f"[{_COLOURS.get(status, 'white')}]{status}[/]"


def _reason(row: Workflow | Task | Terminal) -> str:
    return f" [dim]{escape(one_line(row.reason, 100))}[/]" if row.reason else ""


def tree(node: Node) -> Tree:
    """The supervisor tree."""
    root = Tree(_node(node))
    _add(root, node)
    return root


def _add(tree: Tree, node: Node) -> None:
    for child in node.children:
        _add(tree.add(_node(child)), child)


def _node(node: Node) -> str:
    text = f"[bold]{node.address}[/] {node.strategy or node.kind} {node.state}"
    text += f" #{node.incarnation}"
    if node.restarts:
        text += f" [yellow]{node.restarts} restarts[/]"
    if node.mailbox_depth:
        text += f" {node.mailbox_depth} waiting"
    if node.stuck:
        text += f" [bold red]stuck for {node.stuck:.0f} s[/]"
    if node.dead_letters:
        text += f" [red]{node.dead_letters} dead letters[/]"
    text += f" [dim]{node.handled} handled"
    if node.uptime is not None:
        text += f", up {node.uptime:.0f} s"
    if node.host_memory_kb:
        text += f", host {node.host_memory_kb / 1024:.1f} MB"
    text += "[/]"
    if node.last_error:
        text += f" [red]{escape(node.last_error)}[/]"
    return text


def check(plan: CheckedPlan) -> Any:
    """What a plan would run."""
    table = Table("task", "branch", "terminals, in turn", box=None, pad_edge=False)
    for task in plan.tasks:
        table.add_row(task.id, escape(task.branch), escape(" -> ".join(task.terminals)))
    test = " ".join(plan.test) if plan.test else "none: what lands is NOT TESTED"
    head = f"{plan.name}: {plan.repo} -> {plan.target} ({plan.target_commit[:12]})"
    order = f"start order: {', '.join(plan.launch_order)}; {plan.max_terminals} at once"
    notes = [Text(f"note: {w}", style="yellow") for w in plan.warnings]
    return Group(escape(head), table, escape(f"test: {test}"), escape(order), *notes)


def why(chain: Chain) -> Any:
    """The chain of facts, newest first, with what each carries."""
    if not chain.facts:
        return f"no facts about {chain.address}"
    lines: list[Any] = []
    if chain.status:
        because = f": {escape(chain.reason)}" if chain.reason else ""
        lines.append(f"[bold]{chain.address}[/] {_status(chain.status)}{because}")
    for fact in chain.facts:
        lines.append(escape(line(fact)))
        for text in carried(fact):
            lines.append(Text("\n".join("        " + t for t in text.splitlines()), style="dim"))
    return Group(*lines)


def preview(branches: list[BranchPreview]) -> Any:
    """What the merge of each branch would do, a line each."""
    return escape("\n".join(map(_preview, branches)) or "no branch yet")


def _preview(branch: BranchPreview) -> str:
    if branch.unrelated:
        return f"{branch.branch}: shares no commit with the target"
    if branch.conflicts:
        files = ", ".join(file.path for file in branch.conflicts)
        return f"{branch.branch}: conflicts with {', '.join(branch.with_branches)} in {files}"
    count = len(branch.changes)
    files = f"{count} file{'' if count == 1 else 's'}"
    named = f": {', '.join(branch.changes)}" if count else ""
    return f"{branch.branch}: merges, {files}{named}"


def providers(found: list[dict[str, Any]]) -> Any:
    """The user's providers, and where their keys come from."""
    if not found:
        return f"no providers; `{command('providers', 'import')}` takes over those of cc-switch"
    table = Table("name", "address", "model", "key", box=None)
    for made in found:
        row = (made["name"], made["base_url"], made["model"], made["problem"] or made["key"])
        table.add_row(*map(escape, row))
    return table


def doctor(report: Report) -> Any:
    """What the doctor found, a line each."""
    table = Table(box=None, pad_edge=False, show_header=False)
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}
    for item in report.items:
        table.add_row(marks[item.state], escape(item.what), escape(item.help))
    return table


def outcome(row: Workflow) -> str:
    """The last words of `up`: what there is to look at, or what goes on."""
    if row.status == "completed":
        return (
            f"{row.address} completed: {row.reason}\n"
            f"look: git -C {quote(row.repo)} log --oneline --graph {quote(row.target)}\n"
            f"      {command('events', row.id)}"
        )
    lines = [f"{row.address} {row.status}: {row.reason}"]
    lines += [text.strip() for text in waits(row)]
    lines.append(f"look: {command('why', row.id)}")
    return "\n".join(lines)
