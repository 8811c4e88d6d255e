# ruff: noqa: SIM105
# contextlib would cost the host a megabyte.
"""A terminal's program: its start in the PTY, signals, and its end. Standard library only."""

import errno
import fcntl
import os
import sys
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    import _signal as signal  # without its enums, which cost 0.8 MB
if TYPE_CHECKING or __package__:
    from actors.host import family, wire
    from actors.host import scope as scopes
else:
    import family
    import scope as scopes
    import wire


class Program:
    """The host's child and the processes that descend from it.

    `pid` is the child's; `status` is None until it has ended, then what waitpid returned.
    `exec_errno` is not 0 if the program could not be executed. `scope` is where it runs (`scope`).
    """

    def __init__(self, scope: str = "") -> None:
        self.scope = scope
        self.pid = 0
        self.status: int | None = None
        self.exec_errno = 0
        self.adopting = family.adopt_orphans()
        self._childless = False

    def start(
        self, argv: list[str], mark: str, slave: int, mask: int, before: "Callable[[], None]"
    ) -> None:
        """Fork, call `before` when `pid` is known, then let the child execute the program.

        Raise OSError if the fork or `before` fails; the child then ends without executing anything.
        """
        gate, open_gate = os.pipe()
        report, reporting = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(open_gate)
                _become(argv, mark, self.scope, slave, mask, gate, reporting)
            finally:
                os._exit(127)
        os.close(gate)
        os.close(reporting)
        before()
        os.write(open_gate, b"!")
        os.close(open_gate)
        self.exec_errno = int(os.read(report, 16) or b"0")
        os.close(report)

    def reap(self) -> None:
        """Collect every child that has ended. On Linux, orphaned descendants are children, too."""
        self._childless = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = status

    def members(self) -> set[family.Member]:
        """Return the processes of the program's session, and those that descend from it."""
        return family.members(self.pid, os.getpid())

    def is_alone(self) -> bool:
        """Whether no process is left. True only after the program itself was reaped."""
        return self._childless if self.adopting else not self.members()

    def signal(self, signo: int, scope: int) -> None:
        """Send a signal to a scope of `wire`. Raise ValueError if either does not exist."""
        if signo not in signal.valid_signals() or scope > wire.SESSION:
            raise ValueError("no such signal or scope")
        if self.status is not None:  # another process may have the pid now
            return
        try:
            if scope == wire.PROGRAM:
                os.kill(self.pid, signo)
            elif scope == wire.GROUP:
                os.killpg(self.pid, signo)
            else:
                for member in self.members():
                    family.send(member, signo)
        except OSError:
            pass  # it has ended, or belongs to another user

    def outcome(self) -> tuple[str, int]:
        """Return `kind` and `status` of exit.json, after the program has ended."""
        assert self.status is not None
        if self.exec_errno:
            return "exec_failed", self.exec_errno
        if os.WIFSIGNALED(self.status):
            return "signaled", os.WTERMSIG(self.status)
        return "exited", os.WEXITSTATUS(self.status)


def _become(
    argv: list[str], mark: str, scope: str, slave: int, mask: int, gate: int, reporting: int
) -> None:
    """Execute the program in this child when the gate opens. Report the errno if that fails.

    The child gets a session of its own with the PTY as its terminal, the default signal handlers,
    the umask `mask`, and the marks of the terminal: a variable and a limit.
    """
    if scope:
        _enter(scope)
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.umask(mask)
    if family.LINUX:
        family.mark_limits(mark)
    for signo in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(signo, signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # the C library reserves some real-time signals
    if os.read(gate, 1):  # empty: the host died before it had written host.json
        try:
            os.execvpe(argv[0], argv, {**os.environ, "CALLBOARD_TERMINAL": mark})
        except OSError as error:
            os.write(reporting, b"%d" % (error.errno or errno.EINVAL))


def _enter(scope: str) -> None:
    """Enter a scope of systemd. If that fails, say so and go on: no launch fails for it."""
    why = scopes.enter(scope)
    if why:
        print(f"host: the program has no scope: {why}", file=sys.stderr, flush=True)
