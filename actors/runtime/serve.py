"""Serving a home: running its runtime in this process until it ends."""

import gc
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, Protocol

from zmq import ZMQError

from actors.gateway.doors import Doors
from actors.platform import allocator, descriptors
from actors.pty.ending import running_hosts
from actors.runtime.runtime import HomeBusy, Runtime
from actors.runtime.signals import EndSignals
from actors.supervision.errors import SupervisorError
from bus import logs
from bus.action import Action, Do
from bus.errors import in_words
from bus.logs import DEFAULT, LogSettings
from bus.secrecy import hide_memory
from store.errors import StoreError

GIVE_UP_SECONDS = 10.0
"""How long to wait for the reason of a root that gave up during the start."""

NO_DOORS = Doors()

_CANNOT_SERVE = 3
_GAVE_UP = 1
_RESTART = (Action(Do.SERVE), Action(Do.DOCTOR))


class Report(Protocol):
    """Shows a person what happens to the runtime. It is called in the main thread."""

    def started(self, home: Path, url: str, tcp: tuple[str, str] | None) -> None:
        """Show that the runtime serves the home.

        `url` is the web door, or ""; `tcp` are the endpoints of the TCP door, or None.
        """

    def failed(self, home: Path, message: str, actions: Sequence[Action] = ()) -> None:
        """Show an error that ends the runtime, and the actions that help."""

    def stopped(self, home: Path, terminals: int) -> None:
        """Show that the runtime has stopped, and how many terminals go on."""


def serve(
    home: Path,
    idle_exit: float,
    report: Report,
    doors: Doors = NO_DOORS,
    log_settings: LogSettings = DEFAULT,
) -> NoReturn:
    """Serve a home until a signal or a request ends the runtime, then end the process.

    End also after `idle_exit` seconds without a request, unless it is 0. The exit code is 0 after a
    clean end, 1 if the runtime gave up, and 3 if the home cannot be served. Call this in the main
    thread. `doors` are those that are open beside the home's own sockets, `log_settings` what is
    written to standard error.
    """
    hide_memory()
    allocator.keep_together()
    logs.begin(log_settings)
    try:
        descriptors.raise_limit()
        runtime = Runtime(home, doors)
    except HomeBusy as busy:
        report.failed(home, str(busy), [Action(Do.LIST)])
        _exit(_CANNOT_SERVE)
    except StoreError as error:
        report.failed(home, str(error), error.actions)
        _exit(_CANNOT_SERVE)
    except OSError as error:
        report.failed(home, in_words(error))
        _exit(_CANNOT_SERVE)
    signals = EndSignals(runtime.request_stop)
    gc.disable()  # the actors that are made now stay: each look at all of them finds nothing
    try:
        runtime.start()
    except (StoreError, OSError, ZMQError) as error:
        runtime.give_up()
        report.failed(home, f"{home} cannot be served: {in_words(error)}", [Action(Do.DOCTOR)])
        _exit(_CANNOT_SERVE)
    except SupervisorError as error:
        runtime.ended.wait(GIVE_UP_SECONDS)  # the root gives its reason when all has stopped
        runtime.failure = runtime.failure or str(error)
        _end(runtime, home, report)
    finally:
        gc.enable()
    report.started(
        home, doors.web.url if doors.web else "", doors.tcp.endpoints if doors.tcp else None
    )
    if idle_exit:
        threading.Thread(target=_watch_idle, args=(runtime, idle_exit), daemon=True).start()
    runtime.ended.wait()
    signals.ending = True
    _end(runtime, home, report)


def _end(runtime: Runtime, home: Path, report: Report) -> NoReturn:
    if runtime.failure:
        message = f"the runtime of {home} gives up: {runtime.failure}; terminals go on"
        report.failed(home, message, _RESTART)
        runtime.give_up()
        _exit(_GAVE_UP)
    runtime.stop()
    report.stopped(home, len(running_hosts(home)))
    _exit(0)


def _exit(code: int) -> NoReturn:
    """End the process at once, without waiting for threads that hang."""
    logs.end()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue  # the terminal window it was started in may be closed
    os._exit(code)


def _watch_idle(runtime: Runtime, seconds: float) -> None:
    """Stop a runtime without unfinished workflows that gets no request for `seconds`."""
    while not runtime.ended.wait(seconds / 4):
        if runtime.idle_for() >= seconds:
            runtime.request_stop("idle")
