"""The runtime's end of the orchestrator's process: starts it, and hands thoughts over.

The process is started by the first thought, so there is none while nobody asks. If it ends, each
thought that was open is over, and counts as spent; the next thought starts another process. No
method waits for a model: an outage slows nothing.
"""

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from actors.orchestrator.thoughts import Said, Thinking, Thought, ThoughtOver
from actors.platform import owners
from actors.platform.loop import EventLoop, Timer
from actors.platform.processes import for_own_modules
from bus import environment, logs

log = logging.getLogger("callboard.orchestrator")

_ROOT = Path(__file__).resolve().parents[2]
END_SECONDS = 3.0
"""How long the process may take to end by itself once its pipe is closed."""
GRACE_SECONDS = 15.0
"""How long after a thought's time its answer is awaited. Then the process counts as stuck."""
LINE_BYTES = 8 << 20
"""A longer line is no answer."""
_PIECE = 1 << 16

_decode = msgspec.json.Decoder(Said).decode


class Mind(Protocol):
    """What the orchestrator's actor needs to have a thought. `Keeper` is one."""

    def ask(self, thought: Thought) -> None:
        """Hand over a thought without waiting. Its end is heard exactly once."""

    def close(self) -> None:
        """End the process. Nothing is heard afterwards."""


class _Open(msgspec.Struct):
    """A thought that is not over; what its attempts cost if they are never heard of again."""

    thought: Thought
    timer: Timer
    tokens_in: int = 0
    attempts: int = 0


class Keeper:
    """Owns the process. Any thread may call `ask` and `close`.

    `hear` is told each `Thinking`, and one `ThoughtOver` for each thought, in a thread that is not
    the caller's; it must not block. An actor puts it into its own mailbox:
    `Keeper(stage.loop, lambda said: stage.timers.notify(address, said))`.
    """

    def __init__(
        self, loop: EventLoop, hear: Callable[[Said], None], grace: float = GRACE_SECONDS
    ) -> None:
        self._loop = loop
        self._hear = hear
        self._grace = grace
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process, None if none runs."""
        with self._lock:
            return self._process.pid if self._process else None

    def ask(self, thought: Thought) -> None:
        """Hand over a thought. Start the process if none runs; that takes some milliseconds.

        If it cannot be started, the thought is over, with the reason. The id must not be that of a
        thought that is open.
        """
        with self._lock:
            if self._closed:
                return
            if self._process is None:
                try:
                    self._process = _Process(self._loop, self._hear, self._forget)
                except OSError as error:
                    reason = f"the orchestrator's process does not start: {error.strerror}"
                    over = ThoughtOver(thought.id, None, "none", "", 0, 0, True, 0.0, 0, reason)
                    self._loop.post(lambda: self._hear(over))
                    return
            self._process.ask(thought, self._grace)

    def close(self) -> None:
        """End the process, and wait for its end, at most `END_SECONDS`. Safe to call twice."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            process.close()

    def _forget(self, process: "_Process") -> None:
        with self._lock:
            if self._process is process:
                self._process = None


class _Process:
    """One process and its open thoughts, which only the loop's thread touches."""

    def __init__(
        self,
        loop: EventLoop,
        hear: Callable[[Said], None],
        on_end: Callable[["_Process"], None],
    ) -> None:
        self._loop = loop
        self._hear = hear
        self._on_end = on_end
        self._open: dict[str, _Open] = {}
        self._out = bytearray()
        self._in = bytearray()
        self._is_over = False
        self._pipe, theirs = socket.socketpair()
        self._pipe.setblocking(False)
        settings = logs.settings()
        words = [settings.level.value, "json" if settings.json else "text", owners.owner_mark()]
        try:
            with theirs:
                self._child = subprocess.Popen(
                    [sys.executable, "-m", "actors.orchestrator.process", *words],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    cwd=_ROOT,
                    env=child_environment(),
                    start_new_session=True,
                )
        except OSError:
            self._pipe.close()
            raise
        self.pid = self._child.pid
        loop.post(self._watch)

    def ask(self, thought: Thought, grace: float) -> None:
        """Send a thought. Any thread."""
        patience = thought.timeout + grace
        line = msgspec.json.encode(thought) + b"\n"

        def send() -> None:
            timer = self._loop.later(patience, lambda: self._end("it did not answer in time"))
            self._open[thought.id] = _Open(thought, timer)
            if self._is_over:
                self._tell_end("it has ended")
                return
            self._out += line
            self._write()

        self._loop.post(send)

    def close(self) -> None:
        """End without a word to anybody, and wait for it. Any thread but the loop's."""
        ended = threading.Event()

        def close() -> None:
            for each in self._open.values():
                each.timer.cancel()
            self._open.clear()
            self._shut()
            ended.set()

        self._loop.post(close)
        ended.wait(END_SECONDS)
        _reap(self._child)

    # ---- in the loop's thread ------------------------------------------------------------

    def _watch(self) -> None:
        if not self._is_over:
            self._loop.watch(self._pipe, self._read, self._write if self._out else None)

    def _write(self) -> None:
        try:
            while self._out:
                sent = self._pipe.send(self._out[:_PIECE])
                del self._out[:sent]
        except BlockingIOError:
            pass
        except OSError as error:
            self._end(f"its pipe broke: {error.strerror}")
            return
        self._watch()

    def _read(self) -> None:
        try:
            piece = self._pipe.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(f"its pipe broke: {error.strerror}")
            return
        if not piece:
            self._end("")
            return
        self._in += piece
        if b"\n" in piece:
            *lines, rest = bytes(self._in).split(b"\n")
            self._in = bytearray(rest)
            for line in lines:
                self._take(line)
        elif len(self._in) > LINE_BYTES:
            self._end("it wrote a line that is too long")

    def _take(self, line: bytes) -> None:
        """Pass on what the process says of a thought that is open."""
        try:
            said = _decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            self._end(f"it wrote a line that is no answer: {error}")
            return
        known = self._open.get(said.id)
        if known is None:
            log.warning("an answer to a thought that is not open: %s", said.id)
            return
        if isinstance(said, Thinking):
            known.tokens_in += said.tokens_in
            known.attempts += 1
        else:
            known.timer.cancel()
            del self._open[said.id]
        self._hear(said)

    def _end(self, reason: str) -> None:
        """The process has ended, or must: its open thoughts are over, once it is reaped."""
        if self._is_over:
            return
        self._shut()
        self._on_end(self)
        # Waiting for a process may take a while, and the loop must not.
        threading.Thread(target=self._bury, args=(reason,), name="orchestrator-end").start()

    def _bury(self, reason: str) -> None:
        """Reap the process and tell its end. In a thread of its own."""
        if reason:
            self._child.kill()
        code = _reap(self._child)
        reason = reason or f"it ended with {code}"
        log.warning("the orchestrator's process %s: %s", self.pid, reason)
        self._loop.post(lambda: self._tell_end(reason))

    def _tell_end(self, reason: str) -> None:
        opened, self._open = self._open, {}
        for each in opened.values():
            each.timer.cancel()
            self._hear(_cut(each, reason))

    def _shut(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._loop.unwatch(self._pipe.fileno())
            self._pipe.close()


def child_environment() -> dict[str, str]:
    """Return the variables of the process: those that Python needs, neither keys nor proxies."""
    own = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    return for_own_modules(environment.chosen() | own)


def _cut(opened: _Open, reason: str) -> ThoughtOver:
    """The end of a thought whose process has ended: all that it may have used counts as used."""
    return ThoughtOver(
        opened.thought.id,
        None,
        "none",
        "",
        opened.tokens_in,
        opened.attempts * opened.thought.max_tokens,
        opened.attempts == 0,
        0.0,
        opened.attempts,
        f"the orchestrator's process was lost: {reason}",
    )


def _reap(child: subprocess.Popen[bytes]) -> int:
    """Wait for a process whose pipe is closed; kill it if it does not end. Return its code."""
    try:
        return child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()
