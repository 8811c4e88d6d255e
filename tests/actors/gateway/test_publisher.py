"""A subscriber that joins a silent runtime learns at once where the feed stands.

It does not wait for the next heartbeat, which never comes here.
"""

import json
from collections.abc import Callable, Iterator

import pytest
import zmq

from actors.gateway import publisher
from bus.subscriber import Subscriber
from tests.actors.served import Served


@pytest.fixture(autouse=True)
def _no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "HEARTBEAT_SECONDS", 3600.0)


@pytest.fixture
def greeting(served: Served) -> Iterator[Callable[[], int]]:
    """Joins, and returns the head it is told. Whoever joined before goes on listening."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

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
