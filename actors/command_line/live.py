"""The views that `up` and `follow` show while a workflow runs."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Group, RenderableType
from rich.live import Live

from actors.command_line.facts import line
from actors.command_line.neutral import Neutral, console
from actors.command_line.picture import Story, picture
from actors.command_line.printing import say
from bus import clock, facts
from bus.client import Client
from bus.facts import AnyFact
from bus.requests import WorkflowGet
from bus.rows import Workflow

_LOOK_SECONDS = 0.2
"""The shortest time between two requests for the row, however many facts come."""

_MAY_WAIT = (
    facts.TaskMoved,
    facts.TerminalBlocked,
    facts.TerminalIdle,
    facts.TerminalLimited,
    facts.TerminalStalled,
    facts.RepairOffered,
    facts.MergeConflict,
    facts.MergeBehind,
)
"""Facts after which something may wait for a person."""


class View(Protocol):
    """A view shows facts as they come. It is used inside a `with`.

    `behind` says that the caller must call `catch_up` when no facts have come for a moment.
    """

    behind: bool

    def show(self, fact: AnyFact) -> None:
        """Show a fact."""

    def catch_up(self) -> None:
        """Show the newest state of the workflow."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Quiet:
    """A view that shows nothing."""

    behind = False

    def show(self, _fact: AnyFact) -> None:
        """Do nothing."""
        return

    def catch_up(self) -> None:
        """Do nothing."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Lines(Quiet):
    """A view for pipes and files that prints each fact as a line.

    It also prints what begins to wait for a person.
    """

    def __init__(self, client: Client, name: str, drives: bool) -> None:
        self._client = client
        self._name = name
        self._story = Story(drives)
        self._waiting: set[str] = set()

    def show(self, fact: AnyFact) -> None:
        """Print the fact, and what begins to wait for a person with it."""
        self._story.note(fact)
        say(line(fact))
        if isinstance(fact, _MAY_WAIT):
            self._tell_waits()

    def _tell_waits(self) -> None:
        row = self._client.ask(WorkflowGet(workflow=self._name))
        found = self._story.waits(row)
        for wait in found:
            if wait.what not in self._waiting:
                say("\n    ".join([f"waits for you: {wait.what}", *wait.commands]))
        self._waiting = {wait.what for wait in found}


class Progress(Quiet):
    """A view for a terminal that redraws one picture of the workflow.

    A thread of Rich draws the picture from the newest row once a second, so that the times in it
    advance.
    """

    def __init__(self, client: Client, name: str, drives: bool) -> None:
        self._client = client
        self._name = name
        self._story = Story(drives)
        self._row: Workflow = client.ask(WorkflowGet(workflow=name))
        self._looked = 0.0
        self._console = console()
        self._live = Live(
            console=self._console,
            get_renderable=self._picture,
            refresh_per_second=1,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, fact: AnyFact) -> None:
        """Note the fact, and redraw unless that was done less than 0.2 s ago."""
        self._story.note(fact)
        self.behind = True
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self.catch_up()

    def catch_up(self) -> None:
        """Ask for the row and redraw the picture."""
        self._row = self._client.ask(WorkflowGet(workflow=self._name))
        self.behind, self._looked = False, time.monotonic()
        self._live.refresh()

    def _picture(self) -> RenderableType:
        size = self._console.size
        now = clock.wall()
        lines = picture(self._row, self._story, now, size.width, size.height - 1)
        return Neutral(Group(*lines))


def follow_view(client: Client, name: str, drives: bool) -> View:
    """Return the view that suits standard output.

    `drives` says that this process also prepares and starts the workflow.
    """
    return (Progress if sys.stdout.isatty() else Lines)(client, name, drives)
