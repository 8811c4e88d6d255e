"""Facts to one and to ten subscribers, each in a process of its own.

They go from the journal through the publisher to `bus.subscriber`. The reference is PUB and SUB
with msgspec and nothing else.

The rate is taken between the first fact that reached any subscriber and the last that reached all,
by the machine's clock.
"""

import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import zmq

from actors.runtime.runtime import Runtime
from bench.table import Row, alternate, at_least
from bus import connection
from bus.facts import CommitSeen, encode_fact
from bus.subscriber import Subscriber


def fact(number: int) -> CommitSeen:
    """Return a fact of the usual size."""
    return CommitSeen(
        seq=number,
        at="2026-01-01T00:00:00.000000Z",
        address="none/login/",
        branch="feat/login",
        commit="0123456789abcdef0123456789abcdef01234567",
        subject="Write the parser",
        author="A <a@b>",
    )


def listen(kind: str, feed: str, asks: str, after: str, count: int) -> None:
    """Run one subscriber: print that it listens, and the time of each round's facts."""
    hear = _subscriber(feed, asks, int(after)) if kind == "ours" else _bare_subscriber(feed)
    print("listens", flush=True)
    while True:
        hear()
        first = time.monotonic_ns()
        for _ in range(count - 1):
            hear()
        print(first, time.monotonic_ns(), flush=True)


def _subscriber(feed: str, asks: str, after: int) -> Callable[[], object]:
    subscriber = Subscriber(feed, asks, after=after)
    while subscriber.next(0.2) is not None:
        pass
    return subscriber.next


def _bare_subscriber(feed: str) -> Callable[[], object]:
    decode = msgspec.json.Decoder(CommitSeen).decode
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.set_hwm(0)
    socket.subscribe(b"")
    socket.connect(feed)

    def hear() -> CommitSeen:
        while True:
            fact = decode(socket.recv().partition(b" ")[2])
            if fact.seq:
                return fact

    assert decode(socket.recv().partition(b" ")[2]).seq == 0, "published until all listen"
    return hear


class Heard:
    """Subscribers in processes of their own."""

    def __init__(self, number: int, *words: object) -> None:
        self.count = int(str(words[-1]))
        argv = [sys.executable, "-m", "bench.feed", *map(str, words)]
        self.processes = [
            subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, bufsize=1)
            for _ in range(number)
        ]

    def lines(self) -> list[str]:
        """Return the next line of each subscriber."""
        return [each.stdout.readline() for each in self.processes if each.stdout is not None]

    def all_listen(self, meanwhile: Callable[[], None]) -> None:
        """Wait until all subscribers listen; call `meanwhile` again and again until then."""
        for each in self.processes:
            assert each.stdout is not None
            while not select.select([each.stdout], [], [], 0.005)[0]:
                meanwhile()
            each.stdout.readline()

    def rate(self) -> float:
        """Return the facts that reached all subscribers in a second of this round."""
        spans = [[int(word) for word in line.split()] for line in self.lines()]
        return (self.count - 1) * 1e9 / (max(s[1] for s in spans) - min(s[0] for s in spans))

    def close(self) -> None:
        """End the subscribers."""
        for each in self.processes:
            each.kill()
            each.communicate()


class Ours:
    """Callboard's side: the journal of a runtime, and subscribers to its feed."""

    def __init__(self, runtime: Runtime, number: int, count: int) -> None:
        self.journal = runtime._journal  # noqa: SLF001
        self.count = count
        served = connection.read(runtime.home)
        self.heard = Heard(number, "ours", served.feed, served.requests, self.journal.head, count)
        self.heard.all_listen(lambda: None)

    def rate(self) -> float:
        """Return the facts in a second.

        Many facts are stored in one change, so that the publisher is measured, not the disk.
        """
        self.journal.commit([fact(0) for _ in range(self.count)])
        return self.heard.rate()

    def close(self) -> None:
        """End the subscribers."""
        self.heard.close()


class Bare:
    """The reference: a PUB socket, and subscribers to it."""

    def __init__(self, at: Path, number: int, count: int) -> None:
        self.count = count
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.PUB)
        self.socket.set_hwm(0)
        self.socket.bind(f"ipc://{at}/bare-{number}")
        self.heard = Heard(number, "bare", f"ipc://{at}/bare-{number}", "-", 0, count)
        self.heard.all_listen(lambda: self._send(0))

    def _send(self, number: int) -> None:
        made = fact(number)
        self.socket.send(made.address.encode() + b" " + encode_fact(made))

    def rate(self) -> float:
        """Return the facts in a second."""
        for number in range(1, self.count + 1):
            self._send(number)
        return self.heard.rate()

    def close(self) -> None:
        """End the subscribers, and close the socket."""
        self.heard.close()
        self.context.destroy(0)


def run(at: Path, quick: bool) -> list[Row]:
    """Measure the rate of facts to one and to ten subscribers."""
    rounds, count = (2, 3_000) if quick else (5, 10_000)
    runtime = Runtime(at / "home")
    runtime.start()
    rows = []
    try:
        for number in (1, 10):
            ours, bare = Ours(runtime, number, count), Bare(at, number, count)
            rates = alternate(rounds, ours.rate, bare.rate)
            what = f"facts to {number} subscriber{'s' if number > 1 else ''}"
            rows.append(at_least(what, "/s", rates, 0.5, "PUB/SUB with msgspec"))
            ours.close()
            bare.close()
    finally:
        runtime.stop()
    return rows


if __name__ == "__main__":
    listen(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
