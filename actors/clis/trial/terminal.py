"""The terminal of a trial: one program under a host, driven by one thread."""

import contextlib
import secrets
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from actors.clis.judging import Judgement, judge, step_towards, writes_for
from actors.clis.keys import ENTER, Write
from actors.clis.profile import Profile
from actors.clis.screen import COLS, ROWS
from actors.platform.workers import Worker
from actors.pty import strays
from actors.pty.console import connect
from actors.pty.events import Acknowledged, Ended
from actors.pty.records import Exit
from actors.pty.spawn import await_ready, spawn
from bus.kinds import Ending

_HOST_SECONDS: Final = 20.0
_TYPING_SECONDS: Final = 30.0
_GRACE_MS: Final = 2_000


class TrialTerminal:
    """A program in a terminal of 40 rows and 120 columns. Used by one thread.

    `directory` is the host's, `home` what was prepared for the program; `worker` renders and reads
    the screen. `exit` is how the program ended, None while it runs; `file` is where a text is put
    that is given by a file.
    """

    def __init__(
        self,
        profile: Profile,
        worker: Worker,
        directory: Path,
        home: Path,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
    ) -> None:
        """Start the program. Raise `OSError` or `ValueError` if it does not start."""
        self._profile, self._worker, self._directory = profile, worker, directory
        self._token = secrets.token_hex(16)
        self._typed = 0
        self.file = home / "tmp" / "instruction.md"
        self.exit: Exit | None = None
        socket = directory.parent / "s"
        self._process = spawn(
            directory,
            socket=socket,
            token=self._token,
            incarnation=1,
            argv=argv,
            env=env,
            cwd=cwd,
            rows=ROWS,
            columns=COLS,
            outlives=False,
        )
        try:
            await_ready(self._process, _HOST_SECONDS)
            self._console, welcome = connect(socket, self._token, _HOST_SECONDS)
        except OSError:
            self._reap()
            raise
        self._program = welcome.program_pid

    @property
    def code(self) -> int | None:
        """The program's exit code, 128 and the signal where one ended it; None while it runs."""
        if self.exit is None:
            return None
        return self.exit.status + (128 if self.exit.kind == Ending.SIGNALED else 0)

    def look(self, before: int | None = None) -> Judgement:
        """Judge the screen as a launch does. Raise `WorkerDied` if it takes too long."""
        return self._worker.call(judge, self._profile, self._directory, ROWS, COLS, before)

    def rest(self, seconds: float) -> None:
        """Wait for `seconds`, or until the program has ended."""
        if self.exit is not None:
            return
        try:
            self.exit = self._console.next(Ended, seconds).exit
        except TimeoutError:
            return
        except ConnectionError:
            time.sleep(seconds)

    def submit(self, text: str) -> int:
        """Type a text as an instruction; return the end of the output before it."""
        call, profile = self._worker.call, self._profile
        return self.write(call(writes_for, profile, self._directory, ROWS, COLS, text, self.file))

    def press_enter(self) -> None:
        """Press Enter alone."""
        self.write([(ENTER, 0)])

    def answer(self, label: str) -> None:
        """Make one step towards the answer `label`. Raise `NoSuchChoice`."""
        call, profile = self._worker.call, self._profile
        self.write(call(step_towards, profile, self._directory, ROWS, COLS, label).writes)

    def write(self, writes: Sequence[Write]) -> int:
        """Type each, and wait as it says. Return the end of the output before."""
        self._typed += 1
        key = str(self._typed).encode()
        self._console.link.type(key, writes)
        return self._console.next(Acknowledged, _TYPING_SECONDS).offset

    def close(self) -> None:
        """End the program, its host, and what they left running."""
        with contextlib.suppress(OSError):
            if self.exit is None:
                self._console.link.end(_GRACE_MS)
                self._console.next(Ended, _HOST_SECONDS)
        self._console.link.close()
        self._reap()
        strays.end_tree(self._token, self._program, 0.0)

    def _reap(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        try:
            self._process.wait(_HOST_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        """Return the terminal."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the program."""
        self.close()
