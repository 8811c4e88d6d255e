"""`pause --freeze` stops a program with its whole session; `resume` lets it go on."""

import signal

from actors.pty import records
from actors.pty.events import Scope
from actors.terminal.port import Port


class Freeze:
    """The part that obeys a freeze. In the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.forget()

    def forget(self) -> None:
        """Another incarnation begins, or the actor lets go of this one."""
        self._frozen: bool | None = False

    def adopt(self) -> None:
        """See whether the program that was found is stopped: a signal to a session costs its host
        a look at every process there is. Raise `OSError`.
        """
        self._frozen = records.is_stopped(records.read_identity(self._port.directory))

    def obey(self) -> None:
        """Stop the session or let it go on, if the workflow says so and it is not so."""
        port = self._port
        _, frozen = port.stage.reader.pause_of(port.workflow_id)
        if frozen != self._frozen:
            self._frozen = frozen
            signo = signal.SIGSTOP if frozen else signal.SIGCONT
            port.send(lambda link: link.signal(signo, Scope.SESSION))
