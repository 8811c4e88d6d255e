# ruff: noqa: PTH100
# pathlib and contextlib would cost the host a megabyte.
"""The host of one program: its loop over the PTY, the clients and the end of the program.

Standard library only, one thread, one `wait`. `host.py` runs it; `docs/host.md` describes it.
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
    from actors.host import (
        family,
        keyboard,
        priority,
        program,
        questions,
        records,
        segments,
        waiting,
        wire,
    )
    from actors.host.clients import CHUNK, Client, Clients
else:
    import family
    import keyboard
    import priority
    import program
    import questions
    import records
    import segments
    import waiting
    import wire
    from clients import CHUNK, Client, Clients

FEW = 32  # bytes; fewer are a key's echo, after which nothing comes, and asking takes long
TERM_GRACE = 5.0  # seconds from SIGTERM to SIGKILL when a signal ends the host itself
LEFTOVER_GRACE = 2.0  # the same for processes that outlive the program
SURVIVOR_WAIT = 3.0  # seconds that a killed process may take to end
ECHO = 0.002  # seconds that a follower's ACK may wait for output, to be sent with it
LINGER = 2.0  # seconds that clients have to read the rest and disconnect


class Host:
    """One host. Create it with the options of `host.py`, then call `start` and `run`.

    `token` proves who the host and its clients are. The program is given the `mark` alone, by which
    its processes are found.
    """

    def __init__(self, options: dict[str, str], token: str, argv: list[str]) -> None:
        self.dir = os.path.abspath(options["dir"])
        self.path = os.path.abspath(options["socket"])
        self.token = token
        self.mark = options["mark"]
        self.incarnation = int(options["incarnation"])
        rows, _, columns = options["size"].partition("x")
        self.size = (int(rows), int(columns))
        self.argv = argv
        self.log_bytes = int(options.get("log-bytes", 8 << 20))
        self.leash = [0] if options.get("while") == "stdin" else []  # its end is the program's
        self.program = program.Program(options.get("scope", ""))
        self.listener = questions.Listener()
        self.waiting = waiting.Waiting()
        self.buffer = memoryview(bytearray(CHUNK))
        self.activity = 0.0  # when the last burst of output or input was
        self.lag = 0.0  # seconds that this process was stopped while it waited
        self.deaf_until = 0.0  # the PTY is hung up: do not read it before this time
        self.term = False
        self.hup = False
        self.ended = False  # the end of the program has been handled
        self.kill_at: float | None = None
        self.told = False
        self.termed: set[family.Member] = set()
        self.leftovers: set[family.Member] = set()
        self.lowering: priority.Lowering | None = None
        self.exit_text = b""
        self.linger_until = 0.0

    def start(self) -> None:
        """Set up files, socket and PTY, and start the program. Raise OSError."""
        self.wake, wake_up = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_up, False)
        signal.set_wakeup_fd(wake_up, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGHUP, self._on_hup)
        for signo in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(signo, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        mask = os.umask(0o077)
        records.reserve_exit(self.dir)
        self.log = segments.Log(self.dir + "/out", self.log_bytes)
        self.clients = Clients(self.path)
        # The host keeps the slave open, so that the PTY stays when no program has it open.
        self.master, slave = os.openpty()
        os.set_blocking(self.master, False)
        termios.tcsetwinsize(slave, self.size)
        self.keyboard = keyboard.Keyboard(self.master, self.now, lambda: self.log.end)
        self.started_at, self.started = time.time(), time.monotonic()
        self.program.start(self.argv, self.mark, slave, mask, self._write_identity)
        self.flood = priority.Flood(self.now())
        os.chdir("/")

    def abandon(self) -> None:
        """Remove the socket of a start that failed."""
        if hasattr(self, "clients"):
            self.clients.close()

    def _write_identity(self) -> None:
        records.write_identity(
            self.dir,
            {
                "host_pid": os.getpid(),
                "host_start": family.start_time(os.getpid()),
                "program_pid": self.program.pid,
                "program_start": family.start_time(self.program.pid),
                "incarnation": self.incarnation,
                "token": self.token,
                "socket": self.path,
                "started_at": self.started_at,
                "started": self.started,
            },
        )
        self.activity = self.now()

    def _on_term(self, *_: object) -> None:
        self.term = True

    def _on_hup(self, *_: object) -> None:
        self.hup = True

    def _listen_again(self) -> None:
        """Listen at the path that stands in the file `socket`, if the own one was removed."""
        self.hup = False
        try:
            with open(self.dir + "/socket", "rb") as file:
                path = os.fsdecode(file.read())
            if self.clients.move(path):
                self.path = path
                self._write_identity()
        except OSError as error:
            print(f"host: cannot listen again: {error}", file=sys.stderr, flush=True)

    def now(self) -> float:
        """Return monotonic seconds, without the time that this process was stopped."""
        return time.monotonic() - self.lag

    def run(self) -> None:
        """Serve until the program and its descendants have ended and the clients were told."""
        while not self._everyone_knows():
            if self.lowering:
                self.lowering.go_on()
            for fd in self._wait():
                if fd == self.master:
                    self._drain()
                elif client := self.clients.by_fd.get(fd):
                    self._receive(client)
                elif fd == self.wake:
                    os.read(self.wake, 512)
                    self.program.reap()
                    if self.hup:
                        self._listen_again()
                elif fd == self.clients.fileno():
                    self.clients.accept()
                elif fd == 0 and not os.read(0, 512):
                    self.leash, self.term = [], True
            if self.term and self.kill_at is None:
                self._end(TERM_GRACE)
            if not self.exit_text:
                if self.program.status is not None or self.kill_at is not None:
                    self._go_on_ending()
                self._tell_silence()
                self._acknowledge(self.keyboard.write())
            now = self.now()
            for client in list(self.clients.by_fd.values()):
                self._pump(client)
                if client.held <= now:
                    self.clients.flush(client)

    def _wait(self) -> list[int]:
        """Wait until something can be done. Wait without limit if no deadline is set."""
        now = self.now()
        due = []
        readers = [*self.leash, self.wake, self.clients.fileno()]
        writers = self.clients.writers(self.log.end, now)
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
                if self.program.adopting and now < self.kill_at:
                    due.append(self.kill_at)  # SIGCHLD reports an earlier end
                else:
                    due.append(now + (0.05 if now < self.kill_at + SURVIVOR_WAIT else 1.0))
            for client in self.clients.by_fd.values():
                if client.held > now:
                    due.append(client.held)
                if client.fired < len(client.quiet):
                    due.append(self.activity + client.quiet[client.fired] / 1000)
        readers += self.clients.by_fd  # after the PTY: what is typed comes after that output
        timeout = max(0.0, min(due) - now) if due else None
        before = time.monotonic()
        readable = self.waiting.wait(readers, writers, timeout)
        late = 0.0 if timeout is None else time.monotonic() - before - timeout
        if late > 0.5:  # the process was stopped; deadlines must not expire by that
            self.lag += late
        return readable

    # ---- output ----------------------------------------------------------------------------

    def _drain(self) -> int:
        """Read at most CHUNK bytes from the PTY, and write them to the log. Return how many."""
        size = 0
        try:
            while not 0 < size < FEW and size < CHUNK:
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
        for client in list(self.clients.by_fd.values()):
            if client.follow == start and len(client.outbox) < CHUNK:
                client.send(wire.PUSH, wire.FROM.pack(start), data)
                client.follow = self.log.end
                self.clients.flush(client)
        if self.flood.wrote(len(data), self.now()):
            self.lowering = priority.Lowering([pid for pid, _ in self.program.members()])
        if not questions.only_titles(data):
            self._burst()
        self.keyboard.answer(self.listener.answers(data))

    def _burst(self) -> None:
        self.activity = self.now()
        for client in self.clients.by_fd.values():
            client.fired = 0

    def _tell_silence(self) -> None:
        silent = (self.now() - self.activity) * 1000
        for client in self.clients.by_fd.values():
            while client.fired < len(client.quiet) and silent >= client.quiet[client.fired]:
                ms = client.quiet[client.fired]
                client.send(wire.SILENT, wire.SILENCE.pack(ms, self.log.end))
                client.fired += 1

    # ---- the end ---------------------------------------------------------------------------

    def _end(self, grace: float) -> None:
        """Send SIGTERM to all processes, and set the time of SIGKILL or make it earlier."""
        self.told = self.told or self.program.status is None
        self.kill_at = min(self.now() + grace, self.kill_at or float("inf"))
        self._acknowledge(self.keyboard.close())
        found = self.program.members() - self.termed
        # The program comes first.
        for member in sorted(found, key=lambda each: each[0] != self.program.pid):
            self.termed.add(member)
            family.send(member, signal.SIGTERM)

    def _go_on_ending(self) -> None:
        self.program.reap()
        over = self.program.status is not None
        if over and not self.ended:
            self.ended = True
            self._drain()
            if not self.program.is_alone():
                self.leftovers = self.program.members()
                self._end(LEFTOVER_GRACE)
        if over and self.program.is_alone():
            self._finish(0)
        elif self.kill_at is not None and self.now() >= self.kill_at:
            rest = self.program.members()
            for member in rest:
                family.send(member, signal.SIGKILL)
            if over and self.now() >= self.kill_at + SURVIVOR_WAIT:
                self._finish(len(rest))

    def _finish(self, survivors: int) -> None:
        """Write the rest of the output, then exit.json."""
        for _ in range(64):  # surviving processes may write without end
            if not self._drain():
                break
        self._acknowledge(self.keyboard.close())
        kind, status = self.program.outcome()
        self.exit_text = records.write_exit(
            self.dir,
            {
                "kind": kind,
                "status": status,
                "at": time.time(),
                "offset": self.log.end,
                "leftovers": len(self.leftovers),
                "survivors": survivors,
                "told": self.told,
                "clock": self.now(),
                "token": self.token,
            },
        )
        self.linger_until = self.now() + LINGER

    def _everyone_knows(self) -> bool:
        """Whether the host may end: no client is connected, or all had `LINGER` seconds."""
        return bool(self.exit_text) and (not self.clients.guests or self.now() >= self.linger_until)

    # ---- clients ---------------------------------------------------------------------------

    def _receive(self, client: Client) -> None:
        try:
            self.clients.receive(client)
            while frame := self.clients.next_frame(client):
                self._obey(client, *frame)
        except (OSError, ValueError, OverflowError, struct.error):
            self.clients.drop(client)

    def _pump(self, client: Client) -> None:
        """Send a follower the output that it has not got yet, from disk, then EXIT."""
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
            held = self.now() + ECHO if who.follow >= 0 and not who.outbox else 0.0
            who.send(wire.ACK, wire.STATE.pack(result, request.offset), request.key)
            who.held = held

    def _obey(self, client: Client, kind: int, payload: bytes) -> None:
        """Carry out a request. Raise ValueError, OverflowError or struct.error if malformed."""
        if not client.welcome:
            if kind != wire.HELLO or payload != self.token.encode():
                raise ValueError("the first frame is not a HELLO with the token")
            client.welcome = True
            log = (self.log.start, self.log.end)
            over = self.program.status is not None
            greeting = wire.GREETING.pack(
                self.incarnation, self.program.pid, *log, over, *self.size
            )
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
            for each in self.clients.guests:
                each.send(wire.RESIZED, payload)
        elif kind == wire.SIGNAL:
            self.program.signal(*wire.PAIR.unpack(payload))
        elif kind == wire.END:
            if self.program.status is None:
                self._end(wire.MS.unpack(payload)[0] / 1000)
        else:
            raise ValueError(f"unknown frame {kind}")
