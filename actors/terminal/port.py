"""The interface through which the parts of a terminal's actor see and act.

Each part (launch, set-up, delivery, prompts, looks, silence, timeout, turn, freeze, exit) is given
a `Port`. No part knows the actor or another part. A part returns what the actor is to do next; only
the actor connects the parts.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar, Unpack

import msgspec

from actors.clis.judging import Judgement
from actors.clis.profile import Profile
from actors.pty.link import Link
from actors.system.stage import Stage
from bus.action import Action
from bus.facts import Fact
from bus.plan import AutoConfirm, Plan, TerminalPlan
from bus.rows import Terminal
from store.change import AccountNews, Operation
from store.columns import TerminalColumns

T = TypeVar("T")


VERSION_SECONDS = 30.0
"""Seconds until a program whose version is unknown is asked for it again."""


class Timer(StrEnum):
    """The timers of one incarnation. Each runs at most once at a time."""

    SWEEP = "sweep"
    """Ask the watcher for its sweep again."""
    SET_UP = "set_up"
    """End a set-up that takes too long."""
    PROBE = "probe"
    """Look again for the host, which could not be examined."""
    READY = "ready"
    """Examine a program that is not ready after its `ready_timeout`."""
    QUIET = "quiet"
    """Judge a screen that may have come to rest before the host was asked to report silences."""
    LOOK = "look"
    """Judge a screen that may be changing."""
    IDLE = "idle"
    """Examine a program that has been quiet for `idle_after` since the end of its turn."""
    LIMIT = "limit"
    """Examine whether the limit of the model's provider is over."""
    STALL = "stall"
    """Ask the host again to report silences: the last one was too short to be told."""
    SCREEN = "screen"
    """Try again to read a screen that could not be read in time."""
    TIMEOUT = "timeout"
    """Tell that the terminal has worked for its `timeout`."""
    KEEP = "keep"
    """Examine a program that is kept and not known to be stopped."""
    ANSWER = "answer"
    """Give up a person's answer that takes too long."""
    VERSION = "version"
    """Judge a question again that is not answered only because the version is unknown."""
    EVIDENCE = "evidence"
    """Look again for the turn that the newest instruction began."""


class Due(msgspec.Struct, frozen=True):
    """A timer of this incarnation has run out. Sent within the process."""

    timer: Timer
    incarnation: int


class Done(msgspec.Struct, frozen=True):
    """A part has finished: compare the row with reality again."""


class Failed(msgspec.Struct, frozen=True):
    """The launch has failed for `reason`; `actions` are the steps that help."""

    reason: str
    actions: list[Action] = []


class Port(Protocol):
    """The side of a terminal's actor that its parts see. Used in the actor's thread only."""

    @property
    def stage(self) -> Stage:
        """The services of the runtime."""

    @property
    def at(self) -> str:
        """The terminal's address."""

    @property
    def workflow_id(self) -> str:
        """The id of the terminal's workflow."""

    @property
    def row(self) -> Terminal:
        """The row as it was last read; `observe` reads it again."""

    @property
    def plan(self) -> Plan:
        """The workflow's plan."""

    @property
    def asked(self) -> TerminalPlan:
        """What the plan says of this terminal."""

    @property
    def profile(self) -> Profile:
        """The profile of the terminal's CLI."""

    @property
    def unverified(self) -> str | None:
        """The version of the program, if the profile was not verified with it; else None.

        It is "" if it is unknown; it is then asked again, once in `VERSION_SECONDS`.
        """

    @property
    def auto_confirm(self) -> AutoConfirm:
        """The policy for prompts: `never` if the version of the program is unverified."""

    @property
    def may_begin(self) -> bool:
        """Whether the terminal may begin to work; that of the merge waits for its worktree."""

    @property
    def directory(self) -> Path:
        """The directory of this incarnation's host."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the window."""

    def observe(
        self,
        fact: Fact | AccountNews,
        *,
        also: Sequence[Operation] = (),
        while_alive: bool = False,
        **columns: Unpack[TerminalColumns],
    ) -> bool:
        """Store a fact of this incarnation, and set the columns that record it.

        With `while_alive` this is done only if the program is to be alive. Return False if nothing
        was stored.
        """

    def commit(self, change: Sequence[Operation]) -> None:
        """Store a change in the actor's name. Raise `StoreError`, or `Fenced`."""

    def after(self, timer: Timer, seconds: float) -> None:
        """Start a timer, or start it anew."""

    def cancel(self, timer: Timer) -> None:
        """Stop a timer, if it runs."""

    def judge(self, before: int | None = None) -> Judgement:
        """Judge the newest screen, compared with the screen at offset `before`."""

    def read_screen(self, function: Callable[..., T], *args: Any) -> T:
        """Call `function(profile, directory, rows, columns, *args)` in a worker process."""

    def send(self, action: Callable[[Link], None]) -> None:
        """Run `action` with the link to the host, in the loop's thread. Drop it without a link."""

    def listen(self) -> None:
        """Ask the host to report silences, counted from now."""
