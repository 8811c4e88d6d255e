"""Make the tables and trees that commands print from the structs of `bus/`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from shlex import quote
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from actors.command_line.output.facts import carried, foreseen, line, one_line
from actors.command_line.output.program import command
from actors.command_line.views.outline import Outline, Piece
from actors.command_line.views.waiting import Questions, Wait, limit_words, waits
from bus import clock
from bus.results import BranchPreview, Chain, FileChange, Node, Report, TaskDiff
from bus.rows import Terminal, Workflow
from bus.status import FINAL_WORKFLOW, TaskStatus


def columns(*heads: str, with_head: bool = True) -> Table:
    """Return an empty table. Its cells, which hold paths and commands, are never cut."""
    made = [Column(head, overflow="fold") for head in heads]
    return Table(*made, box=None, pad_edge=False, show_header=with_head)


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
    """Return what waits, and each command on a line below it, as the view of `up` does."""
    return Text("\n    ".join([f"  {wait.what}", *wait.commands]))


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
    yield from _fence(terminal)
    yield from _reason(terminal.reason)


def in_sandbox(fence: str) -> str:
    """Say that a program has a sandbox, and which one if it is not bubblewrap's."""
    return f"in a sandbox ({fence})" if fence else "in a sandbox"


def _fence(terminal: Terminal) -> Iterator[Piece]:
    """Say whether it has a sandbox; of one that the plan itself takes away, nothing."""
    if terminal.fenced:
        yield f" {in_sandbox(terminal.fence)}", "dim"
    elif terminal.unfenced:
        yield f" no sandbox: {one_line(terminal.unfenced, 100)}", "dim"


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


def why(chain: Chain) -> Any:
    """Return the chain of facts, newest first, each with its longer texts."""
    if not chain.facts:
        return f"no facts about {chain.address}"
    lines: list[Any] = []
    if chain.status:
        terminal = chain.terminal
        marks = _marks(terminal) if terminal is not None else ()
        because = [(f": {chain.reason}", "")] if chain.reason else []
        head = [(chain.address, "bold"), *_status(chain.status), *marks, *because]
        lines.append(Text.assemble(*head))
        fence = "".join(text for text, _ in _fence(terminal)) if terminal is not None else ""
        lines += [Text(f"       {fence}", style="dim")] if fence else []
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
    table = columns("name", "address", "model", "key")
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
