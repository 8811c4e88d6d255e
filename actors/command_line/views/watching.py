"""The view of `up` and `follow` on a terminal: one picture of the workflow, and keys.

One thread does all: it waits for facts and keys, asks the runtime, and draws. The picture is on the
terminal's other screen, so that it keeps its place whatever its size, and what was there before
comes back; the last picture is printed when the view is left.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Self

from rich.console import Group

from actors.command_line.client.asking import questions
from actors.command_line.client.daemon import RUN
from actors.command_line.output.painting import Screen
from actors.command_line.output.printing import print_rich
from actors.command_line.views.keyboard import Key, Keyboard
from actors.command_line.views.live import Left, Lines, View
from actors.command_line.views.newest import newest_line
from actors.command_line.views.picture import Story, Watch, choosable, picture
from bus import clock
from bus.client import Client, NoAnswer
from bus.connection import NoRuntime
from bus.errors import Refused
from bus.facts import AnyFact
from bus.requests import EventsReplay, TerminalAnswer, TerminalScreen, WorkflowGet
from bus.rows import Terminal, Workflow

_LOOK_SECONDS = 0.2
"""The shortest time between two requests for the row, however many facts come."""
_SCREEN_SECONDS = 1.0
"""The shortest time between two requests for a screen: the runtime renders it for us."""
_ANSWER_SECONDS = 5.0
_PAST = 500
"""How many facts are looked through for what happened before the view was opened."""
_WORDS = {"y": ("yes", "y"), "n": ("no", "n")}


class Watching:
    """The view for a terminal; see the module."""

    def __init__(self, client: Client, home: Path, name: str, seq: int, drives: bool) -> None:
        self._client = client
        self._home = home
        self._name = name
        self._story = Story(drives)
        self._row: Workflow = client.ask(WorkflowGet(workflow=name))
        self._know_past(seq)
        self._know_questions()
        self._watch = Watch()
        self._keyboard = Keyboard()
        self._screens = _Screens(client)
        self._looked = 0.0
        self._screen = Screen()
        self._handlers: dict[int, object] = {}

    # ---- the terminal --------------------------------------------------------------------

    def __enter__(self) -> Self:
        signals: tuple[tuple[int, Callable[[int, FrameType | None], object]], ...] = (
            (signal.SIGTSTP, self._suspend),
            (signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)),
            (signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP)),
        )
        self._handlers = {number: signal.signal(number, what) for number, what in signals}
        self._attend()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._watch = Watch()
        with suppress(Refused, NoAnswer, NoRuntime):
            self._row = self._client.ask(WorkflowGet(workflow=self._name), timeout=_ANSWER_SECONDS)
        width, height = self._screen.size
        lines = picture(self._row, self._story, clock.wall(), width, height - 1)
        with suppress(OSError):
            print_rich(Group(*lines))

    def _attend(self) -> None:
        """Take the terminal if this process is in the foreground and does not have it yet."""
        if self._screen.is_open or not self._screen.is_ours:
            return
        self._keyboard.take()
        self._watch.keys = self._keyboard.fd is not None
        self._screen.open()
        self._paint()

    def _close(self) -> None:
        self._screen.close()
        self._keyboard.give()

    def _suspend(self, *_: object) -> None:
        """Give the terminal back before Ctrl-Z stops this process, and take it afterwards."""
        self._close()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._attend()

    # ---- what happens --------------------------------------------------------------------

    @property
    def keys(self) -> int | None:
        """The descriptor of the keyboard; None if none can be read now."""
        return self._keyboard.fd

    def show(self, fact: AnyFact) -> None:
        """Note the fact, and redraw unless that was done less than 0.2 s ago."""
        self._story.note(fact)
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self.catch_up()

    def catch_up(self) -> None:
        """Carry out the keys, ask for the row and a screen, and redraw. May raise `Left`."""
        for key in self._keyboard.read():
            self._press(key)
        self._row = self._client.ask(WorkflowGet(workflow=self._name))
        self._looked = time.monotonic()
        self._know_questions()
        self._choose(0)
        shown = [t for t in self._row.terminals() if t.address == self._watch.opened]
        self._screens.look(shown or self._at_work())
        self._watch.newest = self._screens.newest
        self._watch.screen = self._screens.lines.get(self._watch.opened, ())
        self._attend()
        self._paint()

    def _know_past(self, seq: int) -> None:
        """Note the workflow's facts among the newest ones up to `seq`."""
        past = EventsReplay(after=max(0, seq - _PAST), limit=_PAST, address=self._name)
        for fact in self._client.ask(past).facts:
            if fact.seq <= seq:
                self._story.note(fact)

    def _know_questions(self) -> None:
        """Ask for questions that the row shows and whose facts have not come."""
        known = self._story.questions
        if any(t.blocked and t.live and t.address not in known for t in self._row.terminals()):
            known.update(questions(self._client, [self._row]))

    def _at_work(self) -> list[Terminal]:
        there = set(choosable(self._row, self._story))
        return [t for t in self._row.terminals() if t.address in there and not t.gone]

    def _paint(self) -> None:
        if not self._screen.is_open:
            return
        now, (width, height) = clock.wall(), self._screen.size
        self._screen.paint(picture(self._row, self._story, now, width, height, self._watch))

    # ---- keys ----------------------------------------------------------------------------

    def _press(self, key: str) -> None:
        self._watch.said = ""
        terminal = self._terminal()
        match key:
            case "q":
                raise Left
            case Key.UP | Key.DOWN:
                self._choose(-1 if key == Key.UP else 1)
            case Key.ESCAPE:
                self._watch.opened = ""
            case Key.ENTER if self._watch.opened:
                self._watch.opened = ""
            case Key.ENTER | "a" | "y" | "n" if terminal is None:
                self._watch.said = "no terminal is chosen: ↑ and ↓ choose one"
            case Key.ENTER:
                self._watch.opened = terminal.address if terminal else ""
            case "a" if terminal:
                self._attach(terminal)
            case "y" | "n" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" if terminal:
                self._answer(terminal, key)

    def _choose(self, step: int) -> None:
        """Move the choice; keep it where it is, or on the first, if it is not there any more."""
        there = choosable(self._row, self._story)
        chosen = self._watch.chosen
        if not there or not self._watch.keys:
            self._watch.chosen = ""
        elif chosen not in there:
            self._watch.chosen = there[0]
        elif step:
            at = there.index(chosen) + step
            self._watch.chosen = there[max(0, min(at, len(there) - 1))]

    def _terminal(self) -> Terminal | None:
        """Return the opened or chosen terminal; of a task, the one that was started last."""
        address = self._watch.opened or self._watch.chosen
        started = [t for t in self._row.terminals() if t.incarnation]
        found = [t for t in started if address in (t.address, t.task)]
        return found[-1] if address and found else None

    def _answer(self, terminal: Terminal, key: str) -> None:
        """Answer the terminal's question: by `y` or `n`, or by the number of the choice."""
        asked = self._story.questions.get(terminal.address)
        if not terminal.blocked or asked is None:
            self._watch.said = f"{terminal.address} asks nothing"
            return
        choice = chosen_answer(asked.choices, key)
        if choice is None:
            self._watch.said = f"no choice for {key}: {' | '.join(asked.choices) or 'a attaches'}"
            return
        try:
            done = self._client.ask(TerminalAnswer(terminal=terminal.address, choice=choice))
            self._watch.said = f"{terminal.address} answered: {done.answered}"
        except Refused as refused:
            self._watch.said = str(refused)

    def _attach(self, terminal: Terminal) -> None:
        """Enter the terminal, in a process of its own, and come back when it is left."""
        self._close()
        words = ["attach", terminal.address, "--home", str(self._home)]
        code = subprocess.run([sys.executable, str(RUN), *words], check=False).returncode
        self._watch.opened = ""
        self._watch.said = f"{terminal.address} could not be entered" if code else ""
        self._attend()


def chosen_answer(choices: list[str], key: str) -> str | None:
    """Return the choice that a key means: its number, or its first word for `y` and `n`."""
    if key.isdigit():
        at = int(key) - 1
        return choices[at] if at < len(choices) else None
    wanted = _WORDS[key]
    for choice in choices:
        words = "".join(c if c.isalnum() else " " for c in choice.lower()).split()
        if words and words[0] in wanted:
            return choice
    return None


class _Screens:
    """The screens of terminals, asked for one after another."""

    def __init__(self, client: Client) -> None:
        self.lines: dict[str, list[str]] = {}
        self.newest: dict[str, str] = {}
        self._client = client
        self._asked: dict[str, float] = {}

    def look(self, terminals: list[Terminal]) -> None:
        """Ask for the screen that was asked for longest ago, unless one was within a second."""
        now = time.monotonic()
        if not terminals or now - max(self._asked.values(), default=0.0) < _SCREEN_SECONDS:
            return
        address = min(terminals, key=lambda t: self._asked.get(t.address, 0.0)).address
        self._asked[address] = now
        try:
            found = self._client.ask(TerminalScreen(terminal=address), timeout=_ANSWER_SECONDS)
        except (Refused, NoAnswer):
            return  # whether the runtime is there, the next request for the row tells
        lines = found.text.split("\n")
        if newest := newest_line(self.lines.get(address, ()), lines):
            self.newest[address] = newest
        self.lines[address] = lines


def follow_view(client: Client, home: Path, name: str, seq: int, drives: bool) -> View:
    """Return the view that suits standard output; it is shown the facts after `seq`.

    `drives` says that this process also prepares and starts the workflow.
    """
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return Watching(client, home, name, seq, drives)
    return Lines(client, name, drives)
