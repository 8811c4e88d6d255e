"""Wait until descriptors are ready. Standard library only.

`poll` takes descriptors of any number; `select` refuses those above 1,023. On macOS `poll` does not
work for a terminal, so a host, which has few descriptors, uses `select` there.
"""

import select
import sys


class Waiting:
    """Waits again and again. What it tells the system is made anew only where it has changed."""

    def __init__(self) -> None:
        self._readers: list[int] = []
        self._writers: list[int] = []
        self._poll: select.poll | None = None

    def wait(self, readers: list[int], writers: list[int], timeout: float | None) -> list[int]:
        """Wait for `timeout` seconds (None: without limit); return the readers that are readable.

        They come in their order here. A descriptor whose other end is gone counts as readable:
        reading it tells.
        """
        if sys.platform != "linux":
            return select.select(readers, writers, [], timeout)[0]
        if self._poll is None or readers != self._readers or writers != self._writers:
            self._readers, self._writers, self._poll = readers, writers, select.poll()
            for fd in dict.fromkeys((*readers, *writers)):
                mask = select.POLLIN if fd in readers else 0
                self._poll.register(fd, mask | (select.POLLOUT if fd in writers else 0))
        milliseconds = None if timeout is None else timeout * 1000
        return [
            fd
            for fd, found in self._poll.poll(milliseconds)
            if found & ~select.POLLOUT and fd in readers
        ]
