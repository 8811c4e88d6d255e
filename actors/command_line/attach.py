"""Attach the person's terminal to a terminal of Callboard.

The program's output is shown here, and keys typed here are sent to the program, both over the
socket of its host. The runtime says who types. Two processes share the work. The inner one talks to
both. The outer one waits for the inner one and restores the person's terminal. If one of them is
killed with `kill -9`, the other still restores the terminal.
"""

import contextlib
import fcntl
import os
import secrets
import select
import signal
import struct
import sys
import termios
import time
import tty
from pathlib import Path

import msgspec
import zmq

from actors.command_line.client.reading import pieces
from actors.command_line.output.exits import DONE, FAILED, as_stop
from actors.command_line.output.outlet import LEAVE, Outlet
from actors.pty.entry import Entry
from actors.pty.events import Acknowledged, Closed, Ended, Event, Output, Result, Welcome
from bus import connection, modes, requests
from bus.client import Client, NoAnswer
from bus.errors import Refused
from bus.requests import TerminalOutput, TerminalResize
from bus.results import TerminalBytes
from bus.terminal_requests import Entrance, Held, TerminalEnter, TerminalGive, TerminalTake

BACK = 256 * 1024
"""Bytes of earlier output that are shown at first: enough for a program to draw its screen."""
WAIT = 20.0
"""Seconds that the runtime may hold a request for output."""
GIVE_MS = 3_000
"""Milliseconds that the runtime may take to give the keyboard to others."""
_ENDS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a visit."""


def attach(home: Path, terminal: str, read_only: bool, leave: bytes) -> int:
    """Enter a terminal until the person leaves or its program ends; return the exit code.

    `leave` is the byte of the key that leaves. Raise `Refused` if there is no such terminal.
    """
    served = connection.read(home)
    with Client(served.requests) as client:
        client.ask(TerminalOutput(terminal=terminal, limit=1))
    session = secrets.token_hex(8)
    before = termios.tcgetattr(0)
    alive, inner_end = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        os.close(inner_end)
        os._exit(_inner(served.requests, terminal, read_only, leave, alive, session))
    os.close(alive)
    for signo in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(signo, signal.SIG_IGN)
    for signo in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signo, lambda signo, _: os.kill(child, signo))
    try:
        _, status = os.waitpid(child, 0)
    finally:
        _restore(before)
    code = os.waitstatus_to_exitcode(status)
    if code < 0 and not read_only:
        _give_for(served.requests, terminal, session)
    return code if code >= 0 else FAILED


def _give_for(endpoint: str, terminal: str, session: str) -> None:
    """Give the keyboard back that an inner process held which was killed."""
    with Client(endpoint, GIVE_MS / 1000) as client, contextlib.suppress(Refused, NoAnswer):
        client.ask(TerminalGive(terminal=terminal, session=session))


def _restore(before: list[object]) -> None:
    """Restore the modes and the attributes of the person's terminal."""
    with contextlib.suppress(OSError):
        os.write(1, LEAVE)
    with contextlib.suppress(termios.error):
        termios.tcsetattr(0, termios.TCSANOW, before)  # type: ignore[arg-type]


def _inner(
    endpoint: str, terminal: str, read_only: bool, leave: bytes, alive: int, session: str
) -> int:
    before = termios.tcgetattr(0)
    try:
        return _Inside(endpoint, terminal, read_only, leave, alive, session).run()
    except (Refused, OSError, zmq.ZMQError) as error:
        _restore(before)
        with contextlib.suppress(Exception):
            as_stop(error).show()
        return FAILED
    finally:
        _restore(before)


class _Inside:
    """One visit to a terminal: a loop over the runtime, the host and the keyboard.

    Without a link to the host, output is asked of the runtime, which also tells how it ended.
    """

    def __init__(
        self,
        endpoint: str,
        terminal: str,
        read_only: bool,
        leave: bytes,
        alive: int,
        session: str,
    ) -> None:
        self._endpoint = endpoint
        self._terminal = terminal
        self._read_only = read_only
        self._leave = leave
        self._alive = alive
        self._session = session
        self._number = 0
        self._outlet = Outlet()
        self._offset = 0
        self._incarnation = 0
        self._asked = self._entering = self._taking = 0
        self._entry = Entry()
        self._welcome = False
        self._untyped = ""  # why the keys that were typed last have not reached the program
        self._poller = select.poll()
        self._look = True  # replies may have come
        self._sizes: set[int] = set()  # a refusal of these is not shown: another has the window
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._socket = context.socket(zmq.DEALER)
        self._socket.linger = 500

    def run(self) -> int:
        """Show output and send keys until the visit is over; return the exit code."""
        self._socket.connect(self._endpoint)
        winch, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        for signo in (signal.SIGWINCH, *_ENDS):
            # The loop reads which one came. A handler that raised could cut the restoring short.
            signal.signal(signo, lambda *_: None)
        tty.setraw(0)
        self._draw_past()
        self._resize()
        self._enter()
        answers = self._socket.fileno()
        for fd in (answers, 0, winch, self._alive):
            self._poller.register(fd, select.POLLIN)
        while True:
            # ZeroMQ's descriptor tells a change once, and sending may take it: look before waiting.
            if self._look and (over := self._answers()) is not None:
                return self._left(over)
            ready = dict(self._poller.poll())
            self._look = answers in ready
            if self._alive in ready:
                self._give()  # the outer process was killed
                return FAILED
            if winch in ready:
                came = os.read(winch, 4096)
                if any(signo in came for signo in _ENDS):
                    self._give()
                    return DONE
                self._resize()
            if 0 in ready and not self._keys(os.read(0, 65536)):
                return self._left(f"left; {self._terminal} goes on")
            if (host := self._entry.fileno()) in ready:  # -1 without a link, which is in no answer
                self._hear(host)

    # ---- output --------------------------------------------------------------------------

    def _draw_past(self) -> None:
        """Show the newest output, after setting the modes that the program had set before it."""
        before = modes.Modes()
        past: list[TerminalBytes] = []
        with Client(self._endpoint) as client:
            for piece in pieces(client, self._terminal, 0, follow=False):
                past.append(piece)
                while sum(len(p.data) for p in past[1:]) > BACK:
                    before.note(past.pop(0).data)
        os.write(1, before.sequence())
        for piece in past:
            self._incarnation = piece.incarnation
            self._show(piece.offset, piece.data)

    def _show(self, offset: int, data: bytes) -> None:
        self._offset = offset + len(data)
        data = self._outlet.feed(data)
        while data:
            data = data[os.write(1, data) :]

    def _tell(self, message: str) -> None:
        """Show a message below the cursor."""
        os.write(1, f"\x1b7\x1b[0m\r\n[{message}]\x1b8".encode())

    def _ask_output(self, wait: float) -> None:
        self._asked = self._send(
            TerminalOutput(terminal=self._terminal, offset=self._offset, limit=1 << 17, wait=wait)
        )

    def _answers(self) -> str | None:
        """Handle the replies of the runtime. Return why the visit is over, or None."""
        while int(self._socket.EVENTS) & zmq.POLLIN:
            reply = requests.decode_reply(self._socket.recv())
            refusal = "" if reply.ok or reply.error is None else reply.error.message
            if reply.id == self._entering:
                if refusal or not self._go_in(_decode_entrance(reply.result)):
                    self._ask_output(WAIT)
                continue
            if reply.id == self._taking:
                if refusal:
                    self._entry.drop()
                    self._untyped = refusal
                    self._tell(refusal)
                else:
                    self._entry.lend(_decode_held(reply.result).seconds)
                    self._watch_host()
                continue
            if reply.id != self._asked:
                if refusal and reply.id not in self._sizes:
                    self._tell(refusal)
                continue
            if not reply.ok:
                return reply.error.message if reply.error else "the runtime refuses"
            piece = _decode_piece(reply.result)
            if self._incarnation not in (0, piece.incarnation):
                self._offset = 0  # the terminal has a new program
            self._incarnation = piece.incarnation
            if piece.data:
                self._show(piece.offset, piece.data)
            if piece.ended:
                return f"the program of {self._terminal} has ended"
            self._enter()
        return None

    # ---- the host ------------------------------------------------------------------------

    def _enter(self) -> None:
        """Ask the runtime for the way to the host."""
        self._entering = self._send(TerminalEnter(terminal=self._terminal))

    def _go_in(self, found: Entrance) -> bool:
        """Connect to the host, which sends the output from here on. Return whether it listens."""
        if found.incarnation != self._incarnation:
            return False  # the runtime tells how the program ended that was shown
        try:
            meant = self._entry.open(found.socket, found.token, found.incarnation, self._offset)
        except OSError:
            return False
        if not meant:
            self._tell("what was typed last was meant for the program before")
        self._welcome = False
        if not self._read_only:
            self._ask_keyboard()
        self._watch_host()
        return True

    def _watch_host(self) -> None:
        """Wait for the host to say something, and to take what it has not taken yet."""
        if self._entry.connected:
            write = select.POLLOUT if self._entry.wants_write else 0
            self._poller.register(self._entry.fileno(), select.POLLIN | write)

    def _hear(self, fd: int) -> None:
        """Handle what the host has sent."""
        if wrote := self._entry.wants_write:
            self._entry.write()
        for event in self._entry.read():
            self._on_event(event)
        if not self._entry.connected:
            self._poller.unregister(fd)
            self._ask_output(0.0 if self._welcome else WAIT)
        elif wrote:
            self._watch_host()

    def _on_event(self, event: Event) -> None:
        match event:
            case Output(offset=offset, data=data):
                self._show(offset, data)
            case Welcome():
                self._welcome = True
            case Acknowledged(result=Result.REFUSED):
                self._tell("the program has ended, or reads nothing")
            case Ended() | Closed():
                pass  # the runtime tells what follows

    # ---- input ---------------------------------------------------------------------------

    def _keys(self, data: bytes) -> bool:
        """Send the typed keys to the program. Return False if the person leaves."""
        at = data.find(self._leave)
        typed = data if at < 0 else data[:at]
        if typed and not self._read_only:
            self._number += 1
            self._entry.type(f"{self._session}:{self._number}", typed, self._incarnation)
            if self._entry.wants_write:
                self._watch_host()
            self._ask_keyboard()
        return at < 0 and bool(data)

    def _ask_keyboard(self) -> None:
        """Ask the runtime for the keyboard, where it is needed and was not asked for yet."""
        if self._entry.must_ask():
            self._taking = self._send(
                TerminalTake(
                    terminal=self._terminal,
                    session=self._session,
                    incarnation=self._incarnation,
                )
            )

    def _resize(self) -> None:
        """Give the program's window the size of the person's terminal."""
        if self._read_only:
            return
        found = fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8)
        rows, columns = struct.unpack("HHHH", found)[:2]
        if rows and columns:
            request = TerminalResize(
                terminal=self._terminal, rows=rows, columns=columns, session=self._session
            )
            self._sizes.add(self._send(request))

    def _send(self, request: requests.ConsoleRequest) -> int:
        self._number += 1
        request.id = self._number
        self._socket.send(requests.encode(request))
        self._look = True
        return self._number

    def _give(self) -> None:
        """Let others type, and the window return to its size, after what was typed before."""
        self._untyped = ""
        end = time.monotonic() + GIVE_MS / 1000
        while self._entry.waits and time.monotonic() < end:
            self._entry.write()
            if self._socket.poll(20):
                self._answers()
        if late := self._entry.waits:
            self._untyped = f"the runtime did not answer within {GIVE_MS // 1000} s"
        if not self._read_only:
            given = self._send(TerminalGive(terminal=self._terminal, session=self._session))
            while self._socket.poll(0 if late else GIVE_MS):
                if requests.decode_reply(self._socket.recv()).id == given:
                    break

    def _left(self, said: str) -> int:
        """Give the keyboard back, and print how the visit ended."""
        self._give()
        if self._untyped:
            said += f"; what was typed last was not: {self._untyped}"
        os.write(1, LEAVE + f"\r\n[{said}]\r\n".encode())
        self._socket.close()
        return DONE


_decode_entrance = msgspec.json.Decoder(Entrance).decode
_decode_held = msgspec.json.Decoder(Held).decode
_decode_piece = msgspec.json.Decoder(TerminalBytes).decode
