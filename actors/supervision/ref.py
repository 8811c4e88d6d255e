"""How anybody talks to a supervisor: OTP's six functions, from any thread.

A `SupervisorRef` names a place in the tree, not an incarnation, so it stays good while the
supervisor there is restarted; a call while none is running raises `NoSupervisor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from pykka import ActorRef

from actors.supervision.errors import CallerStopping, MailboxClosed, NoSupervisor, WouldDeadlock
from actors.supervision.life import Life, current_life
from actors.supervision.mailbox import Mailbox

if TYPE_CHECKING:
    from actors.supervision.record import ChildRecord
    from actors.supervision.spec import Spec
    from actors.supervision.supervisor import Supervisor

T = TypeVar("T")
Ref: TypeAlias = ActorRef[Any]


@dataclass(frozen=True)
class Call:
    """A question to a supervisor: `ask` runs in its thread, `reply` gets what comes of it."""

    ask: Callable[[Supervisor], Any]
    reply: Future[Any]


@dataclass(frozen=True)
class Child:
    """One line of `which_children`. `ref` is OTP's pid, `state` one of `State`'s values."""

    id: str
    kind: Literal["worker", "supervisor"]
    address: str
    state: str
    ref: Ref | None


@dataclass(frozen=True)
class Counts:
    """OTP's `count_children`: all specs, those that run, and the specs by kind."""

    specs: int
    active: int
    supervisors: int
    workers: int


class SupervisorRef:
    """The supervisor at one place of a tree.

    A method waits for the answer; with `block=False` it returns a `concurrent.futures.Future` of
    it at once. Either way it raises `NoSupervisor` if there is none.

    An actor may call any supervisor, its own as well, from a message handler. What could only wait
    for itself raises `WouldDeadlock`: to have oneself terminated, or to call the supervisor that is
    waiting for this very actor to start. With `block=False` both work. An actor that is ordered to
    stop while it waits gets `CallerStopping`.
    """

    def __init__(self, record: ChildRecord) -> None:
        self._record = record

    def __repr__(self) -> str:
        return f"<SupervisorRef {self.address}>"

    @property
    def address(self) -> str:
        return self._record.address

    @property
    def parent(self) -> SupervisorRef:
        """The supervisor above this one. Raises `LookupError` at the root."""
        if self._record.parent is None:
            raise LookupError(f"{self.address} is the root")
        return SupervisorRef(self._record.parent)

    @overload
    def start_child(self, spec: Spec, *, block: Literal[True] = True) -> Ref: ...
    @overload
    def start_child(self, spec: Spec, *, block: Literal[False]) -> Future[Ref]: ...
    def start_child(self, spec: Spec, *, block: bool = True) -> Any:
        """Add a child and start it.

        Raises `AlreadyStarted` or `AlreadyPresent` if the id is known, and `StartFailed` if the
        start did not work; the child is then not kept.
        """
        return self._call(lambda supervisor: supervisor.start_child(spec), block)

    @overload
    def terminate_child(self, id: str, *, block: Literal[True] = True) -> None: ...
    @overload
    def terminate_child(self, id: str, *, block: Literal[False]) -> Future[None]: ...
    def terminate_child(self, id: str, *, block: bool = True) -> Any:
        """Stop a child, or stop trying to restart it; its spec stays unless it is temporary.

        Raises `NotFound`. A child that does not run is no error.
        """
        if block:
            self._refuse_suicide(id)
        return self._call(lambda supervisor: supervisor.terminate_child(id), block)

    def restart_child(self, id: str) -> Ref:
        """Start a stopped child again.

        Raises `NotFound`, `Running`, `Restarting`, or `StartFailed`; then it stays stopped.
        """
        return self._answer(lambda supervisor: supervisor.restart_child(id))

    def delete_child(self, id: str) -> None:
        """Forget a stopped child, and its mail. Raises `NotFound`, `Running` or `Restarting`."""
        self._answer(lambda supervisor: supervisor.delete_child(id))

    def which_children(self) -> list[Child]:
        """All children, in start order."""
        return self._answer(lambda supervisor: supervisor.which_children())

    def count_children(self) -> Counts:
        """How many there are, and of what kind."""
        return self._answer(lambda supervisor: supervisor.count_children())

    def _call(self, ask: Callable[[Supervisor], T], block: bool) -> Any:
        return self._answer(ask) if block else self._post(ask)[1]

    def _post(self, ask: Callable[[Supervisor], T]) -> tuple[Life, Future[T]]:
        life = self._record.life
        if life is None:
            raise NoSupervisor(self.address)
        reply: Future[T] = Future()
        try:
            life.mailbox.put(Call(ask, reply))
        except MailboxClosed:
            raise NoSupervisor(self.address) from None
        return life, reply

    def _answer(self, ask: Callable[[Supervisor], T]) -> T:
        caller = current_life()
        if caller is not None and _waits_for_start(self._record.life, caller):
            raise WouldDeadlock(f"{self.address} is waiting for {caller.address} to start")
        _, reply = self._post(ask)
        if caller is None:
            return reply.result()
        with _interruptible(caller, reply):
            return reply.result()

    def _refuse_suicide(self, id: str) -> None:
        child = self._record.children.get(id)
        if child is not None and child.life is not None and child.life in lineage(current_life()):
            raise WouldDeadlock(f"{child.address} cannot wait for its own end")


def refuse_calls(mailbox: Mailbox) -> None:
    """Take no more calls, and answer those that wait with `NoSupervisor`."""
    mailbox.close()
    for item in mailbox.drain():
        if isinstance(item, Call):
            with suppress(InvalidStateError):
                item.reply.set_exception(NoSupervisor(mailbox.address))


def lineage(life: Life | None) -> Iterator[Life]:
    """The life, its supervisor's, and so on up to the root's."""
    while life is not None:
        yield life
        life = life.parent


def _waits_for_start(supervisor: Life | None, caller: Life) -> bool:
    """Whether all from the caller up to just below the supervisor are still starting."""
    for life in lineage(caller):
        if life is supervisor:
            return True
        if life.ready:
            return False
    return False


@contextmanager
def _interruptible(caller: Life, reply: Future[Any]) -> Iterator[None]:
    def interrupt() -> None:
        with suppress(InvalidStateError):  # it was answered first
            reply.set_exception(CallerStopping(caller.address))

    caller.interrupt = interrupt
    if caller.stop_ordered:  # perhaps before anybody could see the line above
        interrupt()
    try:
        yield
    finally:
        caller.interrupt = None


def ref_of(child: ChildRecord) -> Ref:
    """Pykka's reference to the running incarnation of a child."""
    assert child.life is not None and child.life.actor is not None
    return child.life.actor.actor_ref
