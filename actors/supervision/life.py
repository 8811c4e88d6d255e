"""One incarnation of an actor: its thread, its fence, and how it ended.

A `Life` is what a pid is to Erlang. Starting an actor again is a new life with the next incarnation
number; the address and the mailbox stay. All of a life happens in one daemon thread, the actor's
`__init__` included, so a start that fails or hangs does so where it can be seen:

    __init__, on_start                     -> the start worked: the supervisor goes on
    messages, one after another            -> until ordered to stop, stopped by itself, or failed
    on_stop, or on_failure after a failure -> the end is reported to the supervisor, always
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any

from actors.supervision.errors import Fenced, one_line

if TYPE_CHECKING:
    from actors.supervision.actor import Actor
    from actors.supervision.mailbox import Mailbox
    from actors.supervision.ref import SupervisorRef


class End(Enum):
    """Why a life ended, in OTP's words."""

    NORMAL = "normal"  # the actor stopped itself, or was told to with `ActorRef.stop`
    SHUTDOWN = "shutdown"  # its supervisor ordered it to stop, or it is a supervisor that gave up
    FAILED = "failed"  # an exception
    ABANDONED = "abandoned"  # it did not stop in time; its thread may still run, fenced


class Fence:
    """Tells whether one incarnation still counts. Readable from any thread, at no cost.

    A shell checks it right before it writes or sends. It falls when the life is over, and at once
    when the life is abandoned, and never rises again.
    """

    __slots__ = ("address", "alive", "incarnation")

    def __init__(self, address: str, incarnation: int) -> None:
        self.address = address
        self.incarnation = incarnation
        self.alive = True

    def check(self) -> None:
        """Raises `Fenced` if the incarnation is over."""
        if not self.alive:
            raise Fenced(f"{self.address} incarnation {self.incarnation} is over")

    def __repr__(self) -> str:
        state = "alive" if self.alive else "over"
        return f"<Fence {self.address}#{self.incarnation} {state}>"


class _Here(threading.local):
    life: Life | None = None  # whose thread this is
    birth: Life | None = None  # whose actor is about to be made in this thread


_here = _Here()


def current_life() -> Life | None:
    """The life whose thread this is, or None in a thread that belongs to no actor."""
    return _here.life


def current_fence() -> Fence | None:
    """The fence of the actor whose thread this is, or None in a thread that belongs to no actor."""
    return _here.life.fence if _here.life is not None else None


def life_being_born() -> Life | None:
    """The life that waits for its actor in this thread. Answers once per life."""
    life, _here.birth = _here.birth, None
    return life


class Life:
    """One incarnation. The supervisor makes it, its own thread lives it, anyone may look at it."""

    def __init__(
        self,
        address: str,
        incarnation: int,
        mailbox: Mailbox,
        *,
        parent: Life | None = None,
        supervisor: SupervisorRef | None = None,
        on_end: Callable[[Life], None] = lambda life: None,
        on_dead_letter: Callable[[Life, object, BaseException], None] = lambda *_: None,
        on_busy: Callable[[], None] | None = None,
    ) -> None:
        self.fence = Fence(address, incarnation)
        self.mailbox = mailbox
        self.parent = parent  # the supervisor's life, None above the root
        self.supervisor = supervisor
        self.actor: Actor | None = None
        self.started = threading.Event()  # the start is decided: it worked, failed, or was given up
        self.ready = False  # the start worked
        self.done = threading.Event()  # the thread has nothing more to say
        self.end: End | None = None
        self.error: BaseException | None = None
        self.stop_ordered = False
        self.stopping = threading.Event()  # set together with `stop_ordered`, for those who wait
        self.leaving = False  # the actor stops itself after the current message
        self.stop_asker: Any = None  # the future of whoever waits in `ActorRef.stop`
        self.interrupt: Callable[[], None] | None = None  # ends what the thread waits for
        self.current: object = None  # the item being handled
        self.doing: str | None = None  # what runs now, None between messages
        self.busy_since: float | None = None  # monotonic seconds
        self.on_busy = on_busy
        self.thread_id: int | None = None
        self.born = time.monotonic()
        self._on_end = on_end
        self._on_dead_letter = on_dead_letter

    @property
    def address(self) -> str:
        return self.fence.address

    @property
    def incarnation(self) -> int:
        return self.fence.incarnation

    # What the supervisor does with it

    def begin(self, make: Callable[[], Actor]) -> None:
        """Start the thread, which makes the actor first. Raises `RuntimeError` if none can be."""
        name = f"{self.address}#{self.incarnation}"
        threading.Thread(target=self._run, args=(make,), name=name, daemon=True).start()

    def order_stop(self) -> None:
        """Let it stop after the current message; wake it if it waits. Any thread; never blocks."""
        self.stop_ordered = True
        self.stopping.set()
        interrupt = self.interrupt
        if interrupt is not None:
            interrupt()
        self.mailbox.wake()

    def abandon(self) -> None:
        """Wait for it no longer: fence it. The thread, if it ever ends, ends unheard."""
        self.fence.alive = False
        self.end = End.ABANDONED
        self.order_stop()
        if self.actor is not None:
            self.actor.actor_stopped.set()
        self.started.set()

    def stack(self) -> str | None:
        """The Python stack of its thread now, innermost call last; None if it is over."""
        if self.thread_id is None or self.done.is_set():
            return None
        frame = sys._current_frames().get(self.thread_id)
        return None if frame is None else "".join(traceback.format_stack(frame))

    # What its own thread does

    def live(self, actor: Actor) -> None:
        """The whole life of an actor that exists already: started by Pykka's `Actor.start`."""
        self._run(lambda: actor)

    def busy(self, doing: str) -> None:
        """Note what runs from now on, and see to it that somebody watches how long."""
        self.doing = doing
        self.busy_since = time.monotonic()
        if self.on_busy is not None:
            self.on_busy()

    def idle(self) -> None:
        """Note that nothing runs."""
        self.busy_since = None
        self.doing = None

    def bury(self, error: BaseException) -> None:
        """Set the current item aside as the one that broke the actor."""
        item, self.current = self.current, None
        if not self.fence.alive:
            return
        try:
            self._on_dead_letter(self, item, error)
            if self.actor is not None:
                self.actor.on_dead_letter(item, error)
        except BaseException as another:  # noqa: BLE001 - the first error is the one that counts
            error.add_note(f"and then on_dead_letter raised {one_line(another)}")

    def _run(self, make: Callable[[], Actor]) -> None:
        _here.life = self
        self.thread_id = threading.get_ident()
        error = self._attempt("__init__", lambda: self._be_born(make))
        if error is None and self.actor is not None and self.fence.alive:
            error = self._attempt("on_start", self.actor.on_start)
        if error is None and self.actor is not None and self.fence.alive:
            self.ready = True
            self.started.set()
            error = self._attempt(None, self.actor.handle_messages)
        self._finish(self._last_words(error))
        _here.life = None

    def _be_born(self, make: Callable[[], Actor]) -> None:
        _here.birth = self
        try:
            actor = make()
        finally:
            _here.birth = None
        if getattr(actor, "life", None) is not self:
            raise TypeError(f"{self.address}: start must make exactly one Actor, got {actor!r}")
        self.actor = actor

    def _last_words(self, error: BaseException | None) -> BaseException | None:
        """Run `on_stop` or `on_failure`; what they raise is a failure of the actor, too."""
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
        except BaseException as error:  # noqa: BLE001 - even SystemExit ends one actor, not all
            return error
        finally:
            self.idle()
        return None

    def _finish(self, error: BaseException | None) -> None:
        """Fall silent, then tell the supervisor. Nothing here can raise for an outside reason."""
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
        if self.stop_asker is not None:
            with suppress(Exception):  # the asker may have been answered
                self.stop_asker.set(None)
        self.started.set()
        self._on_end(self)
        self.done.set()
