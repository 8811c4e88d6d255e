"""Actor to actor over the bus, against a DEALER and a ROUTER of pyzmq with msgspec.

A message is encoded, routed by address, put into a mailbox, decoded and handled. The reference does
nothing but encode, send and decode.
"""

import itertools
import statistics
import threading
import time
from pathlib import Path

import msgspec
import zmq

from actors.supervision.actor import Actor, handles
from actors.supervision.mailbox import Directory
from actors.supervision.spec import SupervisorSpec, worker
from actors.supervision.tree import start_tree
from bench.table import Row, alternate, at_least, at_most
from bus import messages
from bus.messages import AskTurn
from bus.router import Bus

_numbers = itertools.count()


class Counter(Actor):
    """An actor that counts messages, and answers the bench's thread or the other actor."""

    def __init__(self, rig: "Rig") -> None:
        super().__init__()
        self.rig = rig

    def decode(self, item: object) -> object:
        """Return the message in an envelope of the bus."""
        return messages.decode(item.payload)  # type: ignore[attr-defined]

    @handles(AskTurn)
    def ask(self, _message: AskTurn) -> None:
        """Count a message; at the goal wake the bench.

        While answering, send one to the other actor.
        """
        self.rig.count += 1
        if self.rig.count >= self.rig.goal:
            self.rig.done.set()
        elif self.rig.answering:
            other = "two/" if self.address == "one/" else "one/"
            self.rig.times.append(time.perf_counter())
            self.rig.bus.send(other, messages.encode(AskTurn("demo/login/1/", self.rig.count)))


class Rig:
    """Two actors under a supervisor, and the bus between them."""

    def __init__(self) -> None:
        directory = Directory()
        self.bus = Bus(directory.deliver)
        self.bus.start()
        self.count = self.goal = 0
        self.answering = False
        self.times: list[float] = []
        self.done = threading.Event()
        self.tree = start_tree(
            SupervisorSpec(
                "bench",
                children=(
                    worker("one", Counter, self, address="one/"),
                    worker("two", Counter, self, address="two/"),
                ),
            ),
            directory=directory,
        )

    def _go(self, count: int, answering: bool) -> None:
        self.count, self.goal, self.answering = 0, count, answering
        self.times.clear()
        self.done.clear()

    def rate(self, count: int) -> float:
        """Return the messages handled in a second, of `count` sent."""
        self._go(count, False)
        began = time.perf_counter()
        for number in range(count):
            self.bus.send("one/", messages.encode(AskTurn("demo/login/1/", number)))
        self.done.wait()
        return count / (time.perf_counter() - began)

    def round_trip(self, count: int) -> float:
        """Return the median round trip in microseconds, of `count`."""
        self._go(2 * count, True)
        self.bus.send("one/", messages.encode(AskTurn("demo/login/1/", 0)))
        self.done.wait()
        return p50_of_trips(self.times[::2])

    def close(self) -> None:
        """Stop the actors and the bus."""
        self.tree.stop(5.0)
        self.bus.stop()


class Bare:
    """The reference: a ROUTER in a thread of its own, a DEALER in the caller's."""

    def __init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        name = f"inproc://bare-{next(_numbers)}"
        self.router = self.context.socket(zmq.ROUTER)
        self.router.set_hwm(0)
        self.router.bind(name)
        self.dealer = self.context.socket(zmq.DEALER)
        self.dealer.set_hwm(0)
        self.dealer.connect(name)
        self.encode = msgspec.msgpack.Encoder().encode
        self.decode = msgspec.msgpack.Decoder(AskTurn).decode
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while True:
            sender, payload = self.router.recv_multipart()
            message = self.decode(payload)
            if message.terminal == "end":
                return
            if message.terminal == "answer":
                self.router.send_multipart((sender, self.encode(message)))

    def rate(self, count: int) -> float:
        """Return the messages received in a second, of `count` sent."""
        began = time.perf_counter()
        for number in range(count - 1):
            self.dealer.send(self.encode(AskTurn("demo/login/1/", number)))
        self.dealer.send(self.encode(AskTurn("answer", 0)))
        self.dealer.recv()
        return count / (time.perf_counter() - began)

    def round_trip(self, count: int) -> float:
        """Return the median round trip in microseconds, of `count`."""
        times = []
        for number in range(count):
            times.append(time.perf_counter())
            self.dealer.send(self.encode(AskTurn("answer", number)))
            self.decode(self.dealer.recv())
        return p50_of_trips(times)

    def close(self) -> None:
        """End the thread, and close the sockets."""
        self.dealer.send(self.encode(AskTurn("end", 0)))
        self.thread.join()
        self.dealer.close()
        self.router.close()
        self.context.term()


def p50_of_trips(times: list[float]) -> float:
    """Return the median trip in microseconds.

    `times` are the moments at which one trip ended and the next began.
    """
    return statistics.median(b - a for a, b in itertools.pairwise(times)) * 1e6


def run(_at: Path, quick: bool) -> list[Row]:
    """Measure the rate and the round trip of messages between actors."""
    ours, bare = Rig(), Bare()
    rounds, count = (3, 5_000) if quick else (7, 30_000)
    try:
        rates = alternate(rounds, lambda: ours.rate(count), lambda: bare.rate(count))
        trips = alternate(
            rounds, lambda: ours.round_trip(count // 15), lambda: bare.round_trip(count // 15)
        )
    finally:
        ours.close()
        bare.close()
    against = "pyzmq DEALER-ROUTER with msgspec"
    return [
        at_least("actor to actor, rate", "/s", rates, 0.6, against),
        at_most("actor to actor, round trip p50", "us", trips, 2.5, against),
    ]
