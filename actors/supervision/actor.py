"""The base class of every actor: Pykka's actor with typed messages, and no failure unseen.

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

Pykka lets some failures pass (an exception in answer to `ask`, one in `on_start`), and turns others
into the end of the program (`SystemExit` stops *all* actors). Here each of them is the failure of
this one actor, and its supervisor decides. Under a supervisor, all methods run in the actor's own
thread, `__init__` as well; `Counter.start()` without one works as in Pykka.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import pykka
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.supervision.errors import UnhandledMessage, one_line
from actors.supervision.life import End, Fence, Life, life_being_born
from actors.supervision.mailbox import Mailbox, Signal, refuse
from actors.supervision.ref import SupervisorRef

logger = logging.getLogger(__name__)

Handler = Callable[[Any, Any], Any]
F = TypeVar("F", bound=Handler)


def handles(*types: type) -> Callable[[F], F]:
    """Mark a method as the handler of messages of these types and their subclasses."""

    def mark(method: F) -> F:
        method.__handles__ = types  # type: ignore[attr-defined]
        return method

    return mark


class Actor(pykka.ThreadingActor):
    """An actor. Subclasses register handlers with `handles` and override the hooks they need.

    Hooks, all in the actor's thread: `on_start()`, `on_stop()` (after a normal end or an ordered
    stop), `on_failure(type, value, traceback)` (after any failure, one in `on_start` or `on_stop`
    as well), `on_dead_letter(item, error)`, `decode(item)`.
    """

    use_daemon_thread = True

    _marked: ClassVar[dict[type, str]] = {}  # the name of the handler of a type
    _found: ClassVar[dict[type, Handler]] = {}  # the handler itself, filled as messages come

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {t: name for name, m in vars(cls).items() for t in getattr(m, "__handles__", ())}
        cls._marked = {**cls._marked, **own}
        cls._found = {}

    def __init__(self) -> None:
        self.life: Life = life_being_born() or _life_alone(type(self).__name__)
        super().__init__()
        self.actor_inbox = self.life.mailbox
        self._actor_ref = pykka.ActorRef(self)

    @staticmethod
    def _create_actor_inbox() -> Mailbox:
        # Pykka's seam for a new kind of mailbox has no argument, so this one is replaced at once by
        # the one the life brought along.
        return _NO_MAIL

    @property
    def address(self) -> str:
        """Where it lives: `runtime/workflows/demo/`. The class name if it has no supervisor."""
        return self.life.address

    @property
    def incarnation(self) -> int:
        """1 for the first start at this address, and one more for each further one."""
        return self.life.incarnation

    @property
    def fence(self) -> Fence:
        """The token to check before anything is written or sent in this actor's name."""
        return self.life.fence

    @property
    def fenced(self) -> bool:
        """Whether this incarnation is over: abandoned, or ended."""
        return not self.life.fence.alive

    @property
    def stop_ordered(self) -> bool:
        """Whether the supervisor waits for this actor to stop."""
        return self.life.stop_ordered

    @property
    def handled(self) -> int:
        """How many messages were handled to the end at this address."""
        return self.life.mailbox.handled

    @property
    def supervisor(self) -> SupervisorRef:
        """The supervisor above. Raises `LookupError` if there is none."""
        if self.life.supervisor is None:
            raise LookupError(f"{self.address} has no supervisor")
        return self.life.supervisor

    def wait_stop(self, seconds: float | None) -> bool:
        """Wait inside a handler, but not longer than until a stop is ordered: True if it was."""
        return self.life.stopping.wait(seconds)

    def stop(self) -> None:
        """End normally after the current message. Waiting messages stay in the mailbox."""
        self.life.leaving = True
        self.life.mailbox.wake()

    def decode(self, item: Any) -> Any:
        """Turn what a `Directory` delivered (not `tell` or `ask`) into a message."""
        return item

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """Called with the item whose handling failed, before `on_failure`.

        In the failing actor's thread; for an abandoned one, whose thread is stuck, in the tree's
        notifier thread.
        """

    def on_receive(self, message: Any) -> Any:
        """Handle a message of a type that has no handler. By default that is a failure."""
        raise UnhandledMessage(f"{type(self).__name__} has no handler for {type(message).__name__}")

    # The loop

    def handle_messages(self) -> None:
        """Handle messages until it is time to stop. Raises what a handler raised."""
        life, mailbox = self.life, self.life.mailbox
        while (item := mailbox.take(life)) is not Signal.STOP:
            self._handle_item(life, item)

    def _handle_item(self, life: Life, item: object) -> None:
        life.current = item
        life.busy(type(item).__name__)
        try:
            if isinstance(item, Envelope):
                self._handle_envelope(item)
            else:
                self._dispatch(self.decode(item))
        except BaseException as error:
            life.bury(error)
            raise
        life.idle()
        life.current = None
        if life.fence.alive:
            life.mailbox.handled += 1

    def _handle_envelope(self, envelope: Envelope[Any]) -> None:
        reply_to = envelope.reply_to
        if isinstance(envelope.message, _ActorStop):
            self.life.stop_asker = reply_to  # answered when all is over
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
                # The asker must not exit because this actor does.
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
        # Pykka's own handling knows proxies, and calls `on_receive` for everything else.
        handler: Handler = getattr(cls, next(names, "_handle_receive"))
        cls._found[message_type] = handler
        return handler

    def _actor_loop(self) -> None:
        # The target of the thread that Pykka's `start` makes, where there is no supervisor.
        self.life.live(self)


_NO_MAIL = Mailbox()


def _life_alone(name: str) -> Life:
    """A life without a supervisor."""
    life = Life(name, 1, Mailbox(name), on_end=_end_alone)
    life.mailbox.hand_to(life)
    return life


def _end_alone(life: Life) -> None:
    """Nobody will read its mail, so say so."""
    if life.actor is not None:
        pykka.ActorRegistry.unregister(life.actor.actor_ref)
    life.mailbox.close()
    if life.end is End.FAILED:
        logger.error("%s failed, and it has no supervisor", life.address, exc_info=life.error)
