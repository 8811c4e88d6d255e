"""The connection of a terminal's actor to the host of its incarnation."""

from collections.abc import Callable

from actors.pty import window
from actors.pty.link import Link
from actors.pty.session import Session
from actors.system.stage import Stage
from actors.terminal.ground import Ground
from bus.messages import Look


class Hosted(Ground):
    """A terminal's actor with at most one host.

    `session` is None until a host was looked for. A session need not be connected.
    """

    def __init__(self, stage: Stage, address: str) -> None:
        super().__init__(stage, address)
        self.session: Session | None = None

    @property
    def connected(self) -> bool:
        """Whether the session is connected to its host."""
        return self.session is not None and self.session.connected

    def look_again(self) -> None:
        """Have this actor read its row and compare it with reality."""
        self.stage.tell(self.address, Look())

    def new_session(self) -> Session:
        """Make the session of the row's incarnation. Its host's events arrive as `HostSaid`."""
        where, row = self.address, self.row
        self.session = Session(
            self.stage.loop,
            lambda said: self.stage.timers.notify(where, said),
            directory=self.directory,
            socket=self.stage.paths.socket(self.at, row.incarnation),
            token=row.token,
            incarnation=row.incarnation,
        )
        return self.session

    def drop_session(self) -> bool:
        """Close the connection; the host lives on. Return whether there was a session."""
        session, self.session = self.session, None
        if session is not None:
            session.close()
        return session is not None

    def end_program(self, grace_ms: int) -> None:
        """Have the host end the program, if it is connected."""
        if self.session is not None:
            self.session.end(grace_ms)

    def send(self, action: Callable[[Link], None]) -> None:
        """Run `action` with the link to the host, in the loop's thread. Drop it without a link.

        Raise `LookupError` if there is no session.
        """
        if self.session is None:
            raise LookupError(f"{self.at} has no session")
        self.session.do(action)

    def note_size(self, rows: int, columns: int) -> None:
        """Record the size of the window."""
        self.size = (rows, columns)
        window.note(self.directory, rows, columns)
