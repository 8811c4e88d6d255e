"""Following a workflow: the views that `up` shows while it runs."""

import sys
from types import TracebackType
from typing import Protocol, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from actors.command_line.facts import line
from actors.command_line.neutral import Neutral, console
from actors.command_line.printing import say
from actors.command_line.tables import workflow_tree
from bus.client import Client
from bus.facts import AnyFact
from bus.requests import WorkflowGet


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
        say(line(fact))


class Progress(Quiet):
    """A table of tasks and the latest facts, redrawn: for a TTY."""

    _LATEST = 8

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self._latest: list[str] = []
        self._live = Live(console=console(), refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.update(self._picture())
        self._live.stop()

    def show(self, fact: AnyFact) -> None:
        self._latest = [*self._latest[1 - self._LATEST :], line(fact)]
        self._live.update(self._picture())

    def _picture(self) -> RenderableType:
        row = self._client.ask(WorkflowGet(workflow=self._name))
        latest = Text("\n".join(self._latest), style="dim", overflow="ellipsis", no_wrap=True)
        return Neutral(Group(workflow_tree(row), latest))


def follow_view(client: Client, name: str) -> View:
    return Progress(client, name) if sys.stdout.isatty() else Lines()
