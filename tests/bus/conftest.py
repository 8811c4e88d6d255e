import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from bus.context import Context
from tests.bus.wire_kit import Outside, Wire


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short directory of our own: a Unix socket's path holds about 100 bytes."""
    with tempfile.TemporaryDirectory(prefix="cb") as path:
        yield Path(path)


@pytest.fixture
def wire(directory: Path) -> Iterator[Wire]:
    wire = Wire(directory)
    wire.up()
    yield wire
    wire.down()


@pytest.fixture
def outside(directory: Path) -> Iterator[Outside]:
    outside = Outside(f"ipc://{directory}/requests")
    yield outside
    outside.bus.stop()


@pytest.fixture
def dial(outside: Outside) -> Iterator[Callable[[int], "zmq.Socket[bytes]"]]:
    """A stranger's socket, connected."""
    context = Context()

    def dial(kind: int) -> "zmq.Socket[bytes]":
        socket = context.socket(kind)
        socket.linger = 0
        socket.rcvtimeo = 20_000
        socket.connect(outside.endpoint)
        return socket

    yield dial
    context.destroy(linger=0)
