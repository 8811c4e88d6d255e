"""The base class of every actor: a Pykka actor with typed messages and supervised failures.

    @dataclass(frozen=True)
    class Add:
        amount: int

    class Counter(Actor):
        def __init__(self, total: int = 0) -> None:
            super().__init__()
            self.total = total

        @handles(Add)
        def add(self, message: Add) -> int:
            self.total += message.amount
            return self.total

Pykka ignores some failures: an exception while answering `ask`, and one in `on_start`. Others end
the program: `SystemExit` stops *all* actors. Here each of them is a failure of the one actor, and
its supervisor decides what follows. Under a supervisor all methods run in the actor's own thread,
`__init__` included. `Counter.start()` without a supervisor works as in Pykka.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import pykka
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.supervision.errors import UnhandledMessage, one_line
from actors.supervision.life import End, Fence, Life, claim_life
from actors.supervision.mailbox import Mailbox, Signal, refuse
from actors.supervision.ref import SupervisorRef

logger = logging.getLogger(__name__)

Handler = Callable[[Any, Any], Any]
F = TypeVar("F", bound=Handler)


def handles(*types: type) -> Callable[[F], F]:
    """Mark a method as the handler of messages of these types and of their subclasses."""

    def mark(method: F) -> F:
        method.__handles__ = types  # type: ignore[attr-defined]
        return method

    return mark


class Actor(pykka.ThreadingActor):
    """An actor. Subclasses register handlers with `handles` and override the hooks they need.

    All hooks run in the actor's thread: `on_start()`; `on_stop()` after a normal end or an ordered
    stop; `on_failure(type, value, traceback)` after a failure, also one in `on_start` or `on_stop`;
    `on_dead_letter(item, error)`; `decode(item)`.
    """

    use_daemon_thread = True

    _marked: ClassVar[dict[type, str]] = {}  # handler names by message type
    _found: ClassVar[dict[type, Handler]] = {}  # handlers by message type, filled on first use

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {t: name for name, m in vars(cls).items() for t in getattr(m, "__handles__", ())}
        cls._marked = {**cls._marked, **own}
        cls._found = {}

    def __init__(self) -> None:
        self.life: Life = claim_life() or _unsupervised_life(type(self).__name__)
        super().__init__()
        self.actor_inbox = self.life.mailbox
        self._actor_ref = pykka.ActorRef(self)

    @staticmethod
    def _create_actor_inbox() -> Mailbox:
        # Pykka calls this without an argument. `__init__` then sets the mailbox of the life.
        return _NO_MAIL

    @property
    def address(self) -> str:
        """The actor's address: `runtime/workflows/demo/`. The class name without a supervisor."""
        return self.life.address

    @property
    def incarnation(self) -> int:
        """1 for the first start at this address, and one more for each further start."""
        return self.life.incarnation

    @property
    def fence(self) -> Fence:
        """The token to check before the actor writes or sends something."""
        return self.life.fence

    @property
    def stop_ordered(self) -> bool:
        """Whether the supervisor waits for this actor to stop."""
        return self.life.stop_ordered

    @property
    def handled(self) -> int:
        """How many messages were handled without a failure, by all incarnations at this address."""
        return self.life.mailbox.handled

    @property
    def supervisor(self) -> SupervisorRef:
        """The supervisor above this actor. Raise `LookupError` if there is none."""
        if self.life.supervisor is None:
            raise LookupError(f"{self.address} has no supervisor")
        return SupervisorRef(self.life.supervisor)

    def stop(self) -> None:
        """Stop this actor after the current message. Waiting messages stay in the mailbox."""
        self.life.leaving = True
        self.life.mailbox.wake()

    def retire(self, wish: bool = True) -> None:
        """Stop this actor as soon as no message waits; withdraw that with False.

        No message is lost: one that comes before the stop is handled, a later one is refused, so
        that its sender can start the actor again. Call it in the actor's thread.
        """
        self.life.retiring = wish

    def decode(self, item: Any) -> Any:
        """Turn an item that a `Directory` delivered (not `tell` or `ask`) into a message."""
        return item

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """React to a dead letter: `item` is what the actor handled when it failed.

        Called before `on_failure`, in the failing actor's thread. If the actor was abandoned its
        thread is stuck, and the tree's notifier thread calls this.
        """

    def on_receive(self, message: Any) -> Any:
        """Handle a message of a type without a handler. Raise `UnhandledMessage` by default."""
        raise UnhandledMessage(f"{type(self).__name__} has no handler for {type(message).__name__}")

    # ---- the message loop ------------------------------------------------------------------

    def handle_messages(self) -> None:
        """Handle messages until it is time to stop. Raise what a handler raised."""
        life, mailbox = self.life, self.life.mailbox
        while not self._has_retired() and (item := mailbox.take(life)) is not Signal.STOP:
            self._handle_item(life, item)

    def _has_retired(self) -> bool:
        life = self.life
        life.retired = life.retiring and life.mailbox.close_if_empty(life)
        return life.retired

    def _handle_item(self, life: Life, item: object) -> None:
        life.current = item
        life.busy(type(item).__name__)
        try:
            if isinstance(item, Envelope):
                self._handle_envelope(item)
            else:
                self._dispatch(self.decode(item))
        except BaseException as error:
            life.set_aside(error)
            raise
        life.idle()
        life.current = None
        if life.fence.alive:
            life.mailbox.handled += 1

    def _handle_envelope(self, envelope: Envelope[Any]) -> None:
        reply_to = envelope.reply_to
        if isinstance(envelope.message, _ActorStop):
            self.life.stop_reply = reply_to  # answered when the life has ended
            self.stop()
        elif reply_to is None:
            self._dispatch(envelope.message)
        else:
            try:
                reply = self._dispatch(envelope.message)
            except Exception:
                reply_to.set_exception()
                raise
            except BaseException as error:
                # `SystemExit` must not reach the thread that asked.
                refuse(envelope, f"{self.address} ended by {one_line(error)}")
                raise
            reply_to.set(reply)

    def _dispatch(self, message: Any) -> Any:
        handler = self._found.get(type(message))
        if handler is None:
            handler = self._find_handler(type(message))
        return handler(self, message)

    @classmethod
    def _find_handler(cls, message_type: type) -> Handler:
        names = (cls._marked[base] for base in message_type.__mro__ if base in cls._marked)
        # Pykka's method handles the messages of proxies, and passes others to `on_receive`.
        handler: Handler = getattr(cls, next(names, "_handle_receive"))
        cls._found[message_type] = handler
        return handler

    def _actor_loop(self) -> None:
        # Pykka's `start` calls this in a new thread. Supervisors do not use it.
        self.life.run(self)


_NO_MAIL = Mailbox()


def _unsupervised_life(name: str) -> Life:
    life = Life(name, 1, Mailbox(name), on_end=_end_unsupervised)
    life.mailbox.hand_to(life)
    return life


def _end_unsupervised(life: Life) -> None:
    """Close the mailbox of an actor without a supervisor, and log its failure."""
    if life.actor is not None:
        pykka.ActorRegistry.unregister(life.actor.actor_ref)
    life.mailbox.close()
    if life.end is End.FAILED:
        logger.error(
            "%s failed; it has no supervisor that restarts it", life.address, exc_info=life.error
        )
