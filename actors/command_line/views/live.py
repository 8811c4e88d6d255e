"""The views that `up` and `follow` show while a workflow runs, other than the one to watch."""

from types import TracebackType
from typing import Protocol, Self

from actors.command_line.output.facts import line
from actors.command_line.output.printing import say
from actors.command_line.views.picture import Story
from bus import facts
from bus.client import Client
from bus.facts import AnyFact
from bus.requests import WorkflowGet

_MAY_WAIT = (
    facts.TaskMoved,
    facts.TerminalBlocked,
    facts.TerminalIdle,
    facts.TerminalLimited,
    facts.LimitReached,
    facts.TerminalStalled,
    facts.RepairOffered,
    facts.MergeConflict,
    facts.MergeBehind,
    facts.OrchestratorActed,
)
"""Facts after which something may wait for a person."""


class Left(Exception):
    """The person has left the view; the workflow goes on."""


class View(Protocol):
    """A view shows facts as they come. It is used inside a `with`.

    The caller calls `catch_up` when no facts have come for a moment, and when the descriptor `keys`
    can be read. Without a keyboard that is None.
    """

    @property
    def keys(self) -> int | None:
        """The descriptor of the keyboard."""

    def show(self, fact: AnyFact) -> None:
        """Show a fact."""

    def catch_up(self) -> None:
        """Show the newest state of the workflow. Raise `Left` if the person leaves."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Quiet:
    """A view that shows nothing."""

    keys: int | None = None

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
        """Print the fact, and what begins to wait for a person with it.

        A conflict that is foreseen in the same files for another pair of branches is not printed.
        """
        if self._story.note(fact):
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
