"""What a part of a terminal's actor may see and do.

Each part (launch, set-up, delivery, prompts, silence, exit, timeout) is given a `Port`. No part
knows the actor or another part: it returns what the actor is to do next, and the actor alone
wires the parts together.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from actors.clis.judging import Judgement
from actors.clis.profile import Profile
from actors.pty.link import Link
from actors.system.stage import Stage
from bus.facts import Fact
from bus.plan import AutoConfirm, Plan, TerminalPlan
from bus.rows import Terminal
from store.change import Operation

T = TypeVar("T")


class Timer(StrEnum):
    """The timers of one incarnation. Each runs at most once at a time."""

    SWEEP = "sweep"
    """Ask the watcher for its sweep again."""
    SET_UP = "set_up"
    """The set-up has had its time."""
    PROBE = "probe"
    """Look for the host again, which could not be examined."""
    READY = "ready"
    """The program has had its `ready_timeout`."""
    QUIET = "quiet"
    """Judge a screen that may have come to rest before the host was asked about silences."""
    LOOK = "look"
    """Judge a screen that may be moving."""
    IDLE = "idle"
    """The program has been quiet for `idle_after` since the end of its turn."""
    STALL = "stall"
    """Ask the host about silences again: this one was not long enough to be told."""
    SCREEN = "screen"
    """Try again to read a screen that could not be read in time."""
    TIMEOUT = "timeout"
    """The terminal has worked for its `timeout`."""
    ANSWER = "answer"
    """A person's answer has had its time."""
    EVIDENCE = "evidence"
    """Look again for the turn that the newest instruction began."""


class Due(msgspec.Struct, frozen=True):
    """A timer of this incarnation has run out. Put into a mailbox of the same process."""

    timer: Timer
    incarnation: int


class Done(msgspec.Struct, frozen=True):
    """A part has finished: compare the row with reality again."""


class Failed(msgspec.Struct, frozen=True):
    """The launch has failed, and why."""

    reason: str


class Port(Protocol):
    """The side of a terminal's actor that its parts see. Used in the actor's thread only."""

    @property
    def stage(self) -> Stage: ...

    @property
    def at(self) -> str:
        """The terminal's address."""

    @property
    def workflow_id(self) -> str: ...

    @property
    def row(self) -> Terminal:
        """As it was last read; `observe` reads it again."""

    @property
    def plan(self) -> Plan: ...

    @property
    def asked(self) -> TerminalPlan:
        """What the plan says of this terminal."""

    @property
    def profile(self) -> Profile: ...

    @property
    def unverified(self) -> str | None:
        """The version of the program, if the profile was not verified with it; else None."""

    @property
    def auto_confirm(self) -> AutoConfirm:
        """The policy for prompts: `never` if the version of the program is unverified."""

    @property
    def may_begin(self) -> bool:
        """Whether what it is to work on is there."""

    @property
    def directory(self) -> Path:
        """The directory of this incarnation's host."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of its window."""

    def observe(self, fact: Fact, *, while_alive: bool = False, **columns: Any) -> bool:
        """Store a fact of this incarnation together with the columns that say it was told; with
        `while_alive` only if the program is to be alive. Return False if that is not so.
        """

    def commit(self, change: Sequence[Operation]) -> None:
        """Store a change in the actor's name. Raise `StoreError`, or `Fenced`."""

    def after(self, timer: Timer, seconds: float) -> None:
        """Start a timer, or start it anew."""

    def cancel(self, timer: Timer) -> None:
        """Stop a timer, if it runs."""

    def judge(self, before: int | None = None) -> Judgement:
        """Read the newest screen."""

    def read_screen(self, function: Callable[..., T], *args: Any) -> T:
        """Call `function(profile, directory, rows, columns, *args)` in a worker process."""

    def send(self, action: Callable[[Link], None]) -> None:
        """Say something to the host. Without a connection it is dropped."""

    def listen(self) -> None:
        """Ask the host to tell of silences, counted from now."""
