"""One incarnation of an actor: its thread, its fence, and how it ended.

A `Life` is what a pid is in Erlang. Each start of an actor makes a new life with the next
incarnation number; the address and the mailbox stay the same. All code of an actor runs in the
daemon thread of its life, `__init__` included. The supervisor therefore sees every failure of a
start, and can limit its time:

    __init__, on_start                       the start; the supervisor waits for it
    messages, one after another              until the actor is ordered to stop, stops itself, or
                                             fails
    on_stop, or on_failure after a failure   then the end is reported to the supervisor
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Any, Protocol, TypeGuard

import pykka

from actors.supervision.errors import Fenced, one_line
from actors.supervision.mailbox import Mailbox


class End(Enum):
    """Why a life ended, in OTP's words."""

    NORMAL = "normal"
    """The actor stopped itself, or `ActorRef.stop` stopped it."""

    SHUTDOWN = "shutdown"
    """Its supervisor ordered it to stop, or it is a supervisor that gave up."""

    FAILED = "failed"
    """It raised an exception."""

    ABANDONED = "abandoned"
    """It did not stop within its time limit. Its thread may still run, fenced."""


class Fence:
    """Tells whether one incarnation may still write and send. Any thread may read it.

    An actor checks its fence right before it writes or sends. The fence is valid until the life is
    over or abandoned, and never becomes valid again.
    """

    __slots__ = ("address", "alive", "incarnation")

    def __init__(self, address: str, incarnation: int) -> None:
        self.address = address
        self.incarnation = incarnation
        self.alive = True

    def check(self) -> None:
        """Raise `Fenced` if the incarnation is over."""
        if not self.alive:
            raise Fenced(f"{self.address} incarnation {self.incarnation} is over")

    def __repr__(self) -> str:
        state = "alive" if self.alive else "over"
        return f"<Fence {self.address}#{self.incarnation} {state}>"


class LiveActor(Protocol):
    """What a life needs of the actor that lives it. `actors.supervision.Actor` is one."""

    actor_stopped: threading.Event

    @property
    def actor_ref(self) -> pykka.ActorRef[Any]:
        """Pykka's reference to the actor."""

    def on_start(self) -> None:
        """Run before the first message."""

    def handle_messages(self) -> None:
        """Handle messages until it is time to stop. Raise what a handler raised."""

    def on_stop(self) -> None:
        """Run after a normal end or an ordered stop."""

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Run after a failure."""

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """Run with the item whose handling failed."""


class Place(Protocol):
    """A place in a supervision tree, which stays while incarnations come and go.

    `life` is the incarnation that runs there now, or None. `children` are the places below, by id.
    """

    address: str
    life: Life | None

    @property
    def parent(self) -> Place | None:
        """The place of the supervisor above, or None at the root."""

    @property
    def children(self) -> Mapping[str, Place]:
        """The places below, by child id."""


class _Local(threading.local):
    life: Life | None = None  # the life whose thread this is
    unclaimed: Life | None = None  # the life whose actor is being constructed in this thread


_local = _Local()


def current_life() -> Life | None:
    """Return the life whose thread this is, or None in a thread that belongs to no actor."""
    return _local.life


def current_fence() -> Fence | None:
    """Return the fence of the actor whose thread this is, or None if no actor owns the thread."""
    return _local.life.fence if _local.life is not None else None


def claim_life() -> Life | None:
    """Return the life whose actor is being constructed in this thread, once; otherwise None."""
    life, _local.unclaimed = _local.unclaimed, None
    return life


class Life:
    """One incarnation. A supervisor makes it, its own thread runs it, any thread may read it.

    `parent` is the supervisor's life and `supervisor` the supervisor's place; both are None at the
    root. The three callbacks are called in this life's thread: `on_end` as the last thing it does,
    `on_dead_letter` with the item whose handling failed, `on_busy` before each piece of work.
    """

    def __init__(
        self,
        address: str,
        incarnation: int,
        mailbox: Mailbox,
        *,
        parent: Life | None = None,
        supervisor: Place | None = None,
        on_end: Callable[[Life], None] = lambda _: None,
        on_dead_letter: Callable[[Life, object, BaseException], None] = lambda *_: None,
        on_busy: Callable[[], None] | None = None,
    ) -> None:
        self.fence = Fence(address, incarnation)
        self.mailbox = mailbox
        self.parent = parent
        self.supervisor = supervisor
        self.actor: LiveActor | None = None
        self.started = threading.Event()  # set when the start has worked, failed or been given up
        self.ready = False  # whether the start has worked
        self.done = threading.Event()  # set when the thread reports nothing more
        self.end: End | None = None
        self.error: BaseException | None = None
        self.stop_ordered = False
        self.stopping = threading.Event()  # set together with `stop_ordered`, to wait for
        self.leaving = False  # the actor stops itself after the current message
        self.retiring = False  # the actor stops itself as soon as no message waits
        self.retired = False  # it has done so, and takes no more mail
        self.stop_reply: Any = None  # the Pykka future on which `ActorRef.stop` waits
        self.interrupt: Callable[[], None] | None = None  # ends what the thread waits for
        self.current: object = None  # the item being handled
        self.doing: str | None = None  # what runs now; None between messages
        self.busy_since: float | None = None  # monotonic seconds
        self.on_busy = on_busy
        self.thread_id: int | None = None
        self.began = time.monotonic()
        self._on_end = on_end
        self._on_dead_letter = on_dead_letter

    @property
    def address(self) -> str:
        """The address of the actor."""
        return self.fence.address

    @property
    def incarnation(self) -> int:
        """The number of this incarnation, counted from 1."""
        return self.fence.incarnation

    # ---- called by the supervisor ----------------------------------------------------------

    def begin(self, make: Callable[[], object]) -> None:
        """Start the thread, which first calls `make` for the actor.

        Raise `RuntimeError` if the system gives no thread.
        """
        name = f"{self.address}#{self.incarnation}"
        threading.Thread(target=self._run, args=(make,), name=name, daemon=True).start()

    def order_stop(self) -> None:
        """Order the actor to stop after its current message. Any thread; does not block."""
        self.stop_ordered = True
        self.stopping.set()
        interrupt = self.interrupt
        if interrupt is not None:
            interrupt()
        self.mailbox.wake()

    def abandon(self) -> None:
        """Fence the actor and stop waiting for it. The end of its thread is not reported."""
        self.fence.alive = False
        self.end = End.ABANDONED
        self.order_stop()
        if self.actor is not None:
            self.actor.actor_stopped.set()
        self.started.set()

    def stack(self) -> str | None:
        """Return the current Python stack of the thread, innermost call last; None if it ended."""
        if self.thread_id is None or self.done.is_set():
            return None
        frames = sys._current_frames()  # noqa: SLF001 - documented in spite of its name
        frame = frames.get(self.thread_id)
        return None if frame is None else "".join(traceback.format_stack(frame))

    # ---- called in the life's own thread ---------------------------------------------------

    def run(self, actor: LiveActor) -> None:
        """Run the whole life of an existing actor, one that Pykka's `Actor.start` made."""
        self._run(lambda: actor)

    def busy(self, doing: str) -> None:
        """Note what runs from now on, and let the watchdog watch how long it takes."""
        self.doing = doing
        self.busy_since = time.monotonic()
        if self.on_busy is not None:
            self.on_busy()

    def idle(self) -> None:
        """Note that nothing runs."""
        self.busy_since = None
        self.doing = None

    def set_aside(self, error: BaseException) -> None:
        """Make the current item, whose handling raised `error`, a dead letter."""
        item, self.current = self.current, None
        if not self.fence.alive:
            return
        try:
            self._on_dead_letter(self, item, error)
            if self.actor is not None:
                self.actor.on_dead_letter(item, error)
        except BaseException as another:  # noqa: BLE001 - the first error is the one to report
            error.add_note(f"and then on_dead_letter raised {one_line(another)}")

    def _run(self, make: Callable[[], object]) -> None:
        _local.life = self
        self.thread_id = threading.get_ident()
        error = self._attempt("__init__", lambda: self._construct(make))
        if error is None and self.actor is not None and self.fence.alive:
            error = self._attempt("on_start", self.actor.on_start)
        if error is None and self.actor is not None and self.fence.alive:
            self.ready = True
            self.started.set()
            error = self._attempt(None, self.actor.handle_messages)
        self._finish(self._call_end_hook(error))
        _local.life = None

    def _construct(self, make: Callable[[], object]) -> None:
        _local.unclaimed = self
        try:
            actor = make()
        finally:
            _local.unclaimed = None
        if not self._is_mine(actor):
            raise TypeError(f"{self.address}: start must make exactly one Actor, got {actor!r}")
        self.actor = actor

    def _is_mine(self, actor: object) -> TypeGuard[LiveActor]:
        return getattr(actor, "life", None) is self

    def _call_end_hook(self, error: BaseException | None) -> BaseException | None:
        """Run `on_stop` or `on_failure`. Return the error with which the life ends, if any."""
        actor = self.actor
        if actor is None or not self.fence.alive:
            return error
        failed = error or self._attempt("on_stop", actor.on_stop)
        if failed is None:
            return None
        last = self._attempt(
            "on_failure", lambda: actor.on_failure(type(failed), failed, failed.__traceback__)
        )
        if last is not None:
            failed.add_note(f"and then on_failure raised {one_line(last)}")
        return failed

    def _attempt(self, doing: str | None, step: Callable[[], object]) -> BaseException | None:
        if doing is not None:
            self.busy(doing)
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - SystemExit, too, ends only this actor
            return error
        finally:
            self.idle()
        return None

    def _finish(self, error: BaseException | None) -> None:
        """Fence the life, then report its end to the supervisor."""
        self.fence.alive = False
        self.current = None
        if self.end is not End.ABANDONED:
            self.error = error
            if error is not None:
                self.end = End.FAILED
            elif self.end is None:
                self.end = End.SHUTDOWN if self.stop_ordered else End.NORMAL
        if self.actor is not None:
            self.actor.actor_stopped.set()
        if self.stop_reply is not None:
            with suppress(Exception):  # it may have been answered already
                self.stop_reply.set(None)
        self.started.set()
        self._on_end(self)
        self.done.set()
