"""Live output on the feed: for subscribers to `output/…`, while they are there."""

import time

import zmq

from bus import connection
from bus.subscriber import Subscriber
from tests.doors.acting import Acting


def listen(shell: Acting, topic: bytes) -> "zmq.Socket[bytes]":
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    socket = context.socket(zmq.SUB)
    socket.linger = 0
    socket.rcvtimeo = 60_000
    socket.subscribe(topic)
    socket.connect(connection.read(shell.home.path).feed)
    return socket


def until(shell: Acting, socket: "zmq.Socket[bytes]", wanted: bytes) -> list[tuple[int, bytes]]:
    """Type it again and again until it is on the feed; the pieces until then."""
    pieces: list[tuple[int, bytes]] = []
    end = time.monotonic() + 60
    while wanted not in b"".join(data for _, data in pieces):
        assert time.monotonic() < end, pieces
        shell.call("terminal.input", terminal="demo/a/1", text="echo hi-$((1+1))\r")
        while socket.poll(500):
            address, offset, data = socket.recv().split(b" ", 2)
            assert address == b"output/demo/a/1/"
            pieces.append((int(offset), data))
    return pieces


def test_output_flows_to_who_subscribes_with_its_offset(shell: Acting) -> None:
    socket = listen(shell, b"output/demo/")
    pieces = until(shell, socket, b"hi-2")
    socket.close()
    at = pieces[0][0]
    for offset, data in pieces:
        assert offset >= at
        at = offset + len(data)


def test_a_subscriber_to_facts_is_not_disturbed_by_output(shell: Acting) -> None:
    at = connection.read(shell.home.path)
    facts = Subscriber(at.feed, at.requests)
    socket = listen(shell, b"output/")
    until(shell, socket, b"hi-2")
    head = shell.call("runtime.info")["head"]
    seen: list[int] = []
    while len(seen) < head:
        fact = facts.next(30)
        assert fact is not None, seen
        seen.append(fact.seq)
    assert seen == list(range(1, head + 1))
    facts.close()
    socket.close()
