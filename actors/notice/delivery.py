"""One try to tell a person: a program under a host, so that it survives the runtime.

The host's record says whether the program was begun and how it ended. So a runtime that comes after
one that was killed begins no notice a second time.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.platform.loop import Timer
from actors.pty import output, records
from actors.pty.events import Closed, Ended
from actors.pty.records import Exit
from actors.pty.session import Broke, Found, HostSaid, Session
from actors.system.stage import Stage
from bus import clock
from bus.kinds import Ending
from bus.notify import Notify

GRACE_MS = 1_000
TAIL = 1_000
"""Bytes at the end of the output that are told if a try failed."""
PROBE_SECONDS = 0.5
"""The time until a host that did not answer is tried again."""
POST = Path(__file__).with_name("post.py")
_FROM_FILE = ["sh", "-c", 'exec "$@" < "$0"']
_BODY = "notice.json"


class NoticeSaid(msgspec.Struct, frozen=True):
    """An event of the host of a try of the notices to `recipient`. Sent within the process."""

    recipient: str
    said: HostSaid


class TooLate(msgspec.Struct, frozen=True):
    """The time limit of the try `number` has passed."""

    recipient: str
    number: int


class Again(msgspec.Struct, frozen=True):
    """It is time to look at the notices to `recipient`."""

    recipient: str


class Load(msgspec.Struct, frozen=True):
    """A notice: its id, what the program reads, and the environment of the program."""

    id: str
    body: bytes
    env: dict[str, str]


class Outcome(msgspec.Struct, frozen=True):
    """How a try ended. `trouble` is "" if the person was told.

    With `for_good` it is not tried again, because nobody can say whether the person was told.
    """

    trouble: str = ""
    for_good: bool = False


class Delivery:
    """The try `number` of the notices to `recipient`. Belongs to the notifier's thread.

    `begin` and `heard` return the outcome when it has ended.
    """

    def __init__(
        self, stage: Stage, notifier: str, at: str, recipient: str, notify: Notify, number: int
    ) -> None:
        self._stage = stage
        self._notifier = notifier
        self._recipient = recipient
        self._notify = notify
        self._number = number
        self._timer: Timer | None = None
        self._late = False
        self._directory = stage.paths.terminal_dir(at, number)
        self._session = Session(
            stage.loop,
            self._pass_on,
            directory=self._directory,
            socket=stage.paths.socket(at, number),
            token=stage.reader.proof("notice", recipient, str(number)),
            incarnation=number,
        )

    def _pass_on(self, said: HostSaid) -> None:
        self._stage.timers.notify(self._notifier, NoticeSaid(self._recipient, said))

    def begin(self, load: Callable[[], Load]) -> Outcome | None:
        """Begin the try, or follow it if an earlier incarnation began it.

        `load` is called only to begin it. Raise `OSError`, and what `load` raises.
        """
        match self._session.look():
            case Found.ENDED:
                return self._finish(self._session.exit())
            case Found.LOST:
                self._session.end_strays(GRACE_MS / 1000)
                return Outcome("its host died, so it is unknown whether it was sent", for_good=True)
            case Found.UNKNOWN:
                raise OSError(f"{self._directory} cannot be read")
            case Found.ALIVE:
                self._take_over()
            case Found.NEVER | Found.FOREIGN:
                return self._start(load())
        self._limit()
        return None

    def _take_over(self) -> None:
        """Connect. A host that is starting or ending does not answer: try again soon."""
        try:
            self._session.connect()
        except OSError:
            self._look_again()

    def _look_again(self) -> None:
        again = Again(self._recipient)
        self._stage.timers.after(PROBE_SECONDS, self._notifier, again)

    def _start(self, load: Load) -> Outcome | None:
        if os.path.lexists(self._directory):
            self._session.set_aside()
        path = self._directory / _BODY
        command = [*_FROM_FILE, str(path), *self._command(load.id)]
        try:
            self._directory.mkdir(mode=0o700, parents=True)
            path.write_bytes(load.body)
            self._session.start(command, load.env, self._directory, 24, 200)
        except OSError as error:
            return Outcome(f"it could not be started: {error.strerror or error}")
        self._limit()
        if not self._session.connected:
            return self._finish(self._session.exit())
        return None

    def _command(self, id: str) -> list[str]:
        asked = self._notify
        if asked.command is not None:
            return asked.command
        secret = [asked.secret_env] if asked.secret_env else []
        return [sys.executable, "-I", "-S", str(POST), asked.url, id, *secret]

    def _limit(self) -> None:
        """Have the try ended at its time limit."""
        if self._timer is None:
            identity = records.read_identity(self._directory)
            ran = clock.awake_since(identity.started) if identity is not None else 0.0
            late = TooLate(self._recipient, self._number)
            left = max(0.0, self._notify.timeout - ran)
            self._timer = self._stage.timers.after(left, self._notifier, late)

    def too_late(self, message: TooLate) -> None:
        """End the try, which has exceeded its time limit."""
        if message.number == self._number:
            self._late = True
            self._session.do(lambda link: link.end(GRACE_MS))

    def heard(self, said: HostSaid) -> Outcome | None:
        """Handle what the host of the try reports."""
        if said.incarnation != self._number:
            return None
        match said.event:
            case Ended(exit=ended):
                return self._finish(ended)
            case Closed() | Broke():
                self.close()
                self._look_again()
        return None

    @property
    def connected(self) -> bool:
        """Whether the try goes on and this actor hears of its end."""
        return self._session.connected

    def close(self) -> None:
        """Disconnect; the try goes on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._session.close()

    def _finish(self, ended: Exit) -> Outcome:
        self.close()
        return Outcome(self._trouble(ended))

    def _trouble(self, ended: Exit) -> str:
        """Return why the person was not told; "" if the program says that it has told them."""
        if self._late:
            return f"it took longer than {self._notify.timeout:g} s and was ended"
        if ended.told:
            return "it was ended"
        if ended.kind == Ending.EXITED and ended.status == 0:
            return ""
        how = "signal" if ended.kind == Ending.SIGNALED else "status"
        words = " ".join(output.tail(self._directory, TAIL).split())
        return f"it ended with {how} {ended.status}{words and f': {words}'}"

    def forget(self) -> None:
        """Remove what this try and those before it left."""
        shutil.rmtree(self._directory.parent, ignore_errors=True)
