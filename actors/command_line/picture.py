"""Draw the live view of a workflow: what waits, then what runs, then the newest facts.

The functions are pure. The lines depend on a row, the noted facts, the time and the size of the
screen.
"""

from dataclasses import dataclass, field
from datetime import datetime

from rich.text import Text

from actors.command_line.facts import line, one_line
from actors.command_line.tables import forecasts, waiting_lines
from actors.command_line.times import since
from actors.command_line.waiting import Wait, limit_words, waits
from bus import facts
from bus.facts import AnyFact, TerminalBlocked
from bus.rows import Task, Terminal, Workflow

_NEWEST = 50
_AT_WORK = ("starting", "waiting", "running")


@dataclass
class Story:
    """What is known from facts and not from rows.

    `drives` says that this process prepares and starts the workflow itself, so that neither step
    waits for a person.
    """

    drives: bool = False
    newest: list[str] = field(default_factory=list)
    questions: dict[str, TerminalBlocked] = field(default_factory=dict)
    commits: dict[str, facts.CommitSeen] = field(default_factory=dict)
    testing_since: str = ""

    def waits(self, row: Workflow) -> list[Wait]:
        """Return what waits for a person."""
        if self.drives and row.status in ("created", "ready"):
            return []
        return waits(row, self.questions)

    def note(self, fact: AnyFact) -> None:
        """Note a fact."""
        self.newest = [*self.newest[1 - _NEWEST :], line(fact)]
        match fact:
            case facts.TerminalBlocked():
                self.questions[fact.address] = fact
            case facts.CommitSeen():
                self.commits[fact.address] = fact
            case facts.MergeStarted():
                self.testing_since = fact.at
            case facts.MergeTested() | facts.MergeRefused() | facts.MergeLanded():
                self.testing_since = ""


def picture(row: Workflow, story: Story, now: datetime, width: int, height: int) -> list[Text]:
    """Return the lines of the view, at most `height` of at most `width` columns."""
    top = [_head(row, story, now)]
    waiting = story.waits(row)
    if waiting:
        top += _cut(_folded(waiting_lines(waiting), width), max(4, height // 2), "waits")
    running = [_running(task, story, now) for task in row.tasks if _runs(task)]
    if row.merge_terminal is not None and row.merge_terminal.shall_run:
        running.append(Text(f"  {_terminal(row.merge_terminal, now)}"))
    room = max(2, height - len(top) - 4)
    top += _cut(running, room, "tasks are at work")
    top += [Text(line, style="dim") for line in _rest(row)]
    if row.status in ("running", "paused"):
        top += [Text(f"  {text}", style="yellow") for text in forecasts(row)]
    newest = [Text(text, style="dim") for text in story.newest]
    room = height - len(top)
    shown = [*top, *(newest[-room:] if room > 0 else [])][:height]
    for text in shown:
        text.truncate(width, overflow="ellipsis")
    return shown


def _folded(lines: list[Text], width: int) -> list[Text]:
    """Wrap the lines of commands instead of cutting them, so that they can be copied."""
    found: list[Text] = []
    for text in lines:
        plain = text.plain
        if text.overflow == "fold" and len(plain) > width:
            found += [Text(plain[at : at + width]) for at in range(0, len(plain), width)]
        else:
            found.append(text)
    return found


def _cut(lines: list[Text], room: int, what: str) -> list[Text]:
    if len(lines) <= room:
        return lines
    return [*lines[: room - 1], Text(f"  … {len(lines) - room + 1} more: {what}", style="dim")]


def _head(row: Workflow, story: Story, now: datetime) -> Text:
    done = sum(task.status == "completed" for task in row.tasks)
    parts = [f"{row.address} {row.status}", f"{done} of {len(row.tasks)} tasks completed"]
    if story.testing_since and row.status == "merging":
        parts.append(f"tests are running for {since(story.testing_since, now)}")
    elif row.status == "merging" and row.reason:
        parts.append(one_line(row.reason, 60))
    if row.created:
        parts.append(since(row.created, now))
    return Text(" · ".join(parts), style="bold")


def _runs(task: Task) -> bool:
    return any(t.status in _AT_WORK and not t.gone for t in task.terminals)


def _running(task: Task, story: Story, now: datetime) -> Text:
    """Return the line of a task at work: its terminal, for how long, and its newest commit."""
    at_work = [t for t in task.terminals if t.status in _AT_WORK and not t.gone]
    chosen = next((t for t in at_work if t.status == "running"), at_work[0])
    text = f"  {_terminal(chosen, now)}"
    if commit := story.commits.get(task.address):
        text += f" · commit {since(commit.at, now)} ago: {one_line(commit.subject, 60)}"
    return Text(text)


def _terminal(terminal: Terminal, now: datetime) -> str:
    text = f"{terminal.address} {terminal.status} {terminal.cli}"
    if terminal.status == "running" and terminal.working_since:
        text += f" {since(terminal.working_since, now)}"
    if terminal.limited:
        text += f" · {limit_words(terminal, now)}"
    return text


def _rest(row: Workflow) -> list[str]:
    """Return a line that counts the tasks not at work by status; no line if there are none."""
    counts: dict[str, int] = {}
    for task in row.tasks:
        if not _runs(task):
            counts[task.status] = counts.get(task.status, 0) + 1
    named = ", ".join(f"{count} {status}" for status, count in counts.items())
    return [f"  {named}"] if named else []
