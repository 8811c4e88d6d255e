"""Start the process of the model gateway, connect to it, and end it. For any thread; may block."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from actors.models.said import LOG, Hello, Place, Start, decode_place, line, lives, read_place
from actors.platform.processes import wait_for_end
from actors.pty.ending import running_hosts

_ROOT: Final = Path(__file__).resolve().parents[2]
FORWARD: Final = str(Path(__file__).with_name("forward.py"))
"""A program of its own. It is not imported, because it brings asyncio."""
START_SECONDS: Final = 10.0
END_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 3.0

_PASSED: Final = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
)
"""The variables that the process gets: no key, and no proxy."""


class NotStarted(Exception):
    """The process does not listen; the message says why."""


def control_of(sockets: Path) -> Path:
    """Return the socket on which the process listens for the runtime."""
    return sockets / "models-control"


def door_of(sockets: Path) -> Path:
    """Return the socket for programs without a network, alone in its directory."""
    return sockets / "models" / "door"


def start(
    home: Path, sockets: Path, secret: str, port: int
) -> tuple[subprocess.Popen[bytes], Place]:
    """Start the process, and return it and its place when it listens. Raise `NotStarted`.

    It listens on `port` if that is free. It is not ended with this process.
    """
    told = Start(str(home), secret, port, str(control_of(sockets)), str(door_of(sockets)))
    env = {name: os.environ[name] for name in _PASSED if name in os.environ}
    with (home / LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "actors.models"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=env,
            cwd=_ROOT,
            start_new_session=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout, suppress(BrokenPipeError):
        process.stdin.write(line(told))
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        said = process.stdout.readline() if ready else b""
    try:
        return process, decode_place(said)
    except msgspec.DecodeError:
        process.kill()
        process.wait()
        raise NotStarted(
            f"the process of the model gateway did not start; see {home / LOG}"
        ) from None


def connect(place: Place, secret: str) -> socket.socket:
    """Return a connection to the process that listens at `place`. Raise `OSError`."""
    found = socket.socket(socket.AF_UNIX)
    try:
        found.settimeout(CONNECT_SECONDS)
        found.connect(place.control)
        found.sendall(line(Hello(secret)))
    except OSError:
        found.close()
        raise
    return found


def end(home: Path) -> None:
    """End the process that serves the home, if there is one, and wait for its end."""
    place = read_place(home)
    if place is None or not lives(home):
        return
    with suppress(ProcessLookupError):
        os.kill(place.pid, signal.SIGTERM)
        wait_for_end({place.pid}, time.monotonic() + END_SECONDS)
        if lives(home):
            os.kill(place.pid, signal.SIGKILL)
            wait_for_end({place.pid}, time.monotonic() + END_SECONDS)


def end_unneeded(home: Path) -> None:
    """End the process if no terminal of the home is left."""
    if lives(home) and not running_hosts(home):
        end(home)
