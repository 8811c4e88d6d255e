"""What a person sees: one line a fact, tables and trees, the live progress of `up`.

Only plain data comes in (replies and facts); nothing here asks or changes anything.
"""

import sys
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from actors.command_line.exits import at_home
from bus import facts
from bus.client import Client
from bus.facts import AnyFact, fact_type

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


def line(fact: AnyFact) -> str:
    """`17 12:00:00 terminal.status demo/login/1/ waiting -> running: gets its instruction`."""
    return f"{fact.seq:>5} {fact.at[11:19]} {fact_type(fact):<22} {fact.address} {said(fact)}"


def said(fact: AnyFact) -> str:
    """What a fact says beyond its type and address, on one line."""
    match fact:
        case facts.WorkflowMoved() | facts.TaskMoved() | facts.TerminalMoved():
            old = f"{fact.old} -> " if fact.old else ""
            because = f": {fact.reason}" if fact.reason else ""
            return _one_line(f"{old}{fact.new}{because}")
        case facts.CommitSeen():
            word = f" [{fact.verdict}]" if fact.verdict else ""
            return _one_line(f"{fact.commit[:12]} on {fact.branch}: {fact.subject}{word}")
        case facts.CommitRejected():
            return _one_line(f"{fact.commit[:12]}: {fact.reason}")
        case facts.MergeTested():
            how = "green" if fact.passed else f"red (status {fact.status})"
            return f"{how} on {fact.commit[:12]} in {fact.seconds:.1f} s"
        case facts.MergeLanded():
            return f"{fact.target}: {fact.old[:12]} -> {fact.new[:12]}"
        case facts.MergeConflict():
            against = ", ".join(fact.against)
            return f"{fact.branch} with {against} in {', '.join(fact.files)}: {fact.worktree}"
        case facts.MergeForecast():
            return _foreseen(fact.branches, fact.files)
        case facts.MergeRefused():
            return _one_line(f"{fact.reason}: {fact.message}")
        case facts.TargetMoved():
            return f"{fact.target}: {fact.old[:12]} -> {fact.new[:12]}; it is merged again"
        case facts.ResolutionJudged():
            return f"{fact.commit[:12]} {'has faults' if fact.problems else 'is taken'}"
        case facts.TerminalExited():
            return _ended(fact)
        case facts.LaunchFailed():
            return _one_line(fact.reason)
        case facts.TerminalBlocked():
            return f"asks ({fact.prompt}): {' | '.join(fact.choices)}"
        case facts.TerminalStalled():
            return f"silent for {fact.seconds:.0f} s"
        case facts.RepairOffered():
            return "; ".join(fact.commands)
    hidden = {"seq", "at", "address", "incarnation"}
    values = [
        f"{name}={getattr(fact, name)}" for name in fact.__struct_fields__ if name not in hidden
    ]
    return _one_line(" ".join(values))


def _ended(fact: facts.TerminalExited) -> str:
    how = {"exited": "exit status", "signaled": "ended by signal", "exec_failed": "errno"}
    status = f" {fact.status}" if fact.kind in how else ""
    left = f"; {fact.leftovers} processes were left" if fact.leftovers else ""
    return f"{how.get(fact.kind, fact.kind)}{status}{left}"


def _foreseen(branches: list[str], files: list[str]) -> str:
    names = " and ".join(branches)
    if not files:
        return f"{names} would merge again"
    return f"{names} would conflict in {', '.join(files)}"


def _one_line(text: str, limit: int = 200) -> str:
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def _status(status: str) -> str:
    return f"[{_COLOURS.get(status, 'white')}]{status}[/]"


# ---- tables and trees -----------------------------------------------------------------------


_FIRST_STEPS = {
    "created": ("waits to be prepared", "prepare"),
    "ready": ("waits for the start", "start"),
    "paused": ("is paused", "resume"),
}


def ps(workflows: list[dict[str, Any]]) -> Any:
    """Everything under way; what waits for a person first."""
    if not workflows:
        return "no workflow yet: python run.py up PLAN"
    waiting = [text for workflow in workflows for text in waits(workflow)]
    parts: list[Any] = [Text("waits for you", style="bold yellow"), *waiting, ""] if waiting else []
    return Group(*parts, *(_workflow_tree(workflow) for workflow in workflows))


def waits(workflow: dict[str, Any]) -> list[str]:
    """What of a workflow waits for a person, with the command that goes on."""
    id, found = workflow["id"], []
    for task in workflow["tasks"]:
        address = task["address"].rstrip("/")
        reviewed_by_person = task["status"] == "review_pending" and not any(
            t["role"] == "reviewer" and t["status"] in ("waiting", "running", "starting")
            for t in task["terminals"]
        )
        if reviewed_by_person:
            found.append(f"  {address} asks for review: python run.py approve {address}")
        found += [text for terminal in task["terminals"] for text in _asks(terminal)]
    helper = workflow.get("merge_terminal")
    found += _asks(helper) if helper else []
    if workflow["status"] in _FIRST_STEPS:
        state, step = _FIRST_STEPS[workflow["status"]]
        found.append(f"  {id} {state}: python run.py {step} {id}")
    if workflow["status"] == "failed":
        found.append(f"  {id} failed: {_one_line(workflow['reason'])}: python run.py why {id}")
    if merge_of_person(workflow):
        landed, where = workflow["merge"]["waits"] == "checkout", workflow["merge"]["worktree"]
        what = "landed, but for a checkout" if landed else f"a conflict in {where}"
        found.append(f"  {id} has {what}: python run.py merge {id} --continue")
    return [escape(text) for text in found]


def _asks(terminal: dict[str, Any]) -> list[str]:
    where = terminal["address"].rstrip("/")
    if not terminal["alive"]:
        return []
    if terminal["blocked"]:
        return [f"  {where} asks something: python run.py answer {where} CHOICE"]
    if terminal["stalled"]:
        return [f"  {where} has been silent for long: python run.py why {where}"]
    return []


def merge_of_person(workflow: dict[str, Any]) -> bool:
    """A conflict, and no merge terminal is at it; or a checkout that cannot follow."""
    helper, waits = workflow.get("merge_terminal"), workflow["merge"]["waits"]
    at_work = helper is not None and (helper["alive"] or helper["wanted"])
    asks = waits == "checkout" or (waits == "conflict" and not at_work)
    return bool(workflow["status"] == "merging" and asks)


def _workflow_tree(workflow: dict[str, Any]) -> Tree:
    title = f"[bold]{workflow['address']}[/] {_status(workflow['status'])}"
    tree = Tree(title + _reason(workflow))
    for task in workflow["tasks"]:
        branch = tree.add(
            f"{task['address']} {_status(task['status'])} on {escape(task['branch'])}"
            + _reason(task)
        )
        for terminal in task["terminals"]:
            branch.add(_terminal_line(terminal))
    if workflow["status"] in ("running", "paused"):
        for pair in workflow.get("forecast", []):
            tree.add(f"[yellow]{escape(_foreseen(pair['branches'], pair['files']))}[/]")
    if workflow.get("merge_terminal"):
        tree.add(_terminal_line(workflow["merge_terminal"]))
    return tree


def _terminal_line(terminal: dict[str, Any]) -> str:
    marks = " [bold yellow]blocked[/]" if terminal["blocked"] else ""
    marks += " [yellow]stalled[/]" if terminal["stalled"] else ""
    text = f"{terminal['address']} {_status(terminal['status'])}{marks} {escape(terminal['cli'])}"
    return text + _reason(terminal)


def _reason(row: dict[str, Any]) -> str:
    return f" [dim]{escape(_one_line(row['reason'], 100))}[/]" if row["reason"] else ""


def tree(node: dict[str, Any]) -> Tree:
    """The supervisor tree."""
    root = Tree(_node(node))
    _add(root, node)
    return root


def _add(tree: Tree, node: dict[str, Any]) -> None:
    for child in node["children"]:
        _add(tree.add(_node(child)), child)


def _node(node: dict[str, Any]) -> str:
    text = f"[bold]{node['address']}[/] {node['strategy'] or node['kind']} {node['state']}"
    text += f" #{node['incarnation']}"
    if node["restarts"]:
        text += f" [yellow]{node['restarts']} restarts[/]"
    if node["mailbox_depth"]:
        text += f" {node['mailbox_depth']} waiting"
    if node["stuck"]:
        text += f" [bold red]stuck for {node['stuck']:.0f} s[/]"
    if node["dead_letters"]:
        text += f" [red]{node['dead_letters']} dead letters[/]"
    text += f" [dim]{node['handled']} handled"
    if node["uptime"] is not None:
        text += f", up {node['uptime']:.0f} s"
    if node.get("host_memory_kb"):
        text += f", host {node['host_memory_kb'] / 1024:.1f} MB"
    text += "[/]"
    if node["last_error"]:
        text += f" [red]{escape(node['last_error'])}[/]"
    return text


def check(shown: dict[str, Any]) -> Any:
    table = Table("task", "branch", "terminals, in turn", box=None, pad_edge=False)
    for task in shown["tasks"]:
        table.add_row(task["id"], escape(task["branch"]), escape(" -> ".join(task["terminals"])))
    test = " ".join(shown["test"]) if shown["test"] else "none: what lands is NOT TESTED"
    head = f"{shown['name']}: {shown['repo']} -> {shown['target']} ({shown['target_commit'][:12]})"
    order = f"start order: {', '.join(shown['launch_order'])}; {shown['max_terminals']} at once"
    notes = [Text(f"note: {w}", style="yellow") for w in shown["warnings"]]
    return Group(escape(head), table, escape(f"test: {test}"), escape(order), *notes)


def why(result: dict[str, Any]) -> Any:
    """The chain of facts, newest first, with what each carries."""
    if not result["facts"]:
        return f"no facts about {result['address']}"
    lines: list[Any] = []
    if status := result.get("status"):
        because = f": {escape(result['reason'])}" if result["reason"] else ""
        lines.append(f"[bold]{result['address']}[/] {_status(status)}{because}")
    for raw in result["facts"]:
        fact = facts.decode_fact(_encode(raw))
        lines.append(escape(line(fact)))
        for text in _carried(fact):
            lines.append(Text("\n".join("        " + t for t in text.splitlines()), style="dim"))
    return Group(*lines)


def _carried(fact: AnyFact) -> list[str]:
    """The texts a fact has beyond its line: what was on the screen, what a test printed."""
    texts = [getattr(fact, name, "") for name in ("evidence", "screen", "tail", "text", "issues")]
    if isinstance(fact, facts.MergeTested):
        texts.insert(0, f"{' '.join(fact.command)}; all of its output: cat {fact.output}/*")
    if isinstance(fact, facts.ResolutionJudged):
        texts += [f"- {problem}" for problem in fact.problems]
    if isinstance(fact, facts.LaunchFailed | facts.MergeRefused):
        texts.append(getattr(fact, "message", "") or getattr(fact, "reason", ""))
    return [text for text in texts if text.strip()]


def preview(branches: list[dict[str, Any]]) -> Any:
    lines = []
    for branch in branches:
        if branch["unrelated"]:
            lines.append(f"{branch['branch']}: shares no commit with the target")
        elif branch["conflicts"]:
            files = ", ".join(file["path"] for file in branch["conflicts"])
            others = ", ".join(branch["with_branches"])
            lines.append(f"{branch['branch']}: conflicts with {others} in {files}")
        else:
            count = len(branch["changes"])
            files = f"{count} file{'' if count == 1 else 's'}"
            named = f": {', '.join(branch['changes'])}" if count else ""
            lines.append(f"{branch['branch']}: merges, {files}{named}")
    return escape("\n".join(lines) or "no branch yet")


def providers(found: list[dict[str, Any]]) -> Any:
    if not found:
        return "no providers; `python run.py providers import` takes over those of cc-switch"
    table = Table("name", "address", "model", "key", box=None)
    for made in found:
        row = (made["name"], made["base_url"], made["model"], made["problem"] or made["key"])
        table.add_row(*map(escape, row))
    return table


def doctor(report: dict[str, Any]) -> Any:
    table = Table(box=None, pad_edge=False, show_header=False)
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}
    for item in report["items"]:
        table.add_row(marks[item["state"]], escape(item["what"]), escape(item["help"]))
    return table


def _encode(value: Any) -> bytes:
    import msgspec

    return msgspec.json.encode(value)


def outcome(row: dict[str, Any], home: Path) -> str:
    """The last words of `up`: what there is to look at, or what goes on."""
    if row["status"] == "completed":
        return (
            f"{row['address']} completed: {row['reason']}\n"
            f"look: git -C {quote(row['repo'])} log --oneline --graph {quote(row['target'])}\n"
            f"      python run.py events {row['id']}{at_home(home)}"
        )
    lines = [f"{row['address']} {row['status']}: {row['reason']}"]
    lines += [text.strip() for text in waits(row)]
    lines.append(f"look: python run.py why {row['id']}{at_home(home)}")
    return "\n".join(lines)


# ---- following ------------------------------------------------------------------------------


class View(Protocol):
    """Shows facts as they come, inside a `with`."""

    def show(self, fact: AnyFact) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Quiet:
    """Shows nothing."""

    def show(self, fact: AnyFact) -> None:
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Lines(Quiet):
    """A line each: for pipes and files."""

    def show(self, fact: AnyFact) -> None:
        print(line(fact), flush=True)


class Progress(Quiet):
    """A table of tasks and the latest facts, redrawn: for a TTY."""

    _LATEST = 8

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self._latest: list[str] = []
        self._live = Live(console=Console(), refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.update(self._picture())
        self._live.stop()

    def show(self, fact: AnyFact) -> None:
        self._latest = [*self._latest[1 - self._LATEST :], line(fact)]
        self._live.update(self._picture())

    def _picture(self) -> Group:
        row = self._client.call("workflow.get", workflow=self._name)
        latest = Text("\n".join(self._latest), style="dim", overflow="ellipsis", no_wrap=True)
        return Group(_workflow_tree(row), latest)


def follow_view(client: Client, name: str) -> View:
    return Progress(client, name) if sys.stdout.isatty() else Lines()
