"""Real hosts with real programs; every one is ended with its test."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.pty import records, strays
from actors.pty.console import Console, connect
from actors.pty.events import KeyKnown, Output
from actors.pty.spawn import await_ready, spawn

TOKEN = "token-1"
WAIT = 30.0  # seconds for an event that must come; the machine may be busy


class Terminal:
    """One host: its directory, its socket and the process that was spawned."""

    def __init__(self, root: Path, token: str = TOKEN) -> None:
        self.dir = root / "host"
        self.socket = root / "s"
        self.token = token
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self, *argv: str, **options: object) -> subprocess.Popen[bytes]:
        given = {
            "env": {"PATH": "/usr/bin:/bin", "TERM": "xterm-256color"},
            "cwd": self.dir.parent,
            "rows": 24,
            "columns": 80,
            "incarnation": 1,
            **options,
        }
        return spawn(self.dir, socket=self.socket, token=self.token, argv=argv, **given)  # type: ignore[arg-type]

    def start(self, *argv: str, **options: object) -> "Terminal":
        self.process = self.spawn(*argv, **options)
        await_ready(self.process, WAIT)
        return self

    def python(self, program: str, **options: object) -> "Terminal":
        """Starts a Python program, which sees an unbuffered raw or cooked PTY."""
        return self.start(sys.executable, "-I", "-S", "-u", "-c", program, **options)

    def connect(self) -> Console:
        console, self.welcome = connect(self.socket, self.token, WAIT)
        return console

    def ended(self) -> records.Exit:
        """Waits for the host to end and says how the program did."""
        assert self.process is not None
        assert self.process.wait(WAIT) == 0, (self.dir / "host.err").read_text()
        found = records.read_exit(self.dir)
        assert found is not None
        return found

    def stop(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(15)
            assert self.process.stdout is not None
            self.process.stdout.close()
        identity = records.read_identity(self.dir)
        if identity is not None:
            assert strays.end_tree(self.token, identity.program_pid, 0.2) == 0


@pytest.fixture
def terminals() -> Iterator[Callable[..., Terminal]]:
    """Makes terminals; each has a token of its own, so that strays are found by it."""
    made: list[Terminal] = []
    root = Path(tempfile.mkdtemp(prefix="cb"))  # short: socket paths are limited

    def make() -> Terminal:
        folder = root / str(len(made))
        folder.mkdir()
        made.append(Terminal(folder, f"{root.name}-{len(made)}"))
        return made[-1]

    yield make
    for terminal in made:
        terminal.stop()
    shutil.rmtree(root)


@pytest.fixture
def terminal(terminals: Callable[..., Terminal]) -> Terminal:
    return terminals()


def collect(console: Console, until: bytes, count: int = 1, offset: int = 0) -> bytes:
    """Follows until the output contains this count times; returns all from offset on."""
    console.link.follow(None)
    console.link.ask_key(b"barrier")
    while console.next(KeyKnown, WAIT).key != b"barrier":
        pass
    console.forget(Output)  # of an earlier follow
    console.link.follow(offset)
    seen = b""
    while seen.count(until) < count:
        event = console.next(Output, WAIT)
        assert event.offset == offset + len(seen), "a hole in the output"
        seen += event.data
    return seen
