"""Live output on the feed, for whoever subscribes to `output/…`, and for nobody else.

Output is a picture of now, not a record: what a subscriber misses it reads by its offset
(`terminal.output`). So a terminal that writes faster than it may be shown is shown with gaps, and
twenty of them at full speed are no load on the runtime.
"""

import logging

import msgspec

from actors.pty import output
from actors.pty.events import Closed, Ended, Output, Welcome
from actors.pty.session import Broke, Found, HostSaid, Session
from actors.supervision.actor import handles
from actors.system.stage import CompanyActor, Stage
from bus import address as addresses

log = logging.getLogger("callboard.outputs")

PAUSE_SECONDS = 0.1
"""Between two pieces of one terminal's output. A piece holds 64 KiB at most."""
FAR = 256 * 1024
"""A terminal that has written more than this meanwhile is shown from its newest output on."""
NEAR = 32 * 1024
LOOK_SECONDS = 1.0
"""How often terminals that begin meanwhile are looked for, while somebody subscribes."""


class Wanted(msgspec.Struct, frozen=True):
    """The addresses below which somebody wants output; from the publisher."""

    prefixes: frozenset[str]


class Piece(msgspec.Struct, frozen=True):
    """Output of a terminal at its offset; for the publisher."""

    terminal: str
    offset: int
    data: bytes


class Said(msgspec.Struct, frozen=True):
    """An event of a terminal's host. Put into the mailbox by the event loop."""

    terminal: str
    said: HostSaid


class GoOn(msgspec.Struct, frozen=True):
    """The pause of a terminal is over; it was shown up to `offset`."""

    terminal: str
    offset: int


class LookAgain(msgspec.Struct, frozen=True):
    """Look which terminals run."""


class Shown:
    """One terminal whose output is shown: the link to its host, and how far it was shown."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.offset = -1


class Outputs(CompanyActor):
    """Follows the terminals that are wanted. Handlers run in the actor's thread."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._prefixes: frozenset[str] = frozenset()
        self._shown: dict[str, Shown] = {}
        self._looks = False

    def on_stop(self) -> None:
        """Close the links to all terminals."""
        for terminal in list(self._shown):
            self._leave(terminal)

    def on_failure(self, *_: object) -> None:
        """Close the links to all terminals."""
        self.on_stop()

    @handles(Wanted)
    def wanted(self, message: Wanted) -> None:
        """Somebody has subscribed, or the last subscriber of an address has left."""
        self._prefixes = message.prefixes
        self._compare()

    @handles(LookAgain)
    def look_again(self, _message: LookAgain) -> None:
        """Compare what is followed with the terminals that run now."""
        self._looks = False
        self._compare()

    def _compare(self) -> None:
        """Follow those that run and are wanted, and no others."""
        running = self._running() if self._prefixes else {}
        for terminal, shown in list(self._shown.items()):
            if running.get(terminal) != shown.session.incarnation:
                self._leave(terminal)
        for terminal in running.keys() - self._shown.keys():
            self._follow(terminal)
        if self._prefixes and not self._looks:
            self._looks = True
            self.stage.timers.after(LOOK_SECONDS, self.address, LookAgain())

    def _running(self) -> dict[str, int]:
        """The terminals that are wanted and run a program, with their incarnations."""
        reader = self.stage.reader
        found = (reader.workflow(id) for id in reader.unfinished_ids())
        return {
            terminal.address: terminal.incarnation
            for workflow in found
            if workflow is not None
            for terminal in workflow.terminals()
            if not terminal.gone and terminal.incarnation and self._is_wanted(terminal.address)
        }

    def _is_wanted(self, terminal: str) -> bool:
        return any(terminal.startswith(prefix) for prefix in self._prefixes)

    def _follow(self, terminal: str) -> None:
        row = self.stage.reader.terminal(terminal)
        if row is None:
            return
        where = self.address
        session = Session(
            self.stage.loop,
            lambda said: self.stage.timers.notify(where, Said(terminal, said)),
            directory=self.stage.paths.terminal_dir(terminal, row.incarnation),
            socket=self.stage.paths.socket(terminal, row.incarnation),
            token=row.token,
            incarnation=row.incarnation,
        )
        if session.look() is not Found.ALIVE:
            return
        try:
            session.connect()
        except OSError as error:
            log.info("%s: %s", terminal, error)
            return
        self._shown[terminal] = Shown(session)

    def _leave(self, terminal: str) -> None:
        self._shown.pop(terminal).session.close()

    @handles(Said)
    def heard(self, message: Said) -> None:
        """Act on an event of a host."""
        shown = self._shown.get(message.terminal)
        if shown is None or message.said.incarnation != shown.session.incarnation:
            return
        match message.said.event:
            case Welcome(end=end):
                self._push_from(shown, end)
            case Output(offset=offset, data=data):
                self._show(message.terminal, shown, offset, data)
            case Ended() | Closed() | Broke():
                self._leave(message.terminal)

    def _push_from(self, shown: Shown, offset: int) -> None:
        shown.offset = offset
        shown.session.do(lambda link: link.follow(offset))

    def _show(self, terminal: str, shown: Shown, offset: int, data: bytes) -> None:
        """Hand a piece to the publisher, and pause.

        What came in the same burst is asked for again after the pause, or left out.
        """
        if shown.offset < 0 or not data:
            return
        piece = Piece(terminal, offset, data)
        self.stage.timers.notify(addresses.PUBLISHER, piece)
        shown.offset = -1
        shown.session.do(lambda link: link.follow(None))
        go_on = GoOn(terminal, offset + len(data))
        self.stage.timers.after(PAUSE_SECONDS, self.address, go_on)

    @handles(GoOn)
    def go_on(self, message: GoOn) -> None:
        """Go on with the output after what was shown, or near the end if that is far away."""
        shown = self._shown.get(message.terminal)
        if shown is None:
            return
        directory = shown.session.directory
        end = output.size(directory)
        offset = message.offset if end - message.offset <= FAR else end - NEAR
        self._push_from(shown, offset)
