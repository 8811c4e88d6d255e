# ruff: noqa: SIM105
# contextlib would cost the host a megabyte.
"""The host's child becomes its program: the terminal is its own, and nothing of the host's stays.

Standard library only, as the host is, which runs it between fork and exec.
"""

import errno
import fcntl
import os
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without its enums, which cost 0.8 MB


def become(argv: list[str], token: str, slave: int, mask: int, gate: int, reporting: int) -> None:
    """Start it once the gate says so; returns only when it could not be started, and the errno
    is reported."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.umask(mask)
    for signo in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(signo, signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # the C library keeps some real-time signals to itself
    if os.read(gate, 1):  # else the host died before it had written host.json
        try:
            os.execvpe(argv[0], argv, {**os.environ, "CALLBOARD_TERMINAL": token})
        except OSError as error:
            os.write(reporting, b"%d" % (error.errno or errno.EINVAL))
