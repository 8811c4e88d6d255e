"""Terminals one can enter: output by offset, input, and the window's size.

Each terminal that somebody looks into has a link of its own to its host, beside that of the
terminal's actor. Output is read from disk. A reader that has all of it waits: then the host is
asked to push, until it has something. So nobody's output is queued here, and a reader that is slow
costs nothing but its own delay.
"""

import itertools
import logging
import time
from typing import Any

from actors.gateway.console import Again, Console, Over, Reader, Rest, Said
from actors.pty import output
from actors.pty.entry import host_key
from actors.pty.events import Acknowledged, Closed, Ended, Event, Output, Resized, Result, Welcome
from actors.pty.session import Broke, Found, Session
from actors.pty.window import COLUMNS, ROWS
from actors.supervision.actor import handles
from actors.system.replies import refusal
from actors.system.stage import CompanyActor, Stage
from bus.errors import Refused, illegal, unknown
from bus.facts import TerminalGiven, TerminalTaken
from bus.messages import ConsoleAsk
from bus.reasons import Reason
from bus.requests import TerminalInput, TerminalOutput, TerminalResize
from bus.results import Resized as WindowSet
from bus.results import TerminalBytes, Typed
from bus.rows import Terminal
from bus.terminal_requests import (
    Entrance,
    Given,
    Held,
    TerminalEnter,
    TerminalGive,
    TerminalTake,
)
from store.errors import StoreError

log = logging.getLogger("callboard.consoles")

HOLD_SECONDS = 10.0
"""A session holds the keyboard for so long after its last input."""
LEND_SECONDS = HOLD_SECONDS / 2
"""A session that has taken the keyboard may type at the host for so long before it asks again."""
ENDING_SECONDS = 0.1
"""After so long it is looked again whether the row of a program that has ended says so."""
REST_SECONDS = 30.0
"""A link that nobody has used for so long is closed."""


class Consoles(CompanyActor):
    """Answers `terminal.output`, `terminal.input` and `terminal.resize`.

    Handlers run in the actor's thread and wait for nobody.
    """

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._open: dict[str, Console] = {}
        self._numbers = itertools.count(1)

    def on_stop(self) -> None:
        """Close the links to all terminals."""
        for terminal in list(self._open):
            self._close(terminal)

    def on_failure(self, *_: object) -> None:
        """Close the links to all terminals."""
        self.on_stop()

    @handles(ConsoleAsk)
    def ask(self, message: ConsoleAsk) -> None:
        """Answer a request, now or when its host has answered."""
        try:
            self._answer(message)
        except Refused as error:
            self._refuse(message, error)
        except (OSError, StoreError) as error:
            self._refuse(
                message, Refused(503, Reason.NO_HOST, f"{message.request.terminal}: {error}")
            )

    def _answer(self, message: ConsoleAsk) -> None:
        request = message.request
        row = self.stage.reader.terminal(request.terminal)
        if row is None:
            raise unknown("terminal", request.terminal)
        match request:
            case TerminalOutput():
                self._read(message, request, row)
            case TerminalInput():
                self._type(message, request, row)
            case TerminalResize():
                self._resize(message, request, row)
            case TerminalTake():
                self._take(message, request, row)
            case TerminalEnter():
                self._enter(message, row)
            case TerminalGive():
                console = self._open.get(row.address)
                had = console is not None and console.holder == request.session
                if console is not None and had:
                    self._give(row.address, console)
                self._reply(message, Given(had))

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """A request that broke this actor is answered all the same."""
        message = self.decode(item)
        if isinstance(message, ConsoleAsk):
            self._refuse(message, refusal(f"the request on {message.request.terminal}", error))

    def _refuse(self, message: ConsoleAsk, error: Refused) -> None:
        self.stage.replies.refuse(message.client, message.request.id, error)

    def _reply(self, message: ConsoleAsk, result: Any) -> None:
        self.stage.replies.reply(message.client, message.request.id, result)

    # ---- output --------------------------------------------------------------------------

    def _read(self, message: ConsoleAsk, request: TerminalOutput, row: Terminal) -> None:
        """Reply with what lies on disk; where there is nothing yet, wait for it."""
        if request.incarnation > row.incarnation:
            raise illegal(
                Reason.NO_INCARNATION, f"{row.address} has had {row.incarnation} programs"
            )
        found = self._bytes(request, row)
        if found.data or found.ended or not request.wait or not self._runs(row):
            self._reply(message, found)
            return
        try:
            console = self._console(row)
        except Refused:  # its program has just ended, and its actor is about to say so
            self.stage.timers.after(ENDING_SECONDS, self.address, Again(message))
            return
        number = next(self._numbers)
        over = Over(row.address, number)
        timer = self.stage.timers.after(request.wait, self.address, over)
        first = not console.pushes
        console.readers[number] = Reader(message, timer)
        if first:
            console.session.do(lambda link: link.follow(found.end))

    def _bytes(self, request: TerminalOutput, row: Terminal) -> TerminalBytes:
        number = request.incarnation or row.incarnation
        directory = self.stage.paths.terminal_dir(row.address, number)
        ended = number < row.incarnation or row.gone
        offset, data = output.read(directory, request.offset, request.limit)
        return TerminalBytes(
            incarnation=number,
            offset=offset,
            data=data,
            start=output.start(directory),
            end=output.size(directory),
            ended=ended and not data,
        )

    @handles(Again)
    def again(self, message: Again) -> None:
        """Answer a reader whose terminal had just ended."""
        request = message.ask.request
        assert isinstance(request, TerminalOutput)
        request.wait = max(0.0, request.wait - ENDING_SECONDS)
        self.ask(message.ask)

    @handles(Over)
    def over(self, message: Over) -> None:
        """A reader's time is over: it gets what there is, which may be nothing."""
        console = self._open.get(message.terminal)
        if console is not None and message.number in console.readers:
            self._serve(console, console.readers.pop(message.number))
            self._stop_pushing(console)

    def _serve_all(self, console: Console) -> None:
        readers, console.readers = console.readers, {}
        for reader in readers.values():
            self._serve(console, reader)
        self._stop_pushing(console)

    def _serve(self, console: Console, reader: Reader) -> None:
        reader.timer.cancel()
        request = reader.ask.request
        assert isinstance(request, TerminalOutput)
        console.used = time.monotonic()
        try:
            row = self.stage.reader.terminal(request.terminal)
            if row is None:
                raise unknown("terminal", request.terminal)
            self._reply(reader.ask, self._bytes(request, row))
        except Refused as error:
            self._refuse(reader.ask, error)
        except (OSError, StoreError) as error:
            self._refuse(reader.ask, Refused(503, Reason.NO_OUTPUT, f"{request.terminal}: {error}"))

    def _stop_pushing(self, console: Console) -> None:
        if not console.pushes:
            console.session.do(lambda link: link.follow(None))

    # ---- input ---------------------------------------------------------------------------

    def _type(self, message: ConsoleAsk, request: TerminalInput, row: Terminal) -> None:
        """Hand the bytes to the host, which types them once for their key."""
        data = request.data + request.text.encode()
        if not data:
            raise Refused(422, Reason.MALFORMED, "there is nothing to type", path="data")
        self._require_running(row, request.incarnation)
        console = self._console(row)
        if console.holds(request.session):
            raise Refused(409, Reason.KEYBOARD_TAKEN, f"somebody else types into {row.address} now")
        if request.session:
            self._hold(console, request.session, message, row)
        own = f"{next(self._numbers)}:{self.incarnation}"
        key = host_key(request.key or own)
        console.inputs[key] = message
        console.used = time.monotonic()
        console.session.do(lambda link: link.type(key, [(data, 0)]))

    def _take(self, message: ConsoleAsk, request: TerminalTake, row: Terminal) -> None:
        """Give the keyboard to a session that types at the host itself."""
        self._require_running(row, request.incarnation)
        console = self._console(row)
        if console.holds(request.session):
            raise Refused(409, Reason.KEYBOARD_TAKEN, f"somebody else types into {row.address} now")
        self._hold(console, request.session, message, row)
        console.used = time.monotonic()
        self._reply(message, Held(row.incarnation, LEND_SECONDS))

    def _enter(self, message: ConsoleAsk, row: Terminal) -> None:
        """Name the host's socket, which a look at it has made sure of."""
        self._require_running(row, 0)
        where = self._console(row).session.where
        self._reply(message, Entrance(row.incarnation, where, row.token))

    def _hold(self, console: Console, session: str, message: ConsoleAsk, row: Terminal) -> None:
        """Give the keyboard to a session, and tell so once."""
        taken = console.holder != session
        console.holder = session
        console.held_until = time.monotonic() + HOLD_SECONDS
        if taken:
            caller = message.caller
            fact = TerminalTaken(
                address=row.address,
                incarnation=row.incarnation,
                by=caller.by,
                peer=caller.peer,
            )
            self.stage.commit(self, [fact])

    def _acknowledged(self, console: Console, event: Acknowledged) -> None:
        message = console.inputs.pop(event.key, None)
        if message is None:
            return
        if event.result == Result.REFUSED:
            self._refuse(
                message, Refused(409, Reason.NOT_TYPED, "the program has ended, or reads nothing")
            )
            return
        already = event.result == Result.ALREADY
        self._reply(message, Typed(console.session.incarnation, event.offset, already))

    # ---- the window ----------------------------------------------------------------------

    def _resize(self, message: ConsoleAsk, request: TerminalResize, row: Terminal) -> None:
        self._require_running(row, 0)
        console = self._console(row)
        if console.holds(request.session):
            raise Refused(409, Reason.KEYBOARD_TAKEN, f"somebody else types into {row.address} now")
        if request.session:
            self._hold(console, request.session, message, row)
        console.used = time.monotonic()
        console.resizes.append(message)
        rows, columns = request.rows, request.columns
        console.session.do(lambda link: link.resize(rows, columns))

    def _resized(self, console: Console, event: Resized) -> None:
        console.size = (event.rows, event.columns)
        waiting, console.resizes = console.resizes, []
        for message in waiting:
            window = WindowSet(console.session.incarnation, event.rows, event.columns)
            self._reply(message, window)

    # ---- links ---------------------------------------------------------------------------

    def _runs(self, row: Terminal) -> bool:
        return row.incarnation > 0 and not row.gone

    def _require_running(self, row: Terminal, incarnation: int) -> None:
        if incarnation and incarnation != row.incarnation:
            raise Refused(
                409,
                Reason.OTHER_INCARNATION,
                f"{row.address} runs its program {row.incarnation} now",
            )
        if not self._runs(row):
            raise illegal(Reason.NOT_RUNNING, f"{row.address} runs no program now")

    def _console(self, row: Terminal) -> Console:
        """Return the console of a running program; open it where there is none.

        Raises `OSError` or `Refused` where its host does not answer.
        """
        console = self._open.get(row.address)
        if console is not None:
            if console.session.incarnation == row.incarnation and console.session.connected:
                return console
            self._close(row.address)
        where, terminal = self.address, row.address
        session = Session(
            self.stage.loop,
            lambda said: self.stage.timers.notify(where, Said(terminal, said)),
            directory=self.stage.paths.terminal_dir(row.address, row.incarnation),
            socket=self.stage.paths.socket(row.address, row.incarnation),
            token=row.token,
            incarnation=row.incarnation,
        )
        if session.look() is not Found.ALIVE:
            raise illegal(Reason.NOT_RUNNING, f"{row.address} runs no program now")
        session.connect()
        console = self._open[row.address] = Console(session, (ROWS, COLUMNS))
        self.stage.timers.after(REST_SECONDS, self.address, Rest(row.address))
        return console

    @handles(Said)
    def heard(self, message: Said) -> None:
        """Act on an event of a host."""
        console = self._open.get(message.terminal)
        if console is not None and message.said.incarnation == console.session.incarnation:
            self._on_event(message.terminal, console, message.said.event)

    def _on_event(self, terminal: str, console: Console, event: Event | Broke) -> None:
        match event:
            case Output() if console.readers:
                self._serve_all(console)
            case Acknowledged():
                self._acknowledged(console, event)
            case Welcome(rows=rows, columns=columns):
                console.size = (rows, columns)
            case Resized():
                self._resized(console, event)
            case Ended() | Closed() | Broke():
                self._close(terminal)
            case _:
                log.debug("%s: %r", terminal, event)

    @handles(Rest)
    def rest(self, message: Rest) -> None:
        """Take the keyboard back from a session that has left, and close a link not in use."""
        console = self._open.get(message.terminal)
        if console is None:
            return
        now = time.monotonic()
        if now - console.used < REST_SECONDS or console.readers:
            self.stage.timers.after(REST_SECONDS, self.address, message)
        if console.holder and now > console.held_until + REST_SECONDS:
            self._give(message.terminal, console)
        if now - console.used >= REST_SECONDS and not console.readers:
            self._close(message.terminal)

    def _give(self, terminal: str, console: Console) -> None:
        console.holder = ""
        if console.size != (ROWS, COLUMNS):
            console.session.do(lambda link: link.resize(ROWS, COLUMNS))
        fact = TerminalGiven(address=terminal, incarnation=console.session.incarnation)
        self.stage.commit(self, [fact])

    def _close(self, terminal: str) -> None:
        """Close a link; whoever waits for it gets an answer."""
        console = self._open.pop(terminal, None)
        if console is None:
            return
        if console.holder:
            self._give(terminal, console)
        console.session.close()
        readers, console.readers = console.readers, {}
        for reader in readers.values():
            self._serve(console, reader)
        gone = illegal(
            Reason.NOT_RUNNING, f"the program of {terminal} has ended, or is being ended"
        )
        for message in [*console.inputs.values(), *console.resizes]:
            self._refuse(message, gone)
