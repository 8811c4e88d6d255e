"""Where the model gateway listens, for those who start programs that go through it."""

import threading

from bus import clock


class ModelsPlace:
    """The gateway's port, once it is known. Any thread may use it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._port = 0
        self._trouble = ""

    def tell(self, port: int, trouble: str = "") -> None:
        """Say where the gateway listens; with 0 it does not, and `trouble` says why."""
        with self._changed:
            self._port, self._trouble = port, trouble
            self._changed.notify_all()

    def forget_trouble(self) -> None:
        """Forget why it did not start: it is tried again."""
        with self._changed:
            self._trouble = ""

    def wait(self, seconds: float) -> int:
        """Return the port, waiting for it. Raise `OSError` with the reason if there is none."""
        end = clock.awake() + seconds
        with self._changed:
            while not self._port:
                left = end - clock.awake()
                if self._trouble or left <= 0:
                    raise OSError(self._trouble or f"it did not start within {seconds:g} s")
                self._changed.wait(left)
            return self._port
