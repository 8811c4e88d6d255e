"""Draw the live view of a workflow: what waits, then what runs, then the newest facts.

The functions are pure. The lines depend on a row, the noted facts, what the person has chosen, the
time and the size of the screen.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from rich.text import Text

from actors.command_line.client.asking import BEGINS
from actors.command_line.output.facts import line, one_line, said
from actors.command_line.output.times import since, when
from actors.command_line.views.tables import forecasts
from actors.command_line.views.waiting import Wait, countdown, limit_words, waits
from bus import facts
from bus.facts import AnyFact, TerminalBlocked, fact_type
from bus.rows import Task, Terminal, Workflow
from bus.status import MergeStage

_NEWEST = 50
_WIDE = 100
"""From so many columns on, a newest line stands beside its terminal and not below."""
_MOST_LINES = 3
"""How many lines the sentence of what is chosen may take."""
_AT_WORK = ("starting", "waiting", "running")


class Story(msgspec.Struct):
    """What is known from facts and not from rows.

    `drives` says that this process prepares and starts the workflow itself, so that neither step
    waits for a person.
    """

    drives: bool = False
    newest: list[AnyFact] = msgspec.field(default_factory=list)
    questions: dict[str, TerminalBlocked] = msgspec.field(default_factory=dict)
    commits: dict[str, facts.CommitSeen] = msgspec.field(default_factory=dict)
    testing_since: str = ""
    foreseen: set[tuple[str, ...]] = msgspec.field(default_factory=set)
    began: dict[str, str] = msgspec.field(default_factory=dict)

    def waits(self, row: Workflow) -> list[Wait]:
        """Return what waits for a person, the oldest first.

        What was not seen to begin waited before the view was opened.
        """
        if self.drives and row.status in ("created", "ready"):
            return []
        found = waits(row, self.questions)
        return sorted(found, key=lambda wait: self.began.get(wait.address or row.address, ""))

    def note(self, fact: AnyFact) -> bool:
        """Note a fact. Return whether it is to be shown.

        Only the first foreseen conflict in the same files is. Of sixty branches that change one
        file there are 1,770 pairs.
        """
        if isinstance(fact, facts.MergeForecast):
            files = tuple(fact.files)
            if not files or files in self.foreseen:
                return False
            self.foreseen.add(files)
        self.newest = [*self.newest[1 - _NEWEST :], fact]
        if isinstance(fact, BEGINS):
            self.began[fact.address] = fact.at
        match fact:
            case facts.TerminalBlocked():
                self.questions[fact.address] = fact
            case facts.CommitSeen():
                self.commits[fact.address] = fact
            case facts.MergeStarted():
                self.testing_since = fact.at
            case facts.MergeTested() | facts.MergeRefused() | facts.MergeLanded():
                self.testing_since = ""
        return True


class Watch(msgspec.Struct):
    """What a person who watches with a keyboard has chosen.

    `chosen` is the address of a terminal or task in the view, "" for none. `newest` holds the
    newest line of terminals, `screen` the lines of the one that is opened. `said` is an answer to
    the last key. Without `keys` nothing can be chosen.
    """

    keys: bool = False
    chosen: str = ""
    said: str = ""
    opened: str = ""
    screen: Sequence[str] = ()
    newest: Mapping[str, str] = msgspec.field(default_factory=dict)


class _Item(NamedTuple):
    """Lines of the view that belong together, and the address they are about."""

    address: str
    lines: list[Text]

    @property
    def short(self) -> "_Item":
        """The item with its first line only."""
        return self._replace(lines=self.lines[:1])


def choosable(row: Workflow, story: Story) -> list[str]:
    """Return the addresses that can be chosen, in the order of the view."""
    waiting = [wait.address for wait in story.waits(row) if wait.address]
    return list(dict.fromkeys([*waiting, *(terminal.address for terminal in _at_work(row))]))


def picture(
    row: Workflow, story: Story, now: datetime, width: int, height: int, watch: Watch | None = None
) -> list[Text]:
    """Return the lines of the view, at most `height` of at most `width` columns.

    With a keyboard there are exactly `height`, and the last one names the keys.
    """
    watch = watch or Watch()
    body = height - 1 if watch.keys else height
    lines = (_opened if watch.opened else _overview)(row, story, now, width, body, watch)
    if watch.keys:
        lines += [Text()] * (body - len(lines)) + [_foot(watch)]
    for text in lines:
        text.truncate(width, overflow="ellipsis")
    return lines


def _overview(
    row: Workflow, story: Story, now: datetime, width: int, height: int, watch: Watch
) -> list[Text]:
    top = [_head(row, story, now)]
    waiting = [_waiting(wait, width, watch) for wait in story.waits(row)]
    if waiting:
        top.append(Text("waits for you", style="bold yellow"))
        room = max(3, height // 2 - 1)
        if watch.chosen and sum(len(item.lines) for item in waiting) > room:
            waiting = [item if item.address == watch.chosen else item.short for item in waiting]
        top += _cut(waiting, room, watch, "waits")
    waits_too = {item.address for item in waiting}
    running = [
        _running(terminal, story, watch, now, width < _WIDE)
        for terminal in _at_work(row)
        if terminal.address not in waits_too
    ]
    room = max(2, height - len(top) - 4)
    if sum(len(item.lines) for item in running) > room:
        running = [item.short for item in running]
    top += _cut(running, room, watch, "tasks are at work")
    top += [Text(line, style="dim") for line in _rest(row)]
    top += [Text(f"  {text}", style="yellow") for text in forecasts(row)]
    room = height - len(top)
    told = story.newest[-room:] if room > 0 else []
    shown = _short if width < _WIDE else line
    return [*top, *(Text(shown(fact, now), style="dim") for fact in told)][:height]


def _short(fact: AnyFact, now: datetime) -> str:
    """Return a fact for a narrow screen: without its number, and without the word "status"."""
    kind = "" if fact_type(fact).endswith(".status") else f"{fact_type(fact)} "
    return f"{when(fact.at, now)} {fact.address} {kind}{said(fact)}"


def _opened(
    row: Workflow, story: Story, now: datetime, _width: int, height: int, watch: Watch
) -> list[Text]:
    """Return the end of the opened terminal's screen, below the head."""
    title = Text(f"screen of {watch.opened}", style="bold")
    shown = [Text(text) for text in watch.screen] or [Text("nothing was shown yet", style="dim")]
    return [_head(row, story, now), title, *shown[-max(0, height - 2) :]][:height]


def _foot(watch: Watch) -> Text:
    if watch.said:
        return Text(watch.said, style="reverse")
    if watch.opened:
        return Text("Esc back · a attach · y/n answer · q leave", style="reverse")
    return Text("↑↓ choose · Enter open · a attach · y/n answer · q leave", style="reverse")


def _waiting(wait: Wait, width: int, watch: Watch) -> _Item:
    """Return what waits and its commands, which are wrapped and not cut: they can be copied."""
    most = _MOST_LINES if wait.address and wait.address == watch.chosen else 1
    pieces = _folded(f"  {wait.what}", width)
    lines = [Text(piece) for piece in (pieces[:most] if most > 1 else [f"  {wait.what}"])]
    for words in wait.commands:
        lines += [Text(piece) for piece in _folded(f"    {words}", width)]
    return _Item(wait.address, lines)


def _folded(text: str, width: int) -> list[str]:
    """Return the text in pieces. None ends with a blank, which a screen would not show."""
    pieces = []
    while len(text) > width:
        piece = text[:width].rstrip() or text[:width]
        pieces.append(piece)
        text = text[len(piece) :]
    return [*pieces, text]


def _cut(items: list[_Item], room: int, watch: Watch, what: str) -> list[Text]:
    """Return the lines of the items that fit, with the chosen one marked and among them."""
    lines: list[Text] = []
    at = 0
    for item in items:
        if item.address and item.address == watch.chosen:
            at = len(lines)
            first = Text(item.lines[0].plain, style="bold reverse")
            item = _Item(item.address, [first, *item.lines[1:]])
        lines += item.lines
    if len(lines) <= room:
        return lines
    start = max(0, at - max(0, room - 2))
    shown = lines[start : start + room - 1]
    return [*shown, Text(f"  … {len(lines) - len(shown)} more: {what}", style="dim")]


def _head(row: Workflow, story: Story, now: datetime) -> Text:
    done = sum(task.status == "completed" for task in row.tasks)
    parts = [f"{row.address} {row.status}", f"{done} of {len(row.tasks)} completed"]
    if story.testing_since and row.status == "merging":
        parts.append(f"tests are running for {since(story.testing_since, now)}")
    elif row.status == "merging":
        parts.append(one_line(_of_merge(row), 60))
    if row.created:
        parts.append(since(row.created, now))
    return Text(" · ".join(parts), style="bold")


def _of_merge(row: Workflow) -> str:
    """Return what a merge is at, where no tests run."""
    match row.merge.stage:
        case MergeStage.CONFLICT:
            return f"a conflict in {', '.join(row.merge.files) or 'its branches'}"
        case MergeStage.REPAIR:
            return "its tests failed, and a repair is at work"
        case _:
            return row.reason or "the branches are merged"


def _runs(task: Task) -> bool:
    return _working(task.terminals) is not None


def _working(terminals: list[Terminal]) -> Terminal | None:
    """Return the terminal that works, else one whose program is there."""
    there = [t for t in terminals if t.status in _AT_WORK and not t.gone]
    return next((t for t in there if t.status == "running"), there[0] if there else None)


def _at_work(row: Workflow) -> list[Terminal]:
    """Return the terminal of each task at work, and the merge's."""
    found = [terminal for task in row.tasks if (terminal := _working(task.terminals))]
    if row.merge_terminal is not None and row.merge_terminal.shall_run:
        found.append(row.merge_terminal)
    return found


def _running(terminal: Terminal, story: Story, watch: Watch, now: datetime, narrow: bool) -> _Item:
    """Return what a terminal at work does: for how long, its newest commit and newest line."""
    text = f"  {_terminal(terminal, now, narrow)}"
    if commit := story.commits.get(terminal.task):
        text += f" · commit {since(commit.at, now)} ago: {one_line(commit.subject, 60)}"
    newest = one_line(watch.newest.get(terminal.address, ""))
    if not newest:
        return _Item(terminal.address, [Text(text)])
    if narrow:
        return _Item(terminal.address, [Text(text), Text(f"      {newest}", style="italic")])
    return _Item(terminal.address, [Text(f"{text} · {newest}")])


def _terminal(terminal: Terminal, now: datetime, narrow: bool) -> str:
    if terminal.limited and narrow:
        return f"{terminal.address} {countdown(terminal, now)}"
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
