"""Run a plan or follow a workflow to its end, for the commands `up` and `follow`."""

import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors import VERSION
from actors.command_line.cleaning import free_branches
from actors.command_line.client.daemon import ensure
from actors.command_line.options import own_environment
from actors.command_line.output import streams
from actors.command_line.output.printing import say, say_json
from actors.command_line.output.program import command
from actors.command_line.views import live, tables, watching
from actors.command_line.views.waiting import merge_of_person
from actors.runtime import local
from bus import connection
from bus.client import LOOK_SECONDS, Client, NoAnswer
from bus.connection import NoRuntime
from bus.errors import Refused
from bus.facts import AnyFact, RepairOffered, WorkflowMoved
from bus.reasons import Reason
from bus.requests import (
    EventsReplay,
    PlanSubmit,
    RuntimeInfo,
    WorkflowGet,
    WorkflowPrepare,
    WorkflowStart,
)
from bus.results import Submitted
from bus.rows import Workflow
from bus.subscriber import Subscriber

_OVER = {"completed", "failed", "cancelled"}
_BEFORE_WORK = {"created", "starting", "ready"}
_TOO_LATE = {400, 409}
_STOPPING = 503
_STORED_SECONDS = 5.0
"""How long `follow` waits for a workflow that an `up` beside it may be storing."""
_TRIES = 3
"""How often a plan is submitted that nobody answers."""


def run_plan(home: Path, plan: dict[str, Any], as_json: bool, *, again: bool = False) -> int:
    """Submit, prepare, start and follow a plan to its end.

    With `again`, first remove what its former runs left on its branches. Return the exit code: 0 if
    the workflow landed, 1 if it stopped before. Raise `Refused` if the plan is not valid, before a
    runtime or a home is made for it.
    """
    streams.go_on_without_reader()
    local.check(plan["plan"], plan["base"], again)
    if sys.stdout.isatty() and not connection.is_held(home):
        say(f"starting a runtime for {home}")
    with _client(home, ensure(home)) as client:
        seq = _head(client)
    submitted = submit(lambda: _client(home, ensure(home)), plan, again)
    for warning in submitted.warnings:
        say(f"note: {warning}", err=True)
    return _shown(Follower(home, submitted.id, seq, as_json, drives=True), as_json)


def submit(connect: Callable[[], Client], plan: dict[str, Any], again: bool) -> Submitted:
    """Submit a plan, whose fields are those of the request. Raise `Refused` or `NoAnswer`.

    Without an answer the same request is sent again, by its key without harm. `connect` is called
    for each try, because another runtime may serve then.
    """
    if again:
        checked = local.check(plan["plan"], plan["base"], again)
        with connect() as client:
            for words in free_branches(client, checked):
                say(f"note: {words}", err=True)
    key = secrets.token_hex(16)
    request = PlanSubmit(**plan, again=again, key=key, **own_environment())
    for _ in range(_TRIES - 1):
        try:
            with connect() as client:
                return client.ask(request)
        except NoAnswer as error:
            say(f"note: {error}; asking again", err=True)
    try:
        with connect() as client:
            return client.ask(request)
    except NoAnswer as error:
        said = f"{error}; the plan may have been stored all the same: {command('ps')}"
        raise NoAnswer(said) from error


def follow_workflow(home: Path, name: str) -> int:
    """Follow a workflow to its end, in the view of `up`.

    Return the exit code: 0 if the workflow landed, 1 if it stopped before. A workflow that is not
    stored yet is waited for some seconds, for an `up` beside this that has just begun.
    """
    streams.go_on_without_reader()
    seq, row = _begun(home, name)
    if row.status in _OVER:
        say(tables.outcome(row))
        return 0 if row.status == "completed" else 1
    return _shown(Follower(home, row.id, seq, as_json=False, drives=False), as_json=False)


def _begun(home: Path, name: str) -> tuple[int, Workflow]:
    """Return the newest seq and a row. Raise `Refused` or `NoRuntime` in the end."""
    deadline = time.monotonic() + _STORED_SECONDS
    said = False
    while True:
        try:
            with _client(home, connection.read(home)) as client:
                seq = _head(client)
                return seq, client.ask(WorkflowGet(workflow=name))
        except (Refused, NoRuntime) as error:
            may_come = not isinstance(error, Refused) or error.body.reason == Reason.UNKNOWN
            if not may_come or time.monotonic() > deadline:
                raise
            if not said:
                said = True
                say(f"note: {error}; it is waited for, {_STORED_SECONDS:.0f} s at most", err=True)
        time.sleep(LOOK_SECONDS / 5)  # the start of another process gives no event to wait for


def _shown(follower: "Follower", as_json: bool) -> int:
    """Follow the workflow to its end and print the outcome; return the exit code."""
    row = follower.follow()
    if row is None:
        again = command("follow", follower.name)
        say(f"\n{follower.name}/ goes on; follow it: {again}", err=True)
        return 1
    if as_json:
        say_json(row)
    else:
        say(tables.outcome(row))
    return 0 if row.status == "completed" else 1


def _head(client: Client) -> int:
    """Return the seq of the newest fact. Print if the runtime is of another version."""
    served = client.ask(RuntimeInfo())
    if served.version != VERSION:
        end = command("down")
        say(f"note: Callboard {served.version} serves, and this is {VERSION}: {end}", err=True)
    return served.head


def _client(home: Path, served: connection.Connection) -> Client:
    return Client(served.requests, timeout=120, serves=lambda: connection.is_held(home))


class Follower:
    """Follows a workflow to its end, even if the runtime ends and another one starts.

    `drives` says that it also prepares and starts the workflow.
    """

    def __init__(self, home: Path, name: str, seq: int, as_json: bool, *, drives: bool) -> None:
        self.name = name
        self._home = home
        self._seq = seq
        self._as_json = as_json
        self._drives = drives
        self._started = False
        self._leaves = False  # the person has left, and it is to be started before this ends

    def follow(self) -> Workflow | None:
        """Follow to the end, or until the merge waits for a person.

        Return the row, or None if the person leaves.
        """
        try:
            while True:
                try:
                    row = self._with(connection.read(self._home))
                    return None if self._leaves and row.status not in _OVER else row
                except live.Left:
                    if not self._drives or self._started:
                        return None
                    self._leaves = True
                    say(f"{self.name}/ is being prepared; this ends when it works", err=True)
                except (NoRuntime, NoAnswer):
                    self._await_runtime()
                except Refused as refused:
                    if refused.body.code != _STOPPING:
                        raise
                    time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            return None

    def _await_runtime(self) -> None:
        """Wait until a runtime serves. Print that none does."""
        said = False
        while True:
            try:
                connection.read(self._home)
            except NoRuntime:
                if not said:
                    said = True
                    say(
                        f"no runtime serves {self._home} any more; the terminals go on, and so "
                        f"does this when one serves: {command('serve')}",
                        err=True,
                    )
                time.sleep(LOOK_SECONDS)  # the start of another process gives no event to wait for
            else:
                if said:
                    say("a runtime serves again", err=True)
                return

    def _with(self, served: connection.Connection) -> Workflow:
        """Follow with one runtime; return the row. Raise `NoAnswer` or `NoRuntime` if it ends."""
        with _client(self._home, served) as client:
            subscriber = Subscriber(served.feed, served.requests, self._seq, self.name)
            view = self._view(client)
            try:
                self._go_on(client, client.ask(WorkflowGet(workflow=self.name)))
                with view:
                    while not self._is_over(client, subscriber, view):
                        pass
                    self._show_rest(client, view)
            finally:
                subscriber.close()
            return client.ask(WorkflowGet(workflow=self.name))

    def _view(self, client: Client) -> live.View:
        if self._as_json or self._leaves:
            return live.Quiet()
        return watching.follow_view(client, self._home, self.name, self._seq, self._drives)

    def _is_over(self, client: Client, subscriber: Subscriber, view: live.View) -> bool:
        """Show the next fact.

        Return whether the workflow is over or its merge waits for a person.
        """
        fact = subscriber.next(LOOK_SECONDS, view.keys)
        if fact is None:
            view.catch_up()
            if not connection.is_held(self._home):
                raise NoRuntime(self._home)
            return self._ends(client.ask(WorkflowGet(workflow=self.name)))
        self._show(fact, view)
        if isinstance(fact, WorkflowMoved | RepairOffered):
            row = client.ask(WorkflowGet(workflow=self.name))
            self._go_on(client, row)
            return self._ends(row)
        return False

    def _show(self, fact: AnyFact, view: live.View) -> None:
        view.show(fact)
        self._seq = fact.seq

    def _show_rest(self, client: Client, view: live.View) -> None:
        """Show the facts up to the end, which the row tells before they come."""
        for fact in client.ask(EventsReplay(after=self._seq, address=self.name)).facts:
            self._show(fact, view)

    def _ends(self, row: Workflow) -> bool:
        leaves = self._leaves and row.status not in _BEFORE_WORK
        return leaves or row.status in _OVER or merge_of_person(row)

    def _go_on(self, client: Client, row: Workflow) -> None:
        """Send the next command, if this process drives the workflow.

        A refusal is ignored if another client was faster.
        """
        if not self._drives:
            return
        try:
            if row.status == "created":
                client.ask(WorkflowPrepare(workflow=self.name))
            elif row.status == "ready" and not self._started:
                self._started = True
                client.ask(WorkflowStart(workflow=self.name))
        except Refused as refused:
            if refused.body.code not in _TOO_LATE:
                raise
