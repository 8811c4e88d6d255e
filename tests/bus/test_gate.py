"""The gate keeps endpoints reachable, and lets in as many clients as there is room for."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from bus.client import Client
from bus.context import Context
from bus.gate import LATER, WAVE
from bus.requests import succeeded
from bus.router import Bus, Envelope


class Door:
    """A bus that answers every request, and has room for so many clients."""

    def __init__(self, directory: Path, room: int) -> None:
        self.endpoint = f"ipc://{directory}/requests"
        self.file = directory / "requests"
        self.places = room
        self.connected: Callable[[], int] = lambda: 0
        self.bus = Bus(self._deliver, room=self._room)
        self.bus.bind(self.endpoint)
        self.bus.start()

    def _room(self) -> int:
        return self.places - self.connected()

    def _deliver(self, _to: str, envelope: Envelope) -> bool:
        id = json.loads(envelope.payload)["id"]
        threading.Thread(target=self.bus.send, args=(envelope.sender, succeeded(id))).start()
        return True


@pytest.fixture
def door(directory: Path) -> Iterator[Door]:
    door = Door(directory, 10)
    yield door
    door.bus.stop()


class Crowd:
    """Clients that have each asked one thing."""

    def __init__(self, endpoint: str, count: int) -> None:
        self._context = Context()
        self.sockets = [self._context.socket(zmq.DEALER) for _ in range(count)]
        for number, socket in enumerate(self.sockets):
            socket.linger = 0
            socket.connect(endpoint)
            socket.send(b'{"type":"runtime.info","id":%d}' % number)

    def answered(self, wait: int = 500) -> int:
        """How many have an answer; waits until none has come for so many milliseconds."""
        poller, left = zmq.Poller(), set(self.sockets)
        for socket in left:
            poller.register(socket, zmq.POLLIN)
        while left and (found := poller.poll(wait)):
            for socket, _ in found:
                left.discard(socket)
                poller.unregister(socket)
        return len(self.sockets) - len(left)

    def leave(self) -> None:
        self._context.destroy(linger=0)


def test_no_more_are_let_in_than_there_is_room_for(door: Door) -> None:
    """Hazard 69. A client beyond that waits, and is let in when others have left."""
    door.connected = lambda: 10
    first = Crowd(door.endpoint, 10 + 3 * WAVE)
    assert 10 <= first.answered() <= 10 + 2 * WAVE
    second = Crowd(door.endpoint, 1)
    assert second.answered() == 0
    first.leave()
    door.connected = lambda: 0
    door.places = LATER
    assert second.answered(10_000) == 1
    second.leave()


def test_who_is_connected_stays_when_the_gate_is_shut(door: Door) -> None:
    with Client(door.endpoint) as client:
        client.call("runtime.info")
        door.places = 0
        door.bus.gate.look()
        assert not door.file.exists()
        client.call("runtime.info")
    door.places = LATER
    door.bus.gate.look()
    assert door.file.exists()


def test_a_socket_whose_file_was_removed_is_found_again(door: Door) -> None:
    """Hazard 66. Who is connected notices nothing."""
    with Client(door.endpoint) as client:
        client.call("runtime.info")
        door.file.unlink()
        door.bus.gate.look()
        client.call("runtime.info")
    with Client(door.endpoint) as client:
        client.call("runtime.info")


def test_an_endpoint_moves_and_who_is_connected_stays(door: Door, directory: Path) -> None:
    with Client(door.endpoint) as client:
        client.call("runtime.info")
        (directory / "other").mkdir()
        door.bus.gate.move(f"{directory}/", f"{directory}/other/")
        client.call("runtime.info")
    with Client(f"ipc://{directory}/other/requests") as client:
        client.call("runtime.info")
