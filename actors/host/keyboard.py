"""Typing into a PTY: requests in order, each once, without blocking. Standard library only.

A request is a key and steps of (bytes, ms to wait after). "Paste, wait 0.3 s, Enter" is one
request, so that it is completed also if its client disconnects. The host remembers every key, so
that it types a request at most once.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING or __package__:
    from actors.host import wire
else:
    import wire
if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE_LIMIT = 4 << 20  # bytes that may wait to be typed
REQUESTS_LIMIT = 1000  # requests that may wait
ANSWERS_LIMIT = 4096  # bytes of answers to the program's questions that may wait


class Request:
    """One INPUT. `waiting` are the clients to tell its result, and the ACK result for each."""

    def __init__(self, key: bytes, steps: list[tuple[bytes, int]]) -> None:
        self.key = key
        self.steps = steps
        self.state = wire.PENDING
        self.offset = 0  # end of the output when its first byte was written
        self.begun = False
        self.waiting: list[tuple[object, int]] = []


Said = tuple[object, int, Request]  # the client to tell, the ACK result, the request


class Keyboard:
    """Writes to the PTY `fd`, which is non-blocking. `clock` counts seconds."""

    def __init__(
        self, fd: int, clock: "Callable[[], float]", output_end: "Callable[[], int]"
    ) -> None:
        self._fd = fd
        self._clock = clock
        self._output_end = output_end
        self._requests: dict[bytes, Request] = {}
        self._queue: list[Request] = []
        self._flight = b""  # what is being written; nothing may be inserted into it
        self._flying: Request | None = None  # the request whose step is in `_flight`
        self._pause = 0
        self._answers = b""
        self._next_step = 0.0
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether the PTY has not taken everything: wait until it is writable."""
        return bool(self._flight)

    @property
    def due(self) -> float | None:
        """The time of the next step; None if there is no step or the PTY is full."""
        return self._next_step if self._queue and not self._flight else None

    def answer(self, said: bytes) -> None:
        """Type an answer to a question of the program, before the next step.

        Drop it if more than ANSWERS_LIMIT bytes of answers would wait.
        """
        if not self._closed and len(self._answers) + len(said) <= ANSWERS_LIMIT:
            self._answers += said

    def state(self, key: bytes) -> tuple[int, int]:
        """Return the KEY_STATE of a key, and the offset of its first byte."""
        known = self._requests.get(key)
        return (known.state, known.offset) if known else (wire.UNKNOWN, 0)

    def press(self, key: bytes, steps: list[tuple[bytes, int]], who: object) -> list[Said]:
        """Queue a request, unless its key is known. Return the answers that can be sent at once."""
        known = self._requests.get(key)
        if known is None:
            known = Request(key, steps)
            if self._closed or (self._queue and self._is_too_much(known)):
                return [(who, wire.REFUSED, known)]
            known.waiting.append((who, wire.DONE))
            self._requests[key] = known
            self._queue.append(known)
        elif known.state == wire.PENDING:
            known.waiting.append((who, wire.ALREADY))
        else:
            result = wire.ALREADY if known.state == wire.TYPED else wire.REFUSED
            return [(who, result, known)]
        return []

    def _is_too_much(self, more: Request) -> bool:
        """Whether too much would wait with this request. Alone, a request has room."""
        size = sum(len(data) for each in (*self._queue, more) for data, _ in each.steps)
        return len(self._flight) + size > QUEUE_LIMIT or len(self._queue) >= REQUESTS_LIMIT

    def write(self) -> list[Said]:
        """Type the steps that are due, as far as the PTY takes them. Return the answers to send."""
        said: list[Said] = []
        while self._flight or self._take():
            try:
                written = os.write(self._fd, self._flight)
            except BlockingIOError:
                break
            except OSError:
                written = len(self._flight)  # the PTY is hung up: no process will read it
            request = self._flying
            if request and not request.begun:
                request.begun, request.offset = True, self._output_end()
            self._flight = self._flight[written:]
            if request and not self._flight:
                self._flying = None
                self._next_step = self._clock() + self._pause / 1000
                if not request.steps:
                    self._queue.remove(request)
                    request.state = wire.TYPED
                    said += [(who, result, request) for who, result in request.waiting]
                    request.waiting = []
        return said

    def _take(self) -> bool:
        """Take the next answer or step to write. Return whether there is one."""
        if self._answers:
            self._flight, self._answers = self._answers, b""
        elif self._queue and self._clock() >= self._next_step:
            self._flying = self._queue[0]
            self._flight, self._pause = self._flying.steps.pop(0)
        return bool(self._flight)

    def close(self) -> list[Said]:
        """Refuse all requests that are not typed yet, because the program is ending."""
        said: list[Said] = []
        for request in self._queue:
            if request.begun:
                request.state = wire.CUT
            else:
                del self._requests[request.key]
            said += [(who, wire.REFUSED, request) for who, _ in request.waiting]
        self._queue, self._flight, self._flying, self._answers = [], b"", None, b""
        self._closed = True
        return said
