"""The signals that end the runtime."""

import os
import signal
import threading
from collections.abc import Callable


class EndSignals:
    """Handles SIGINT, SIGTERM and SIGHUP. Create it in the main thread.

    The first signal calls `request_stop` with its name. A second SIGINT or SIGTERM ends the process
    at once, also after `ending` was set. SIGHUP, which a closing terminal window sends, never does;
    it is ignored if the process was started with it ignored (`nohup`).

    A thread reads the signals from Python's wakeup pipe. A Python handler would run only in the
    main thread, and the kernel may deliver a signal to another thread, which does not wake the main
    one (it does so after SIGSTOP and SIGCONT).
    """

    def __init__(self, request_stop: Callable[[str], None]) -> None:
        self.ending = False
        self._request_stop = request_stop
        self._pipe, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signo != signal.SIGHUP or signal.getsignal(signo) != signal.SIG_IGN:
                signal.signal(signo, lambda *_: None)
        threading.Thread(target=self._read, name="signals", daemon=True).start()

    def _read(self) -> None:
        while True:
            self._handle(os.read(self._pipe, 1)[0])

    def _handle(self, signo: int) -> None:
        if self.ending:
            if signo == signal.SIGHUP:
                return
            os._exit(128 + signo)
        self.ending = True
        self._request_stop(signal.Signals(signo).name)
