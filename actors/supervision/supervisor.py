"""The supervisor: starts actors, stops them, and starts them again when they fail.

SUPERVISION PRINCIPLES

A supervisor keeps its children alive. A child is a worker (an `Actor`) or another supervisor, and
is described by a spec (`ChildSpec`, `SupervisorSpec`, `DynamicSpec`). What follows is Erlang/OTP's
`supervisor`, and is checked against what OTP does; the last section says where this one does more.

START. Children are started in the order of the specs, each when the one before has started:
`__init__` and `on_start` have returned. If one cannot start, those started already are stopped in
reverse order and the supervisor's own start has failed. A supervisor that does not start counts for
its parent as any other child that does not start.

STOP. Children are ordered to stop in reverse start order, each after the one before has ended. The
order comes before waiting mail: an actor finishes its current message, runs `on_stop` and ends. A
child may take `shutdown` seconds. Then it is abandoned: it is fenced, so that nothing it still says
or writes counts; its current message becomes a dead letter; it is reported; and its supervisor goes
on. None waits for ever and is what supervisors should have; 0 abandons at once.

END. A child ends `normal` (it stopped itself), `shutdown` (it was ordered to, or is a supervisor
that gave up) or `failed`. Then:

    permanent   is restarted however it ended
    transient   is restarted if it failed; otherwise its spec stays, as `stopped`
    temporary   is never restarted, and is forgotten

RESTART. What else is restarted with it is the strategy's choice:

    one_for_one    nothing
    one_for_all    all children: those that run are stopped in reverse order, then all are started
    rest_for_one   the same, for the children started after it

Children that had stopped or had been terminated are started with the group they are in. Temporary
children of the group are stopped and forgotten. If a start of a restart fails, those started before
it run on, those after it stay stopped, and the supervisor tries again from the child that failed.
Between two tries it answers calls; the child is then `restarting`.

INTENSITY. Each restart counts, and each further try of one that failed. More than `intensity` in
`period` seconds, and the supervisor gives up: it does not start the child, stops all others in
reverse order and ends with reason `shutdown`. So its parent restarts it if it is permanent, and
leaves it if it is transient or temporary. A supervisor that is restarted starts the children of its
spec, and none of those added later. The root's giving up is the end of the tree (`start_tree`).

CALLS (`SupervisorRef`; the errors' `answer` is OTP's word).

    start_child      already_started if it runs, already_present if it is known and does not run;
                     a child whose start fails is not kept
    terminate_child  stops it, or stops trying to restart it; not_found. Forgets a temporary one
    restart_child    starts a stopped one; running, restarting, not_found, or what its start raised
    delete_child     forgets a stopped one; running, restarting, not_found
    which_children, count_children

BEYOND OTP

Mail outlives its reader. A child's mailbox is handed from one incarnation to the next with all that
waits in it; only the item that broke the actor is set aside, as a dead letter that the tree shows.
While a child is between two incarnations its address takes mail. It does not while the child is
stopped: a `deliver` says False, a waiting `ask` gets `ActorDeadError`, other waiting items are kept
for `restart_child`. When the child is forgotten they are reported as dead letters. The children of
a supervisor that is itself restarted keep their mailboxes.

Back-off. A child with a `Backoff` is started again only after a delay that grows while it keeps
failing; a `RestartStore` remembers how it fared when the process is gone. What the strategy stops
with it is stopped at once and started with it. A restart counts when the child has failed, not when
the delay is over.

Nothing is silent. Every start, failure, stop, restart, dead letter, abandonment and giving up is an
`Event`, and so is an actor that is `Stuck` at one message; `Tree.inspect` shows them all as they
are, stuck or not.

A start can be limited (`start_timeout`), and a supervisor that is ordered to stop does not wait for
a start to end.

Each supervisor has a thread of its own, as an OTP supervisor is a process: one that waits for a
slow child keeps none but its own children waiting.
"""

from __future__ import annotations

import time
from concurrent.futures import InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from actors.supervision.actor import Actor, handles
from actors.supervision.alarms import Alarms
from actors.supervision.errors import (
    AlreadyPresent,
    AlreadyStarted,
    MailboxClosed,
    NotFound,
    Restarting,
    Running,
    StartFailed,
    SupervisorError,
)
from actors.supervision.events import GaveUp
from actors.supervision.intensity import Intensity
from actors.supervision.life import End, Life
from actors.supervision.mailbox import Signal
from actors.supervision.record import ChildRecord, State
from actors.supervision.ref import Call, Child, Counts, Ref, ref_of, refuse_calls
from actors.supervision.spec import AnySupervisorSpec, Restart, Strategy, SupervisorSpec
from actors.supervision.starting import start
from actors.supervision.stopping import report_end, stop_together

if TYPE_CHECKING:
    from actors.supervision.context import Context
    from actors.supervision.spec import Spec


@dataclass(frozen=True)
class Ended:
    """A child's thread has nothing more to say."""

    child: ChildRecord
    life: Life


@dataclass(frozen=True)
class TryAgain:
    """The next start of a `restarting` child is due. `at` tells it from an earlier, void one."""

    child: ChildRecord
    at: float
    counted: bool  # the restart this start belongs to has been counted


class Supervisor(Actor):
    """A supervisor of listed children. All methods run in its own thread; see `SupervisorRef`."""

    def __init__(self, record: ChildRecord, context: Context) -> None:
        super().__init__()
        assert isinstance(record.spec, AnySupervisorSpec)
        self.gave_up: str | None = None
        self._record = record
        self._spec = record.spec
        self._context = context
        self._children: dict[str, ChildRecord] = {}  # in start order
        self._intensity = Intensity(self._spec.intensity, self._spec.period)
        self._alarms: Alarms[TryAgain] = Alarms()

    # Its own life

    def on_start(self) -> None:
        specs = self._spec.children if isinstance(self._spec, SupervisorSpec) else ()
        for gone in self._record.adopt(specs):
            self._context.close_for_good(gone)
        self._children = self._record.children
        for child in list(self._children.values()):
            self._start(child)

    def on_stop(self) -> None:
        self._terminate_all()
        refuse_calls(self.life.mailbox)

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.on_stop()

    def handle_messages(self) -> None:
        mailbox = self.life.mailbox
        while (item := mailbox.take(self.life, self._alarms.left())) is not Signal.STOP:
            if item is Signal.NOTHING:
                item = self._alarms.take()
            self._handle_item(self.life, item)

    # What it is asked: `SupervisorRef` has these run here

    @handles(Call)
    def on_call(self, call: Call) -> None:
        with suppress(InvalidStateError):  # nobody waits for the answer any more
            try:
                answer = call.ask(self)
            except SupervisorError as refusal:
                call.reply.set_exception(refusal)
            except BaseException as error:
                call.reply.set_exception(error)
                raise
            else:
                call.reply.set_result(answer)

    def start_child(self, spec: Spec) -> Ref:
        known = self._children.get(spec.id)
        if known is not None and known.life is not None:
            raise AlreadyStarted(known.address, ref_of(known))
        if known is not None:
            raise AlreadyPresent(known.address)
        child = ChildRecord(spec, self._record)
        self._children[spec.id] = child
        try:
            self._start(child)
        except StartFailed:
            self._forget(child)
            raise
        return ref_of(child)

    def terminate_child(self, id: str) -> None:
        child = self._find(id)
        led_a_restart = child.state is State.RESTARTING
        self._terminate(child)
        self._keep_or_forget(child)
        if led_a_restart:
            # The siblings that would have been started with it will not be, either.
            for sibling in self._children.values():
                if sibling.state is State.STOPPED:
                    sibling.leave_directory(self._context.directory)

    def restart_child(self, id: str) -> Ref:
        child = self._find_stopped(id)
        try:
            self._start(child)
        except StartFailed:
            child.leave_directory(self._context.directory)
            raise
        return ref_of(child)

    def delete_child(self, id: str) -> None:
        self._forget(self._find_stopped(id))

    def which_children(self) -> list[Child]:
        return [
            Child(
                child.spec.id,
                "supervisor" if child.is_supervisor else "worker",
                child.address,
                child.state.value,
                ref_of(child) if child.life is not None else None,
            )
            for child in self._children.values()
        ]

    def count_children(self) -> Counts:
        children = self._children.values()
        return Counts(
            specs=len(children),
            active=sum(c.life is not None and not c.life.done.is_set() for c in children),
            supervisors=sum(c.is_supervisor for c in children),
            workers=sum(not c.is_supervisor for c in children),
        )

    # What happens to its children

    @handles(Ended)
    def on_ended(self, message: Ended) -> None:
        child, life = message.child, message.life
        if child.life is not life:
            return  # it was ordered to stop, or abandoned, and that has been dealt with
        child.ended()
        report_end(child, life, self._context)
        if child.spec.restart is Restart.PERMANENT or (
            child.spec.restart is Restart.TRANSIENT and life.end is End.FAILED
        ):
            self._restart(child, time.monotonic() - life.born)
        else:
            self._keep_or_forget(child)

    @handles(TryAgain)
    def on_try_again(self, message: TryAgain) -> None:
        child = message.child
        if child.state is not State.RESTARTING or child.retry_at != message.at:
            return  # it was terminated, or restarted with a sibling
        if message.counted or self._may_restart(child):
            self._start_group(self._halt_group(child))

    def _restart(self, child: ChildRecord, lived: float) -> None:
        if not self._may_restart(child):
            return
        delay = self._delay(child, lived)
        group = self._halt_group(child)
        if delay > 0:
            self._retry(child, delay, counted=True)
        else:
            self._start_group(group)

    def _may_restart(self, child: ChildRecord) -> bool:
        """Count a restart; give up if it is one too many."""
        if self._intensity.add(time.monotonic()):
            return True
        child.ended()
        why = f": {child.last_error}" if child.last_error else ""
        self.gave_up = (
            f"{self.address} gave up: more than {self._spec.intensity} restarts in "
            f"{self._spec.period:g} s, the last one of {child.address}{why}"
        )
        self._record.last_error = self.gave_up
        self._context.emit(
            GaveUp(address=self.address, incarnation=self.incarnation, reason=self.gave_up)
        )
        self.life.end = End.SHUTDOWN
        self.stop()
        return False

    def _affected(self, child: ChildRecord) -> list[ChildRecord]:
        """What is restarted with the child, itself included, in start order."""
        assert isinstance(self._spec, SupervisorSpec)
        children = list(self._children.values())
        match self._spec.strategy:
            case Strategy.ONE_FOR_ONE:
                return [child]
            case Strategy.ONE_FOR_ALL:
                return children
            case Strategy.REST_FOR_ONE:
                return children[children.index(child) :]

    def _halt_group(self, child: ChildRecord) -> list[ChildRecord]:
        """Stop what is to be restarted with the child; the ones to start, in start order."""
        group = self._affected(child)
        for member in reversed(group):
            self._terminate(member)
            if member.spec.restart is Restart.TEMPORARY:
                self._forget(member)
        return [member for member in group if member.spec.restart is not Restart.TEMPORARY]

    def _start_group(self, group: list[ChildRecord]) -> None:
        for child in group:
            try:
                self._start(child, again=True)
            except StartFailed:
                # Not tried again at once but by a message, so that calls, and an order to stop,
                # get their turn in between.
                self._retry(child, self._delay(child, 0.0), counted=False)
                return

    def _retry(self, child: ChildRecord, delay: float, counted: bool) -> None:
        message = TryAgain(child, child.retry(delay), counted)
        if delay > 0:
            self._alarms.set(message.at, message)
        else:
            self.life.mailbox.put(message)

    def _delay(self, child: ChildRecord, lived: float) -> float:
        """Note a failure after a life of so many seconds; the seconds until the next start."""
        backoff = child.spec.backoff or self._spec.children_backoff
        if backoff.initial == 0:
            return 0.0
        now = time.time()
        if child.fared is None:
            child.fared = backoff.recall(self._context.load(child.address), now)
        child.fared = backoff.after_failure(child.fared, now, lived)
        self._context.save(child.address, child.fared)
        return backoff.delay(child.fared, self._context.rng)

    # Starting, stopping, forgetting one child

    def _start(self, child: ChildRecord, *, again: bool = False) -> None:
        """Start the child and wait until it has started. Raises `StartFailed`."""
        self.fence.check()
        start(child, self.life, self._context, self._note_end, again=again)

    def _note_end(self, child: ChildRecord, life: Life) -> None:
        """In the child's thread, as its last act."""
        with suppress(MailboxClosed):
            self.life.mailbox.put(Ended(child, life))

    def _terminate(self, child: ChildRecord) -> None:
        """Order the child to stop and wait until it has, or is abandoned; then it is `stopped`."""
        self.fence.check()
        stop_together([child], self._context)

    def _terminate_all(self) -> None:
        for child in reversed(list(self._children.values())):
            self._terminate(child)

    def _keep_or_forget(self, child: ChildRecord) -> None:
        """The child has ended for good."""
        if child.spec.restart is Restart.TEMPORARY:
            self._forget(child)
        else:
            child.leave_directory(self._context.directory)

    def _forget(self, child: ChildRecord) -> None:
        self.fence.check()
        del self._children[child.spec.id]
        self._context.close_for_good(child)

    def _find(self, id: str) -> ChildRecord:
        child = self._children.get(id)
        if child is None:
            raise NotFound(f"{self.address} has no child {id}")
        return child

    def _find_stopped(self, id: str) -> ChildRecord:
        child = self._find(id)
        if child.state is State.RESTARTING:
            raise Restarting(child.address)
        if child.life is not None:
            raise Running(child.address)
        return child
