"""Calls to a supervisor: OTP's six functions, from any thread.

A `SupervisorRef` names a place in the tree, not an incarnation. It stays valid while the supervisor
there is restarted. A call while no supervisor runs there raises `NoSupervisor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, overload

import msgspec
from pykka import ActorRef

from actors.supervision.errors import CallerStopping, MailboxClosed, NoSupervisor, WouldDeadlock
from actors.supervision.life import Life, Place, current_life
from actors.supervision.mailbox import Mailbox
from actors.supervision.spec import Spec

T = TypeVar("T")
Ref: TypeAlias = ActorRef[Any]


class Child(msgspec.Struct, frozen=True):
    """One entry of `which_children`. `ref` is OTP's pid, `state` is a value of `State`."""

    id: str
    kind: Literal["worker", "supervisor"]
    address: str
    state: str
    ref: Ref | None


class Counts(msgspec.Struct, frozen=True):
    """The answer of `count_children`: all specs, the running children, and the specs by kind."""

    specs: int
    active: int
    supervisors: int
    workers: int


class Callee(Protocol):
    """What can be asked of a supervisor. Each method runs in the supervisor's thread.

    `SupervisorRef` documents the methods.
    """

    def start_child(self, spec: Spec) -> Ref:
        """See `SupervisorRef.start_child`."""

    def terminate_child(self, id: str) -> None:
        """See `SupervisorRef.terminate_child`."""

    def restart_child(self, id: str) -> Ref:
        """See `SupervisorRef.restart_child`."""

    def delete_child(self, id: str) -> None:
        """See `SupervisorRef.delete_child`."""

    def which_children(self) -> list[Child]:
        """See `SupervisorRef.which_children`."""

    def count_children(self) -> Counts:
        """See `SupervisorRef.count_children`."""


class Call(msgspec.Struct, frozen=True):
    """A call in a supervisor's mailbox: run `ask` in its thread and put the result in `reply`."""

    ask: Callable[[Callee], Any]
    reply: Future[Any]


class SupervisorRef:
    """The supervisor at one place of a tree.

    A method waits for the answer. With `block=False` it returns a `concurrent.futures.Future` at
    once instead. Both raise `NoSupervisor` if no supervisor runs at the place.

    An actor may call any supervisor from a message handler, its own supervisor included. Two calls
    would wait for themselves and raise `WouldDeadlock`: a call that terminates the caller, and a
    call to the supervisor that waits for the caller to start. Both work with `block=False`. If the
    caller is an actor and is ordered to stop while it waits, the call raises `CallerStopping`.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def __repr__(self) -> str:
        return f"<SupervisorRef {self.address}>"

    @property
    def address(self) -> str:
        """The address of the supervisor."""
        return self._place.address

    @property
    def parent(self) -> SupervisorRef:
        """The supervisor above this one. Raise `LookupError` at the root."""
        if self._place.parent is None:
            raise LookupError(f"{self.address} is the root")
        return SupervisorRef(self._place.parent)

    @overload
    def start_child(self, spec: Spec, *, block: Literal[True] = True) -> Ref: ...
    @overload
    def start_child(self, spec: Spec, *, block: Literal[False]) -> Future[Ref]: ...
    def start_child(self, spec: Spec, *, block: bool = True) -> Any:
        """Add a child and start it.

        Raise `AlreadyStarted` or `AlreadyPresent` if the supervisor has a child of that id. Raise
        `StartFailed` if the start fails; the supervisor then does not keep the child.
        """
        return self._call(lambda supervisor: supervisor.start_child(spec), block)

    @overload
    def terminate_child(self, id: str, *, block: Literal[True] = True) -> None: ...
    @overload
    def terminate_child(self, id: str, *, block: Literal[False]) -> Future[None]: ...
    def terminate_child(self, id: str, *, block: bool = True) -> Any:
        """Stop a child, or stop trying to restart it. Its spec stays unless it is temporary.

        Raise `NotFound`. Terminating a child that does not run is no error.
        """
        if block:
            self._check_not_self(id)
        return self._call(lambda supervisor: supervisor.terminate_child(id), block)

    def restart_child(self, id: str) -> Ref:
        """Start a stopped child again.

        Raise `NotFound`, `Running` or `Restarting`. Raise `StartFailed` if the start fails; the
        child then stays stopped.
        """
        return self._answer(lambda supervisor: supervisor.restart_child(id))

    def delete_child(self, id: str) -> None:
        """Remove a stopped child and its mail. Raise `NotFound`, `Running` or `Restarting`."""
        self._answer(lambda supervisor: supervisor.delete_child(id))

    def which_children(self) -> list[Child]:
        """Return all children, in start order."""
        return self._answer(lambda supervisor: supervisor.which_children())

    def count_children(self) -> Counts:
        """Return the numbers of children, by state and kind."""
        return self._answer(lambda supervisor: supervisor.count_children())

    def _call(self, ask: Callable[[Callee], T], block: bool) -> Any:
        return self._answer(ask) if block else self._post(ask)

    def _post(self, ask: Callable[[Callee], T]) -> Future[T]:
        life = self._place.life
        if life is None:
            raise NoSupervisor(self.address)
        reply: Future[T] = Future()
        try:
            life.mailbox.put(Call(ask, reply))
        except MailboxClosed:
            raise NoSupervisor(self.address) from None
        return reply

    def _answer(self, ask: Callable[[Callee], T]) -> T:
        caller = current_life()
        if caller is not None and _waits_for_start(self._place.life, caller):
            raise WouldDeadlock(f"{self.address} is waiting for {caller.address} to start")
        reply = self._post(ask)
        if caller is None:
            return reply.result()
        with _interruptible(caller, reply):
            return reply.result()

    def _check_not_self(self, id: str) -> None:
        """Raise `WouldDeadlock` if the caller is the child, or an actor below the child."""
        child = self._place.children.get(id)
        callers = with_ancestors(current_life())
        if child is not None and child.life is not None and child.life in callers:
            raise WouldDeadlock(f"{child.address} cannot wait for its own end")


def refuse_calls(mailbox: Mailbox) -> None:
    """Close a supervisor's mailbox, and answer the waiting calls with `NoSupervisor`."""
    mailbox.close()
    for item in mailbox.drain():
        if isinstance(item, Call):
            with suppress(InvalidStateError):
                item.reply.set_exception(NoSupervisor(mailbox.address))


def with_ancestors(life: Life | None) -> Iterator[Life]:
    """Yield the life, its supervisor's life, and so on up to the life of the root."""
    while life is not None:
        yield life
        life = life.parent


def _waits_for_start(supervisor: Life | None, caller: Life) -> bool:
    """Whether the supervisor waits for a start that includes the start of the caller.

    It does if the caller and all supervisors between the two are still starting.
    """
    for life in with_ancestors(caller):
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
    if caller.stop_ordered:  # the order may have come before the line above
        interrupt()
    try:
        yield
    finally:
        caller.interrupt = None


def ref_of(child: Place) -> Ref:
    """Return Pykka's reference to the running incarnation of a child."""
    assert child.life is not None
    assert child.life.actor is not None
    return child.life.actor.actor_ref
