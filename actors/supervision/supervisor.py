"""The supervisor: starts actors, stops them, and restarts them when they fail.

The rules are in `docs/supervision.md`. They are those of Erlang/OTP's `supervisor`, with additions.
"""

from __future__ import annotations

import time
from concurrent.futures import InvalidStateError
from contextlib import suppress

import msgspec

from actors.supervision.actor import Actor, handles
from actors.supervision.alarms import Alarms
from actors.supervision.context import Context
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
from actors.supervision.spec import AnySupervisorSpec, Restart, Spec, Strategy, SupervisorSpec
from actors.supervision.starting import start
from actors.supervision.stopping import report_end, stop_together


class Ended(msgspec.Struct, frozen=True):
    """A child's life has ended. Sent by the child's thread."""

    child: ChildRecord
    life: Life


class TryAgain(msgspec.Struct, frozen=True):
    """The next start of a `restarting` child is due.

    `at` equals the child's `retry_at`, unless a later event made this message void. `counted` says
    whether the restart that this start belongs to has been counted.
    """

    child: ChildRecord
    at: float
    counted: bool


class Supervisor(Actor):
    """A supervisor of the children in its spec. All methods run in its own thread.

    `SupervisorRef` documents the calls.
    """

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

    # ---- its own life ----------------------------------------------------------------------

    def on_start(self) -> None:
        """Start the children of the spec, in order. Raise `StartFailed` at the first failure."""
        specs = self._spec.children if isinstance(self._spec, SupervisorSpec) else ()
        for gone in self._record.adopt(specs):
            self._context.close_deleted(gone)
        self._children = self._record.children
        for child in list(self._children.values()):
            self._start(child)

    def on_stop(self) -> None:
        """Stop the children, and refuse the waiting calls."""
        self._terminate_all()
        refuse_calls(self.life.mailbox)

    def on_failure(self, *_: object) -> None:
        """Stop the children, and refuse the waiting calls."""
        self.on_stop()

    def handle_messages(self) -> None:
        """Handle calls, ends of children and due restarts until it is time to stop."""
        mailbox = self.life.mailbox
        while (item := mailbox.take(self.life, self._alarms.left())) is not Signal.STOP:
            if item is Signal.NOTHING:
                item = self._alarms.take()
            self._handle_item(self.life, item)

    # ---- calls: a `SupervisorRef` has them run in this thread ------------------------------

    @handles(Call)
    def on_call(self, call: Call) -> None:
        """Carry out a call. An unexpected error answers the call and fails the supervisor."""
        with suppress(InvalidStateError):  # the caller was interrupted
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
        """See `SupervisorRef.start_child`."""
        known = self._without_retired(spec.id)
        if known is not None and known.life is not None:
            raise AlreadyStarted(known.address, ref_of(known))
        if known is not None:
            raise AlreadyPresent(known.address)
        child = ChildRecord(spec, self._record)
        self._children[spec.id] = child
        try:
            self._start(child)
        except StartFailed:
            self._delete(child)
            raise
        return ref_of(child)

    def terminate_child(self, id: str) -> None:
        """See `SupervisorRef.terminate_child`."""
        child = self._find(id)
        led_a_restart = child.state is State.RESTARTING
        self._terminate(child)
        self._keep_or_delete(child)
        if led_a_restart:
            # The siblings that waited to be started together with it stay stopped, too.
            for sibling in self._children.values():
                if sibling.state is State.STOPPED:
                    sibling.leave_directory(self._context.directory)

    def restart_child(self, id: str) -> Ref:
        """See `SupervisorRef.restart_child`."""
        child = self._find_stopped(id)
        try:
            self._start(child)
        except StartFailed:
            child.leave_directory(self._context.directory)
            raise
        return ref_of(child)

    def delete_child(self, id: str) -> None:
        """See `SupervisorRef.delete_child`."""
        self._delete(self._find_stopped(id))

    def which_children(self) -> list[Child]:
        """See `SupervisorRef.which_children`."""
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
        """See `SupervisorRef.count_children`."""
        children = self._children.values()
        return Counts(
            specs=len(children),
            active=sum(c.life is not None and not c.life.done.is_set() for c in children),
            supervisors=sum(c.is_supervisor for c in children),
            workers=sum(not c.is_supervisor for c in children),
        )

    # ---- ends and restarts of children -----------------------------------------------------

    @handles(Ended)
    def on_ended(self, message: Ended) -> None:
        """Restart the child whose life has ended, or leave it stopped, as its spec says."""
        child, life = message.child, message.life
        if child.life is not life:
            return  # it was stopped or abandoned by this supervisor, which has handled that
        child.ended()
        report_end(child, life, self._context)
        if child.spec.restart is Restart.PERMANENT or (
            child.spec.restart is Restart.TRANSIENT and life.end is End.FAILED
        ):
            self._restart(child, time.monotonic() - life.began)
        else:
            self._keep_or_delete(child)

    @handles(TryAgain)
    def on_try_again(self, message: TryAgain) -> None:
        """Start the child of a restart that is due, and its group."""
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
        """Count a restart. Give up and return False if it exceeds the restart intensity."""
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
        """Return the group of children to restart when `child` is, in start order."""
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
        """Stop the group of the child. Return the children to start again, in start order."""
        group = self._affected(child)
        for member in reversed(group):
            self._terminate(member)
            if member.spec.restart is Restart.TEMPORARY:
                self._delete(member)
        return [member for member in group if member.spec.restart is not Restart.TEMPORARY]

    def _start_group(self, group: list[ChildRecord]) -> None:
        for child in group:
            try:
                self._start(child, again=True)
            except StartFailed:
                # Try again by a message, so that calls and an order to stop are handled in between.
                self._retry(child, self._delay(child, 0.0), counted=False)
                return

    def _retry(self, child: ChildRecord, delay: float, counted: bool) -> None:
        message = TryAgain(child, child.retry(delay), counted)
        if delay > 0:
            self._alarms.set(message.at, message)
        else:
            self.life.mailbox.put(message)

    def _delay(self, child: ChildRecord, lived: float) -> float:
        """Note a failure after a life of `lived` seconds. Return the delay of the next start."""
        backoff = child.spec.backoff or self._spec.children_backoff
        if backoff.initial == 0:
            return 0.0
        now = time.time()
        if child.restart_state is None:
            child.restart_state = backoff.recall(self._context.load(child.address), now)
        child.restart_state = backoff.after_failure(child.restart_state, now, lived)
        self._context.save(child.address, child.restart_state)
        return backoff.delay(child.restart_state, self._context.rng)

    # ---- one child -------------------------------------------------------------------------

    def _start(self, child: ChildRecord, *, again: bool = False) -> None:
        """Start the child, and wait until it has started. Raise `StartFailed`."""
        self.fence.check()
        start(child, self.life, self._context, self._note_end, again=again)

    def _note_end(self, child: ChildRecord, life: Life) -> None:
        """Tell this supervisor that a child has ended. Runs in the child's thread."""
        with suppress(MailboxClosed):
            self.life.mailbox.put(Ended(child, life))

    def _terminate(self, child: ChildRecord) -> None:
        """Stop the child, or abandon it if it does not stop in time."""
        self.fence.check()
        stop_together([child], self._context)

    def _terminate_all(self) -> None:
        for child in reversed(list(self._children.values())):
            self._terminate(child)

    def _keep_or_delete(self, child: ChildRecord) -> None:
        """Keep the spec of a child that will not be restarted, unless it is temporary."""
        if child.spec.restart is Restart.TEMPORARY:
            self._delete(child)
        else:
            child.leave_directory(self._context.directory)

    def _delete(self, child: ChildRecord) -> None:
        self.fence.check()
        del self._children[child.spec.id]
        self._context.close_deleted(child)

    def _without_retired(self, id: str) -> ChildRecord | None:
        """Return the child, if there is one.

        If it has retired and the message of its end is still to come, handle the end now: whoever
        starts it again must not hear that it runs.
        """
        child = self._children.get(id)
        if child is not None and child.life is not None and child.life.retired:
            self._terminate(child)
            self._keep_or_delete(child)
        return self._children.get(id)

    def _find(self, id: str) -> ChildRecord:
        child = self._without_retired(id)
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
