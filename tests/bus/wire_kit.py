"""A bus with a gateway of paper: a journal in memory, answered from by the router's thread."""

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import zmq

from bus import requests
from bus.address import GATEWAY
from bus.facts import AnyFact, RuntimeStarted, encode_fact
from bus.feed import Feed
from bus.router import Bus, Envelope


class Wire:
    """A runtime reduced to its sockets.

    `facts` is its journal; `publish` shows one on the feed, `keep` only stores it: a frame that got
    lost. Answers `events.replay`.
    """

    def __init__(self, directory: Path) -> None:
        self.requests = f"ipc://{directory}/requests"
        self.feed_at = f"ipc://{directory}/feed"
        self.facts: list[AnyFact] = []
        self.busy = False
        self.asked: list[bytes] = []
        self._bus: Bus
        self.feed: Feed

    def up(self) -> None:
        self._bus = Bus(self._deliver)
        self._bus.bind(self.requests)
        self.feed = Feed(self._bus.context, self.feed_at, self._bus.gate)
        self._bus.start()

    def down(self) -> None:
        self.feed.close()
        self._bus.stop()

    def keep(self, address: str = "runtime/") -> AnyFact:
        fact = RuntimeStarted(seq=len(self.facts) + 1, at="now", address=address, pid=1, version="")
        self.facts.append(fact)
        return fact

    def publish(self, address: str = "runtime/") -> AnyFact:
        fact = self.keep(address)
        self.feed.publish(address, encode_fact(fact))
        return fact

    def joined(self) -> None:
        """Wait until the feed has seen who joins or leaves: then a greeting is on the way."""
        assert self.feed._socket.poll(20_000)  # noqa: SLF001
        self.feed.greet(len(self.facts))

    def _deliver(self, to: str, envelope: Envelope) -> bool:
        assert to == GATEWAY
        self.asked.append(envelope.payload)
        if self.busy:
            return False
        request = requests.decode(envelope.payload)
        assert isinstance(request, requests.EventsReplay)
        facts = [f for f in self.facts if f.seq > request.after][: request.limit]
        raw = [msgspec.Raw(encode_fact(f)) for f in facts]
        result = {"facts": raw, "head": len(self.facts), "compacted": 0}
        self._bus.send(envelope.sender, requests.succeeded(request.id, result))
        return True


class Watched:
    """A client's socket, and what became of its connection. Make it before it connects."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self._socket = socket
        self._ends = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)

    def rest(self) -> list[bytes]:
        """All that comes until the other side has closed the connection."""
        found: list[bytes] = []
        poller = zmq.Poller()
        for each in (self._socket, self._ends):
            poller.register(each, zmq.POLLIN)
        ended = False
        while not ended:
            ready = dict(poller.poll(60_000))
            assert ready, f"the connection is open, after {found[-3:]}"
            ended = self._ends in ready
            while self._socket.poll(0):
                found.append(self._socket.recv())
        self._socket.disable_monitor()
        return found


class Outside:
    """A bus, and what its gateway was given.

    `answer` is called with each envelope in the router's thread.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.waiting = 0
        self.boxes: dict[str, list[Envelope]] = {GATEWAY: []}
        self.came = threading.Condition()
        self.answer: Callable[[Envelope], None] = lambda _: None
        self.bus = Bus(self._deliver, lambda: self.waiting)
        self.bus.bind(endpoint)
        self.bus.start()

    def _deliver(self, to: str, envelope: Envelope) -> bool:
        if to not in self.boxes:
            return False
        with self.came:
            self.boxes[to].append(envelope)
            self.came.notify_all()
        if to == GATEWAY:
            self.answer(envelope)
        return True

    def echo(self, envelope: Envelope) -> None:
        """Answer every request with its own bytes' number."""
        id = requests.id_of(envelope.payload)
        self.bus.send(envelope.sender, requests.succeeded(id, len(envelope.payload)))

    def until(self, to: str, count: int, timeout: float = 30) -> list[Envelope]:
        with self.came:
            assert self.came.wait_for(lambda: len(self.boxes[to]) >= count, timeout)
        return self.boxes[to]
