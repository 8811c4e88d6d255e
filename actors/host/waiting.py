"""Wait until descriptors are ready. Standard library only.

`poll` takes descriptors of any number; `select` refuses those above 1,023. On macOS `poll` does not
work for a terminal, so a host, which has few descriptors, uses `select` there.
"""

import select
import sys


def wait(readers: list[int], writers: list[int], timeout: float | None) -> list[int]:
    """Wait for `timeout` seconds (None: without limit); return the readers that are readable.

    A descriptor whose other end is gone counts as readable: reading it tells.
    """
    if sys.platform != "linux":
        return select.select(readers, writers, [], timeout)[0]
    events = dict.fromkeys(readers, select.POLLIN)
    for fd in writers:
        events[fd] = events.get(fd, 0) | select.POLLOUT
    poll = select.poll()
    for fd, mask in events.items():
        poll.register(fd, mask)
    milliseconds = None if timeout is None else timeout * 1000
    wanted = set(readers)
    return [fd for fd, found in poll.poll(milliseconds) if fd in wanted and found & ~select.POLLOUT]
