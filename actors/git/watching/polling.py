"""The watch for systems that report no changes: it reads all refs and compares them."""

from typing import Final

from actors.git.reading.refs import RefScanner
from actors.git.watching.directories import ANYTHING

PERIOD: Final = 2.0


class PollingWatch:
    """A `RefWatch` without a file descriptor: the owner calls `drain` every `period` seconds."""

    period: float | None = PERIOD

    def __init__(self, git_dir: str) -> None:
        self._scanner = RefScanner(git_dir)
        self._last = self._scanner.scan()

    def fileno(self) -> int | None:
        """Return None: there is no descriptor to wait for."""
        return None

    def drain(self) -> set[str]:
        """Return `ANYTHING` if a ref has changed since the last call."""
        before, self._last = self._last, self._scanner.scan()
        return {ANYTHING} if before != self._last else set()

    def close(self) -> None:
        """Do nothing: there is no descriptor to release."""
