"""The actor that starts the model gateway's process, and says what tokens are good for.

The process is started when the first program is launched that needs it, and outlives the runtime,
so that no answer of a model is cut when that is killed. If it ends while programs need it, it is
started again on the same port.
"""

import logging
import socket
import subprocess
from collections.abc import Iterator
from datetime import datetime

import msgspec

from actors.clis import lookup
from actors.clis.limits import estimate
from actors.clis.providers import ProviderError
from actors.models import said, starting
from actors.models.budget import left_of
from actors.models.said import Asked, Grant, Granted, Happened, Place, Refused, Served, Taken
from actors.supervision.actor import handles
from actors.system.stage import CompanyActor, Stage
from bus import clock
from bus.facts import TerminalCutOff
from bus.rows import Terminal
from store import accounts
from store.change import AccountNews

log = logging.getLogger("callboard.models")

_PIECE = 1 << 16


class Wanted(msgspec.Struct, frozen=True):
    """A program is to be started that needs the gateway. Sent within the process."""


class Heard(msgspec.Struct, frozen=True):
    """The process said this, on the connection of this number."""

    connection: int
    line: bytes


class Closed(msgspec.Struct, frozen=True):
    """The process has closed the connection of this number."""

    connection: int


class ModelKeeper(CompanyActor):
    """Keeps the process. Handlers run in the actor's thread; one waits while the process starts."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._secret = stage.reader.proof("models")
        self._connection: socket.socket | None = None
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None

    def on_start(self) -> None:
        """Find the process that a former runtime has left, or start one if programs need it."""
        home = self.stage.paths.home
        place = said.read_place(home)
        if place is None:
            return
        if said.lives(home):
            try:
                self._listen_to(place)
                return
            except OSError as error:
                log.warning("the model gateway does not answer, and is started again: %s", error)
                starting.end(home)
        if any(self._programs()):
            self._start()

    def on_stop(self) -> None:
        """Leave the process to the programs that go on, and to the next runtime."""
        self._hang_up()

    def on_failure(self, *_: object) -> None:
        """Leave the process to the next incarnation."""
        self._hang_up()

    # ---- the process ----------------------------------------------------------------------

    @handles(Wanted)
    def wanted(self, _message: Wanted) -> None:
        """Start the process, unless it runs."""
        if self._connection is None:
            self._start()

    @handles(Closed)
    def closed(self, message: Closed) -> None:
        """Start the process again if programs need it."""
        if message.connection != self._number or self._connection is None:
            return
        self._hang_up()
        if any(self._programs()):
            log.warning("the model gateway ended, and is started again")
            self._start()

    def _start(self) -> None:
        """Start the process on the port it had, and tell the programs that no longer reach it."""
        paths, places = self.stage.paths, self.stage.models
        before = said.read_place(paths.home)
        starting.end(paths.home)  # one that does not listen any more
        try:
            self._process, place = starting.start(
                paths.home, paths.sockets, self._secret, before.port if before else 0
            )
            self._listen_to(place)
        except (OSError, starting.NotStarted) as error:
            log.error("%s", error)
            places.tell(0, str(error))
            return
        if before is not None and before.port != place.port:
            for row in self._programs():
                fact = TerminalCutOff(address=row.address, incarnation=row.incarnation)
                self.stage.commit(self, [fact])

    def _programs(self) -> Iterator[Terminal]:
        """Yield the terminals whose programs reach their models through the gateway."""
        for id in self.stage.reader.unfinished_ids():
            workflow = self.stage.reader.workflow(id)
            for row in workflow.terminals() if workflow is not None else ():
                place = self.stage.paths.terminal_dir(row.address, row.incarnation)
                if not row.gone and said.read_used(place) is not None:
                    yield row

    def _listen_to(self, place: Place) -> None:
        self._connection = connection = starting.connect(place, self._secret)
        self._number += 1
        where, number = self.address, self._number
        loop, timers = self.stage.loop, self.stage.timers
        rest = bytearray()
        connection.setblocking(False)

        def readable() -> None:
            try:
                data = connection.recv(_PIECE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            rest.extend(data)
            while b"\n" in rest:
                line, _, after = bytes(rest).partition(b"\n")
                rest[:] = after
                timers.notify(where, Heard(number, line))
            if not data:
                loop.unwatch(connection.fileno())
                timers.notify(where, Closed(number))

        loop.post(lambda: loop.watch(connection, readable, None))
        self.stage.models.tell(place.port)

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        self.stage.models.tell(0)
        if connection is not None:
            loop = self.stage.loop

            def close() -> None:
                if connection.fileno() >= 0:
                    loop.unwatch(connection.fileno())
                    connection.close()

            loop.post(close)
        if self._process is not None:
            self._process.poll()

    # ---- what it says ---------------------------------------------------------------------

    @handles(Heard)
    def heard(self, message: Heard) -> None:
        """Answer a question about a token, or store what a provider did."""
        if message.connection != self._number:
            return
        match said.decode_from_process(message.line):
            case Asked(token=token):
                self._say(self._answer(token))
            case Refused() | Served() as happened:
                self.stage.commit(self, [self._news(happened)])
                self._say(Taken(happened.number))

    def _say(self, what: Granted | Taken) -> None:
        if self._connection is None:
            return
        try:
            self._connection.sendall(said.line(what))
        except OSError as error:  # its end is noticed by the loop
            log.info("the model gateway does not hear: %s", error)

    def _answer(self, token: str) -> Granted:
        found = {said.token_of(t): at for t, at in self.stage.reader.tokens().items()}
        row = self.stage.reader.terminal(found[token]) if token in found else None
        if row is None or row.gone or not row.shall_run:
            return Granted(token, why="this token is of no program that runs")
        try:
            return Granted(token, self._grant(row))
        except ProviderError as error:
            return Granted(token, why=str(error))

    def _grant(self, row: Terminal) -> Grant:
        """Return what a terminal's program may ask. Raise `ProviderError`."""
        reader = self.stage.reader
        id = row.address.partition("/")[0]
        plan, asked = reader.plan(id), reader.terminal_plan(row.address)
        found = lookup.asked_for(plan, asked, "provider")
        if found is None or not found.behind_gateway:
            raise ProviderError("provider", "does not go through the gateway any more")
        account = lookup.account_of(plan, asked)
        key = lookup.key(found)
        assert key is not None
        return Grant(
            terminal=row.address,
            directory=str(self.stage.paths.terminal_dir(row.address, row.incarnation)),
            account=account,
            base_url=found.base_url,
            key=key,
            models=found.all_models,
            left=left_of(self.stage, plan, asked, row),
            limited=bool(reader.account(account).by),
        )

    def _news(self, happened: Happened) -> AccountNews:
        account, terminal = happened.account, happened.terminal
        if isinstance(happened, Served):
            return accounts.serves_again(account, terminal)
        now = clock.wall().astimezone()
        exact = happened.until > now.timestamp()
        until = (
            datetime.fromtimestamp(happened.until, now.tzinfo)
            if exact
            else estimate(happened.by, 0, now)
        )
        stamp = clock.text(until) if until is not None else ""
        return accounts.refused(
            account, happened.by, stamp, exact=exact, terminal=terminal, text=happened.text
        )
