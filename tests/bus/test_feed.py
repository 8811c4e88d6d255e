"""The feed and the subscriber: what is lost on the way is seen, and healed."""

import json
import os
import select
from collections.abc import Callable, Iterator

import pytest
import zmq

import bus.subscriber
from bus.context import Context
from bus.errors import Refused
from bus.facts import decode_fact
from bus.subscriber import Subscriber
from tests.bus.wire_kit import Wire


@pytest.fixture
def subscribe(wire: Wire) -> Iterator[Callable[..., Subscriber]]:
    made: list[Subscriber] = []

    def subscribe(after: int = 0, address: str = "") -> Subscriber:
        made.append(Subscriber(wire.feed_at, wire.requests, after, address))
        return made[-1]

    yield subscribe
    for each in made:
        each.close()


@pytest.fixture
def connect(wire: Wire) -> Iterator[Callable[[bytes], "zmq.Socket[bytes]"]]:
    """A plain SUB socket that has joined."""
    context = Context()

    def connect(prefix: bytes) -> "zmq.Socket[bytes]":
        socket = context.socket(zmq.SUB)
        socket.linger, socket.rcvtimeo = 0, 20_000
        socket.subscribe(prefix)
        socket.connect(wire.feed_at)
        wire.joined()
        return socket

    yield connect
    context.destroy(linger=0)


@pytest.fixture
def listen(
    wire: Wire, connect: Callable[[bytes], "zmq.Socket[bytes]"]
) -> Callable[[bytes], "zmq.Socket[bytes]"]:
    """A plain SUB socket that has had its greetings."""

    def listen(prefix: bytes) -> "zmq.Socket[bytes]":
        socket = connect(b"runtime/")
        socket.recv()
        socket.subscribe(prefix)
        wire.joined()
        socket.recv()
        return socket

    return listen


def take(subscriber: Subscriber, count: int) -> list[int]:
    found: list[int] = []
    for _ in range(count):
        fact = subscriber.next(20)
        assert fact is not None, f"after {found}"
        found.append(fact.seq)
    return found


def joined(wire: Wire, subscriber: Subscriber) -> Subscriber:
    """The subscriber once it has joined the feed and has caught up with the journal."""
    wire.joined()
    read, write = os.pipe()
    os.write(write, b"x")  # so it waits for the journal's answer alone
    while subscriber.next(20, wake=read) is not None:
        pass
    os.close(read)
    os.close(write)
    return subscriber


# ---- frames ---------------------------------------------------------------------------


def test_a_fact_is_one_frame_address_space_json(
    wire: Wire, listen: Callable[[bytes], "zmq.Socket[bytes]"]
) -> None:
    socket = listen(b"")
    fact = wire.publish("runtime/x y/")
    address, space, body = socket.recv().partition(b"/ ")
    assert (address + space[:1], space[1:]) == (b"runtime/x y/", b" ")
    assert socket.getsockopt(zmq.RCVMORE) == 0
    assert decode_fact(body) == fact
    assert json.loads(body)["address"] == "runtime/x y/"


def test_a_prefix_filters_by_workflow(
    wire: Wire, listen: Callable[[bytes], "zmq.Socket[bytes]"]
) -> None:
    socket = listen(b"demo/")
    wire.publish("demo-2/")
    wire.publish("demo/login/1/")
    assert socket.recv().startswith(b"demo/login/1/ {")


def test_a_heartbeat_tells_the_head_in_silence(
    wire: Wire, listen: Callable[[bytes], "zmq.Socket[bytes]"]
) -> None:
    socket = listen(b"")
    wire.keep()
    wire.feed.heartbeat(1)
    address, _, body = socket.recv().partition(b" ")
    assert address == b"runtime/"
    assert json.loads(body) == {"type": "heartbeat", "head": 1}


def test_who_joins_is_told_the_head_and_sees_all_from_then_on(
    wire: Wire, connect: Callable[[bytes], "zmq.Socket[bytes]"]
) -> None:
    wire.keep()
    first = connect(b"")
    assert json.loads(first.recv().partition(b" ")[2]) == {"type": "heartbeat", "head": 1}
    second = connect(b"")  # what another listens to already
    assert json.loads(second.recv().partition(b" ")[2]) == {"type": "heartbeat", "head": 1}
    wire.feed.publish("demo/", b"{}")
    assert second.recv() == b"demo/ {}"


def test_who_leaves_is_no_reason_to_speak(
    wire: Wire, listen: Callable[[bytes], "zmq.Socket[bytes]"]
) -> None:
    socket = listen(b"demo/")
    socket.unsubscribe(b"demo/")
    wire.joined()
    wire.feed.publish("runtime/", b"{}")
    assert socket.recv() == b"runtime/ {}"


def test_publishing_never_waits_for_a_slow_reader(
    wire: Wire, listen: Callable[[bytes], "zmq.Socket[bytes]"]
) -> None:
    listen(b"")
    for _ in range(60_000):
        wire.feed.publish("demo/", b'{"x":"' + b"x" * 200 + b'"}')


# ---- the subscriber -------------------------------------------------------------------


def test_a_late_subscriber_gets_everything_from_the_journal_and_then_the_feed(
    wire: Wire, subscribe: Callable[..., Subscriber]
) -> None:
    for _ in range(2_500):
        wire.keep()
    subscriber = subscribe()
    assert take(subscriber, 2_500) == list(range(1, 2_501))
    joined(wire, subscriber)
    wire.publish()
    assert take(subscriber, 1) == [2_501]
    assert subscriber.healed == 2_500


def test_a_subscriber_that_goes_on_after_a_seq_gets_only_what_came_later(
    wire: Wire, subscribe: Callable[..., Subscriber]
) -> None:
    for _ in range(5):
        wire.keep()
    assert take(subscribe(after=3), 2) == [4, 5]


def test_a_gap_is_noticed_and_healed_in_order(
    wire: Wire, subscribe: Callable[..., Subscriber]
) -> None:
    """Hazard 26."""
    subscriber = joined(wire, subscribe())
    wire.publish()
    assert take(subscriber, 1) == [1]
    wire.keep()
    wire.keep()
    wire.publish()
    assert take(subscriber, 3) == [2, 3, 4]
    assert subscriber.healed == 3


def test_a_loss_before_a_silence_is_noticed_by_the_heartbeat(
    wire: Wire, subscribe: Callable[..., Subscriber]
) -> None:
    """Hazard 26."""
    subscriber = joined(wire, subscribe())
    wire.keep()
    wire.feed.heartbeat(1)
    assert take(subscriber, 1) == [1]
    assert subscriber.healed == 1


def test_a_fact_that_comes_twice_is_given_once(
    wire: Wire, subscribe: Callable[..., Subscriber]
) -> None:
    subscriber = joined(wire, subscribe())
    wire.publish()
    wire.feed.publish("runtime/", json.dumps({"type": "heartbeat", "head": 1}).encode())
    assert take(subscriber, 1) == [1]
    wire.facts.append(wire.facts[0])  # what a publisher that was restarted repeats
    wire.feed.publish(
        "runtime/",
        b'{"type":"runtime.started","seq":1,"at":"","address":"runtime/","pid":1,"version":""}',
    )
    wire.facts.pop()
    wire.publish()
    assert take(subscriber, 1) == [2]


def test_only_the_asked_address_and_below_is_given_and_the_rest_is_no_gap(
    wire: Wire, subscribe: Callable[..., Subscriber]
) -> None:
    subscriber = joined(wire, subscribe(address="demo"))
    for address in ("demo/", "demo-2/", "runtime/", "demo/login/1/", "other/"):
        wire.publish(address)
    wire.publish("demo/")
    assert take(subscriber, 3) == [1, 4, 6]
    assert subscriber.healed == 0


def test_a_runtime_that_was_restarted_is_followed_without_loss(
    wire: Wire, subscribe: Callable[..., Subscriber]
) -> None:
    subscriber = joined(wire, subscribe())
    wire.publish()
    assert take(subscriber, 1) == [1]
    wire.down()
    wire.keep()
    assert subscriber.next(0) is None
    wire.keep()
    wire.up()
    wire.joined()
    assert take(subscriber, 2) == [2, 3]
    wire.publish()
    assert take(subscriber, 1) == [4]


def test_a_runtime_that_is_starting_is_asked_again_when_the_feed_speaks(
    wire: Wire, subscribe: Callable[..., Subscriber]
) -> None:
    wire.keep()
    wire.busy = True
    subscriber = subscribe()
    assert subscriber.next(0.5) is None
    asked = len(wire.asked)
    assert asked <= 5, "it must not be asked without a pause"
    wire.busy = False
    wire.feed.heartbeat(1)
    assert take(subscriber, 1) == [1]


def test_waiting_has_an_end_though_nobody_answers(
    wire: Wire, subscribe: Callable[..., Subscriber], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus.subscriber, "HEARTBEAT_SECONDS", 3600.0)
    wire.down()
    subscriber = subscribe()
    assert subscriber.next(0.5) is None
    assert subscriber.next(0.5) is None
    wire.up()
    wire.keep()
    assert take(subscriber, 1) == [1]
    assert len(wire.asked) <= 3, "questions nobody waits for any more are not asked"


@pytest.mark.usefixtures("wire")
def test_a_refusal_that_no_waiting_mends_is_an_error(subscribe: Callable[..., Subscriber]) -> None:
    subscriber = subscribe(after=-1)
    with pytest.raises(Refused, match="after"):
        subscriber.next(5)


def test_a_slow_subscriber_loses_frames_and_no_facts(
    wire: Wire, subscribe: Callable[..., Subscriber]
) -> None:
    subscriber = joined(wire, subscribe())
    subscriber._socket.close()  # noqa: SLF001
    wire.joined()
    subscriber._socket = subscriber._context.socket(zmq.SUB)  # noqa: SLF001
    subscriber._socket.set_hwm(1)  # noqa: SLF001
    subscriber._socket.setsockopt(zmq.RCVBUF, 1)  # noqa: SLF001
    subscriber._socket.subscribe(b"")  # noqa: SLF001
    subscriber._socket.connect(wire.feed_at)  # noqa: SLF001
    joined(wire, subscriber)
    for _ in range(50_000):
        wire.publish()
    wire.feed.heartbeat(50_000)
    found = 0
    while found < 50_000:
        wire.feed.heartbeat(50_000)
        while (fact := subscriber.next(0.2)) is not None:
            found += 1
            assert fact.seq == found
    assert subscriber.healed > 0


@pytest.mark.parametrize("say", ["greet", "heartbeat"])
def test_who_joins_while_another_is_greeted_is_noticed(
    wire: Wire,
    connect: Callable[[bytes], "zmq.Socket[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
    say: str,
) -> None:
    """Hazard 82."""
    socket = connect(b"runtime/")
    socket.subscribe(b"output/a/")
    assert wire.feed._socket.poll(20_000)  # noqa: SLF001
    topics = [b"output/b/"]
    publish = wire.feed.publish

    def joined_before(address: str, body: bytes) -> None:
        if topics:
            socket.subscribe(topics.pop())
            edge = select.poll()
            edge.register(wire.feed.fileno(), select.POLLIN)
            assert edge.poll(20_000)
        publish(address, body)

    monkeypatch.setattr(wire.feed, "publish", joined_before)
    getattr(wire.feed, say)(0)
    assert wire.feed.outputs == {"a/", "b/"}
