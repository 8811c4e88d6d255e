"""The watch for systems that cannot tell: reads all refs and compares."""

from typing import Final

from actors.git.directories import ANYTHING
from actors.git.refs import RefScanner

PERIOD: Final = 2.0


class PollingWatch:
    """Same interface as the others, but `period` says that it must be asked."""

    period: float | None = PERIOD

    def __init__(self, git_dir: str) -> None:
        self._scanner = RefScanner(git_dir)
        self._last = self._scanner.scan()

    def fileno(self) -> int | None:
        return None

    def drain(self) -> set[str]:
        before, self._last = self._last, self._scanner.scan()
        return {ANYTHING} if before != self._last else set()

    def close(self) -> None:
        pass
