"""Starting a terminal host."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path

from actors.platform.readiness import wait_for
from actors.pty.records import mark_of

HOST = Path(__file__).parents[1] / "host" / "host.py"

SOCKET_PATH_LIMIT = 100
"""Bytes of a socket's path. Linux allows 108, and macOS 104, both with a terminating zero."""


class Refusal(IntEnum):
    """Exit codes of a host that did not start its program. `docs/host.md` explains them."""

    ARGUMENTS = 64
    UNUSABLE = 73
    ANOTHER_RUNS = 75
    HAS_ENDED = 76
    HOST_DIED = 77


def spawn(
    directory: Path,
    *,
    socket: Path,
    token: str,
    incarnation: int,
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    rows: int,
    columns: int,
    log_bytes: int = 8 << 20,
    outlives: bool = True,
    scope: str = "",
) -> subprocess.Popen[bytes]:
    """Start a host in a session of its own, and return its process without waiting.

    A second call for the same directory starts no second host: the new process exits with a
    `Refusal`. The host inherits no open files. It writes b"R" to its stdout when it listens. The
    caller keeps the process and polls it when it has ended, so that no zombie remains. Unless the
    host `outlives` this process, it ends its program when this process ends, however it ends. With
    `scope` the program gets a scope of systemd (`platform.scopes`). Raise OSError if `cwd` or
    `directory` cannot be used, ValueError if an argument is malformed.
    """
    if len(os.fsencode(socket)) > SOCKET_PATH_LIMIT or not str(socket).isprintable():
        raise ValueError(f"socket path is not printable or over {SOCKET_PATH_LIMIT} bytes")
    if not token.isascii() or not token.replace("-", "").replace("_", "").isalnum():
        raise ValueError("token must be letters, digits, - and _")
    if not argv:
        raise ValueError("argv is empty")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-I", "-S", str(HOST), "--dir", str(directory.absolute())]
    command += ["--socket", str(socket.absolute()), "--mark", mark_of(token)]
    command += ["--incarnation", str(incarnation), "--size", f"{rows}x{columns}"]
    command += ["--log-bytes", str(log_bytes), *([] if outlives else ["--while", "stdin"])]
    command += ["--scope", scope] if scope else []
    command += ["--", *argv]
    errors = os.open(directory / "host.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            close_fds=True,
        )
    finally:
        os.close(errors)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended already
        process.stdin.write(token.encode())
        process.stdin.flush()
    if outlives:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdin = None
    return process


def await_ready(process: subprocess.Popen[bytes], timeout: float) -> None:
    """Wait until a host that `spawn` started listens.

    Raise TimeoutError, or ChildProcessError with the host's exit code as errno if it has ended.
    """
    assert process.stdout is not None
    if not wait_for(process.stdout.fileno(), timeout):
        raise TimeoutError(f"the host did not listen within {timeout} s")
    if not os.read(process.stdout.fileno(), 1):
        code = process.wait(timeout)
        raise ChildProcessError(code, "the host did not start its program")
