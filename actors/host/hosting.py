# ruff: noqa: PTH100, PTH104
# pathlib and contextlib would cost the host a megabyte.
"""One program in its PTY, served until it and all it left behind are gone.

Standard library only, one thread, one wait. See host.py, which runs it.
"""

import errno
import os
import struct
import sys
import termios
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without its enums, which cost 0.8 MB
if TYPE_CHECKING or __package__:
    from actors.host import family, keyboard, program, questions, segments, waiting, wire
    from actors.host.door import Client, Door
else:
    import family
    import keyboard
    import program
    import questions
    import segments
    import waiting
    import wire
    from door import Client, Door

CHUNK = 65536
TERM_GRACE = 5.0  # seconds from TERM to KILL when the host itself is told to end by a signal
LEFTOVER_GRACE = 2.0  # the same for processes that outlive the program
SURVIVOR_WAIT = 3.0  # how long a killed process may take to vanish
LINGER = 2.0  # how long clients may take to read the rest and hang up
_SYNC = getattr(os, "fdatasync", os.fsync)  # macOS has but fsync; times need not be durable


class Host:
    def __init__(self, options: dict[str, str], argv: list[str]) -> None:
        self.dir = os.path.abspath(options["dir"])
        self.path = os.path.abspath(options["socket"])
        self.token = options["token"]
        self.incarnation = int(options["incarnation"])
        rows, _, columns = options["size"].partition("x")
        self.size = (int(rows), int(columns))
        self.argv = argv
        self.log_bytes = int(options.get("log-bytes", 8 << 20))
        self.listener = questions.Listener()
        self.buffer = memoryview(bytearray(CHUNK))
        self.activity = 0.0  # when the last burst went on
        self.lag = 0.0  # seconds this process was stopped while it waited
        self.deaf_until = 0.0  # the PTY is hung up: no use to read before
        self.term = False
        self.status: int | None = None  # of the program, as waitpid gave it
        self.ended = False  # the program's end has been seen to
        self.childless = False
        self.kill_at: float | None = None
        self.told = False
        self.termed: set[family.Member] = set()
        self.leftovers: set[family.Member] = set()
        self.exit_text = b""
        self.linger_until = 0.0

    def start(self) -> None:
        """Everything up to the program's first instruction. Raises OSError."""
        self.wake, wake_up = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_up, False)
        signal.set_wakeup_fd(wake_up, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_term)
        for signo in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            signal.signal(signo, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        mask = os.umask(0o077)
        # Blocks that exit.json can be written into when the disk has none left.
        with open(self.dir + "/exit.tmp", "wb") as reserved:
            reserved.write(b" " * 512)
        self.log = segments.Log(self.dir + "/out", self.log_bytes)
        self.door = Door(self.path)
        # The slave stays open here, so that the PTY outlives moments when no program has it open.
        self.master, slave = os.openpty()
        os.set_blocking(self.master, False)
        termios.tcsetwinsize(slave, self.size)
        self.keyboard = keyboard.Keyboard(self.master, self.now, lambda: self.log.end)
        self.adopting = family.adopt_orphans()
        gate, open_gate = os.pipe()
        report, reporting = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(open_gate)
                program.become(self.argv, self.token, slave, mask, gate, reporting)
            finally:
                os._exit(127)
        os.close(gate)
        os.close(reporting)
        self._write_host_json()
        self.activity = self.now()
        os.write(open_gate, b"!")
        os.close(open_gate)
        self.exec_errno = int(os.read(report, 16) or b"0")
        os.close(report)
        os.chdir("/")

    def abandon(self) -> None:
        """Take the socket away of a start that failed."""
        if hasattr(self, "door"):
            self.door.close()

    def _write_host_json(self) -> None:
        path = self.path.replace("\\", "\\\\").replace('"', '\\"')
        text = (
            f'{{"host_pid": {os.getpid()}, "host_start": "{family.start_time(os.getpid())}",'
            f' "program_pid": {self.pid}, "program_start": "{family.start_time(self.pid)}",'
            f' "incarnation": {self.incarnation}, "token": "{self.token}",'
            f' "socket": "{path}", "started_at": {time.time():.3f},'
            f' "started": {time.monotonic():.3f}}}\n'
        )
        with open(self.dir + "/host.tmp", "wb") as file:
            file.write(text.encode())
        os.rename(self.dir + "/host.tmp", self.dir + "/host.json")

    def _on_term(self, *_: object) -> None:
        self.term = True

    def now(self) -> float:
        """Seconds, monotonic, without the time this process was stopped."""
        return time.monotonic() - self.lag

    def run(self) -> None:
        """Serves until the program and all it left behind are gone and the clients know."""
        while not self._everyone_knows():
            readable = self._wait()
            if self.wake in readable:
                os.read(self.wake, 512)
                self._reap()
                if self.term and self.kill_at is None:
                    self._end(TERM_GRACE)
            if self.master in readable:
                self._drain()
            if self.door.fileno() in readable:
                self.door.accept()
            for client in [self.door.clients[fd] for fd in readable if fd in self.door.clients]:
                self._receive(client)
            if not self.exit_text:
                if self.status is not None or self.kill_at is not None:
                    self._go_on_ending()
                self._tell_silence()
                self._acknowledge(self.keyboard.write())
            for client in list(self.door.clients.values()):
                self._pump(client)
                self.door.flush(client)

    def _wait(self) -> list[int]:
        """Until something can be done. Without a time limit when nothing is armed."""
        now = self.now()
        due = []
        readers = [self.wake, self.door.fileno(), *self.door.clients]
        writers = [
            fd
            for fd, client in self.door.clients.items()
            if client.outbox or 0 <= client.follow < self.log.end
        ]
        if self.exit_text:
            due.append(self.linger_until)
        else:
            if self.deaf_until > now:
                due.append(self.deaf_until)
            else:
                readers.append(self.master)
            if self.keyboard.full:
                writers.append(self.master)
            elif self.keyboard.due is not None:
                due.append(self.keyboard.due)
            if self.kill_at is not None:
                if self.adopting and now < self.kill_at:
                    due.append(self.kill_at)  # SIGCHLD tells when the last one has gone before
                else:
                    due.append(now + (0.05 if now < self.kill_at + SURVIVOR_WAIT else 1.0))
            for client in self.door.clients.values():
                if client.fired < len(client.quiet):
                    due.append(self.activity + client.quiet[client.fired] / 1000)
        timeout = max(0.0, min(due) - now) if due else None
        before = time.monotonic()
        readable = waiting.wait(readers, writers, timeout)
        if timeout is not None:
            late = time.monotonic() - before - timeout
            if late > 0.5:  # stopped, or asleep: no deadline may run out by that
                self.lag += late
        return readable

    # Output

    def _drain(self) -> int:
        """Takes what the PTY has, CHUNK at most, as one write. Returns how much."""
        size = 0
        try:
            while size < CHUNK:
                more = os.readv(self.master, [self.buffer[size:]])
                if not more:
                    raise OSError(errno.EIO, "hung up")
                size += more
        except BlockingIOError:
            pass
        except OSError:
            self.deaf_until = self.now() + 0.1
        if size:
            self._output(bytes(self.buffer[:size]))
        return size

    def _output(self, data: bytes) -> None:
        start = self.log.end
        self.log.append(data)
        for client in self.door.clients.values():
            if client.follow == start and len(client.outbox) < CHUNK:
                client.send(wire.PUSH, wire.FROM.pack(start), data)
                client.follow = self.log.end
        if not questions.only_titles(data):
            self._burst()
        self.keyboard.answer(self.listener.answers(data))

    def _burst(self) -> None:
        self.activity = self.now()
        for client in self.door.clients.values():
            client.fired = 0

    def _tell_silence(self) -> None:
        silent = (self.now() - self.activity) * 1000
        for client in self.door.clients.values():
            while client.fired < len(client.quiet) and silent >= client.quiet[client.fired]:
                ms = client.quiet[client.fired]
                client.send(wire.SILENT, wire.SILENCE.pack(ms, self.log.end))
                client.fired += 1

    # End

    def _reap(self) -> None:
        """Collects every child that ended. Orphans of the program are children too on Linux."""
        self.childless = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.childless = True
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = status

    def _end(self, grace: float) -> None:
        """TERM to all there is; KILL after grace seconds, or earlier if that was said before."""
        self.told = self.told or self.status is None
        kill_at = self.now() + grace
        self.kill_at = kill_at if self.kill_at is None else min(kill_at, self.kill_at)
        self._acknowledge(self.keyboard.close())
        found = family.members(self.pid, os.getpid()) - self.termed
        for member in sorted(found, key=lambda each: each[0] != self.pid):  # the program first
            self.termed.add(member)
            family.send(member, signal.SIGTERM)

    def _go_on_ending(self) -> None:
        self._reap()
        if self.status is not None and not self.ended:
            self.ended = True
            self._drain()
            if not self._alone():
                self.leftovers = family.members(self.pid, os.getpid())
                self._end(LEFTOVER_GRACE)
        if self.status is not None and self._alone():
            self._finish(0)
        elif self.kill_at is not None and self.now() >= self.kill_at:
            rest = family.members(self.pid, os.getpid())
            for member in rest:
                family.send(member, signal.SIGKILL)
            if self.status is not None and self.now() >= self.kill_at + SURVIVOR_WAIT:
                self._finish(len(rest))

    def _alone(self) -> bool:
        if self.adopting:
            return self.childless
        return not family.members(self.pid, os.getpid())

    def _finish(self, survivors: int) -> None:
        """The program is gone: the rest of its output, then exit.json."""
        for _ in range(64):  # survivors may write for ever
            if not self._drain():
                break
        assert self.status is not None
        if self.exec_errno:
            kind, status = "exec_failed", self.exec_errno
        elif os.WIFSIGNALED(self.status):
            kind, status = "signaled", os.WTERMSIG(self.status)
        else:
            kind, status = "exited", os.WEXITSTATUS(self.status)
        self._acknowledge(self.keyboard.close())
        text = (
            f'{{"kind": "{kind}", "status": {status}, "at": {time.time():.3f},'
            f' "offset": {self.log.end}, "leftovers": {len(self.leftovers)},'
            f' "survivors": {survivors}, "told": {str(self.told).lower()},'
            f' "clock": {self.now():.3f}}}'
        )
        self.exit_text = text.encode()
        try:
            fd = os.open(self.dir + "/exit.tmp", os.O_WRONLY)
            os.pwrite(fd, self.exit_text, 0)  # into the reserved blocks; blanks follow
            _SYNC(fd)
            os.close(fd)
            os.rename(self.dir + "/exit.tmp", self.dir + "/exit.json")
        except OSError as error:  # the directory is gone; whoever is connected is told still
            print(f"host: exit.json not written: {error}: {text}", file=sys.stderr, flush=True)
        self.linger_until = self.now() + LINGER

    def _everyone_knows(self) -> bool:
        """Clients have the time to read the rest, and to ask; a host ends when they hang up."""
        return bool(self.exit_text) and (not self.door.guests or self.now() >= self.linger_until)

    # Clients

    def _receive(self, client: Client) -> None:
        try:
            self.door.receive(client)
            while frame := self.door.next_frame(client):
                self._obey(client, *frame)
        except (OSError, ValueError, OverflowError, struct.error):
            self.door.drop(client)

    def _pump(self, client: Client) -> None:
        """What a follower has not had yet, from disk; then EXIT."""
        while 0 <= client.follow < self.log.end and len(client.outbox) < CHUNK:
            start, data = self.log.read(client.follow, CHUNK)
            if data:
                client.send(wire.PUSH, wire.FROM.pack(start), data)
            client.follow = start + len(data)
        caught_up = client.follow < 0 or client.follow >= self.log.end
        if self.exit_text and client.welcome and not client.told and caught_up:
            client.send(wire.EXIT, self.exit_text)
            client.told = True

    def _acknowledge(self, said: list[keyboard.Said]) -> None:
        for who, result, request in said:
            if result == wire.DONE:
                self._burst()
            assert isinstance(who, Client)
            who.send(wire.ACK, wire.STATE.pack(result, request.offset), request.key)

    def _obey(self, client: Client, kind: int, payload: bytes) -> None:
        """Raises ValueError, OverflowError or struct.error for what is not a word of wire.py."""
        if not client.welcome:
            if kind != wire.HELLO or payload != self.token.encode():
                raise ValueError("not a hello")
            client.welcome = True
            log = (self.log.start, self.log.end)
            over = self.status is not None
            greeting = wire.GREETING.pack(self.incarnation, self.pid, *log, over, *self.size)
            client.send(wire.WELCOME, greeting)
        elif kind == wire.INPUT:
            key, rest = wire.keyed(payload)
            self._acknowledge(self.keyboard.press(key, wire.steps(rest), client))
        elif kind == wire.KEY:
            client.send(wire.KEY_STATE, wire.STATE.pack(*self.keyboard.state(payload)), payload)
        elif kind == wire.OUTPUT:
            offset, limit = wire.RANGE.unpack(payload)
            start, data = self.log.read(offset, min(limit, CHUNK))
            client.send(wire.BYTES, wire.FROM.pack(start), data)
        elif kind == wire.FOLLOW:
            on, offset = wire.SWITCH.unpack(payload)
            client.follow = min(offset, self.log.end) if on else -1
        elif kind == wire.QUIET:
            client.quiet = sorted({ms for (ms,) in wire.MS.iter_unpack(payload)})
            client.fired = 0
        elif kind == wire.RESIZE:
            self.size = wire.SIZE.unpack(payload)
            termios.tcsetwinsize(self.master, self.size)
            for each in self.door.guests:
                each.send(wire.RESIZED, payload)
        elif kind == wire.SIGNAL:
            self._signal(*wire.PAIR.unpack(payload))
        elif kind == wire.END:
            (grace,) = wire.MS.unpack(payload)
            if self.status is None:
                self._end(grace / 1000)
        else:
            raise ValueError(f"unknown frame {kind}")

    def _signal(self, signo: int, scope: int) -> None:
        if signo not in signal.valid_signals() or scope > wire.SESSION:
            raise ValueError("no such signal or scope")
        if self.status is not None:  # its pid may be somebody else's
            return
        try:
            if scope == wire.PROGRAM:
                os.kill(self.pid, signo)
            elif scope == wire.GROUP:
                os.killpg(self.pid, signo)
            else:
                for member in family.members(self.pid, os.getpid()):
                    family.send(member, signo)
        except OSError:
            pass  # not ours to signal, or no longer there
