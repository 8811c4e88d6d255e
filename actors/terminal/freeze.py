"""`pause --freeze` stops a program with its whole session; `resume` continues it."""

import signal

from actors.pty import records
from actors.pty.events import Scope
from actors.terminal.port import Port


class Freeze:
    """The part that freezes and continues the program. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.forget()

    def forget(self) -> None:
        """Reset: another incarnation begins, or the actor lets go of this one."""
        self._frozen: bool | None = False

    def adopt(self) -> None:
        """Note whether the program of an adopted host is stopped. Raise `OSError`.

        This saves needless signals: for each signal to a session the host examines every process.
        """
        self._frozen = records.is_stopped(records.read_identity(self._port.directory))

    def obey(self) -> None:
        """Stop or continue the session if the workflow says so and its state differs."""
        port = self._port
        _, frozen = port.stage.reader.pause_of(port.workflow_id)
        if frozen != self._frozen:
            self._frozen = frozen
            signo = signal.SIGSTOP if frozen else signal.SIGCONT
            port.send(lambda link: link.signal(signo, Scope.SESSION))
