"""Wait for one descriptor of any number: `select` refuses those above 1,023."""

import select


def wait_for(fd: int, seconds: float, *, also_write: bool = False) -> int:
    """Wait until the descriptor is readable, or with `also_write` writable. Blocks for `seconds`.

    Return the events as `poll` gives them; 0 if none came.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN | (select.POLLOUT if also_write else 0))
    return next((found for _, found in poll.poll(max(0.0, seconds) * 1000)), 0)
