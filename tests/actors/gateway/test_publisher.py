"""A subscriber that joins a silent runtime learns at once where the feed stands.

It does not wait for the next heartbeat, which never comes here.
"""

import json
import select
import threading
from collections.abc import Callable, Iterator

import pytest
import zmq

from actors.gateway import publisher
from actors.gateway.outputs import Wanted
from bus.context import Context
from bus.feed import Feed
from bus.subscriber import Subscriber
from tests.actors.served import Served, until


@pytest.fixture(autouse=True)
def _no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "HEARTBEAT_SECONDS", 3600.0)


@pytest.fixture
def greeting(served: Served) -> Iterator[Callable[[], int]]:
    """Joins, and returns the head it is told. Whoever joined before goes on listening."""
    context = Context()

    def greeting() -> int:
        socket = context.socket(zmq.SUB)
        socket.rcvtimeo = 30_000
        socket.subscribe(b"")
        socket.connect(served.at.feed)
        while True:
            said = json.loads(socket.recv().partition(b" ")[2])
            if said["type"] == "heartbeat":
                return int(said["head"])

    yield greeting
    context.destroy(linger=0)


def head(served: Served) -> int:
    return int(served.client.call("runtime.info")["head"])


def test_each_who_joins_in_silence_is_told_the_head(
    served: Served, greeting: Callable[[], int]
) -> None:
    for _ in range(5):
        assert greeting() == head(served)


def test_also_by_a_publisher_that_was_started_again(
    served: Served, greeting: Callable[[], int]
) -> None:
    greeting()
    assert served.poison("runtime/publisher/")
    follower = Subscriber(served.at.feed, served.at.requests)
    while (fact := follower.next(30)) is not None and fact.address != "runtime/publisher/":
        pass
    follower.close()
    assert fact is not None
    assert greeting() >= fact.seq


def test_who_joins_while_a_heartbeat_is_sent_gets_output(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 82."""
    wanted: list[frozenset[str]] = []

    def wants(prefixes: frozenset[str]) -> Wanted:
        wanted.append(prefixes)
        return Wanted(prefixes)

    monkeypatch.setattr(publisher, "Wanted", wants)
    context = Context()
    socket = context.socket(zmq.SUB)
    socket.linger, socket.rcvtimeo = 0, 30_000
    socket.subscribe(b"runtime/")
    socket.connect(served.at.feed)
    socket.recv()  # its greeting
    beats: list[bytes] = []
    publish = Feed.publish

    def joined_before(feed: Feed, address: str, body: bytes) -> None:
        if not beats:
            socket.subscribe(b"output/x/")
            edge = select.poll()
            edge.register(feed.fileno(), select.POLLIN)
            assert edge.poll(30_000)
        beats.append(body)
        publish(feed, address, body)

    monkeypatch.setattr(Feed, "publish", joined_before)
    holds, over = threading.Event(), threading.Event()
    loop = served.runtime._stage.loop  # noqa: SLF001

    def hold() -> None:
        holds.set()
        over.wait(60)

    loop.post(hold)  # it sees no edge
    assert holds.wait(30)
    for _ in range(2):
        assert served.runtime._directory.deliver("runtime/publisher/", publisher._Beat())  # noqa: SLF001
    until(lambda: len(beats) > 1)
    over.set()
    until(lambda: frozenset({"x/"}) in wanted)
    context.destroy(linger=0)
