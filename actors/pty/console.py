"""A link that waits for events, for the command line and tests."""

import select
import time
from pathlib import Path
from typing import TypeVar

from actors.platform.readiness import wait_for
from actors.pty.events import Event, Welcome
from actors.pty.link import Link

E = TypeVar("E", bound=Event)


class Console:
    """A link that waits for events. It keeps events that nobody has asked for yet, in order."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._kept: list[Event] = []

    def next(self, kind: type[E], timeout: float) -> E:
        """Return the next event of this kind. Raise TimeoutError, or ConnectionError if closed."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self._kept:
                if isinstance(event, kind):
                    self._kept.remove(event)
                    return event
            if self.link.closed:
                raise ConnectionError(f"the link was closed before {kind.__name__} came")
            patience = deadline - time.monotonic()
            found = wait_for(self.link.fileno(), patience, also_write=self.link.wants_write)
            if found & select.POLLOUT:
                self.link.on_writable()
            if found & ~select.POLLOUT:
                self._kept += self.link.on_readable()
            elif not found and patience <= 0:
                raise TimeoutError(f"no {kind.__name__} came within {timeout} s")

    def forget(self, kind: type[Event]) -> None:
        """Drop the kept events of this kind."""
        self._kept = [event for event in self._kept if not isinstance(event, kind)]

    def __enter__(self) -> "Console":
        """Return the console."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the link."""
        self.link.close()


def connect(path: Path | str, token: str, timeout: float) -> tuple[Console, Welcome]:
    """Connect to a host, and wait for its welcome. Raise OSError, of which TimeoutError is one."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            console = Console(Link(path, token))
            break
        except BlockingIOError:  # the backlog is full; no event tells when it is not
            if time.monotonic() >= deadline:
                raise TimeoutError(f"the host accepted no connection for {timeout} s") from None
            time.sleep(0.01)
    try:
        return console, console.next(Welcome, max(0.0, deadline - time.monotonic()))
    except OSError:
        console.link.close()
        raise
