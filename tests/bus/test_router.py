"""The router: who gets what, what strangers are answered, and that nobody waits."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import zmq

from actors.supervision.mailbox import Directory, Mailbox
from bus import messages, requests, router
from bus.address import GATEWAY
from bus.client import Client, NoAnswer
from bus.context import Context
from bus.messages import AskTurn, Look
from bus.peer import By, Caller, Peer
from bus.router import MAX_WAITING, Bus, Envelope
from tests.bus.wire_kit import Outside, Watched

Dial = Callable[[int], "zmq.Socket[bytes]"]


def error(reply: bytes) -> dict[str, Any]:
    answer = json.loads(reply)
    assert answer["ok"] is False
    assert "result" not in answer or answer["result"] is None
    found: dict[str, Any] = answer["error"]
    return found


def ask(socket: "zmq.Socket[bytes]", *frames: bytes) -> bytes:
    socket.send_multipart(frames)
    return socket.recv()


def still_serves(dial: Dial) -> bool:
    """A client that behaves is answered after whatever the others did."""
    reply = json.loads(ask(dial(zmq.DEALER), b'{"type":"runtime.info","id":7}'))
    return bool(reply == {"id": 7, "ok": True, "result": 30})


def test_a_message_comes_out_as_it_went_in_with_its_sender(outside: Outside) -> None:
    outside.boxes["demo/login/1/"] = []
    told = AskTurn(terminal="demo/login/1/", incarnation=3)
    outside.bus.send("demo/login/1/", messages.encode(told), sender="demo/")
    (envelope,) = outside.until("demo/login/1/", 1)
    assert envelope.sender == "demo/"
    assert messages.decode(envelope.payload) == told


def test_one_sender_s_messages_arrive_in_order(outside: Outside) -> None:
    outside.boxes["a/"] = []
    for number in range(5_000):
        outside.bus.send("a/", b"%d" % number)
    got = outside.until("a/", 5_000)
    assert [int(e.payload) for e in got] == list(range(5_000))


def test_a_message_to_nobody_is_counted_and_harms_nobody(outside: Outside) -> None:
    outside.boxes["a/"] = []
    outside.bus.send("nobody/", messages.encode(Look()))
    outside.bus.send("a/", messages.encode(Look()))
    outside.until("a/", 1)
    assert outside.bus.undelivered == 1


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_a_client_is_answered_with_one_frame(outside: Outside, dial: Dial, kind: int) -> None:
    outside.answer = outside.echo
    socket = dial(kind)
    for number in (1, 2):
        socket.send(b'{"type":"runtime.info","id":%d}' % number)
        frames = socket.recv_multipart()
        assert [json.loads(f) for f in frames] == [{"id": number, "ok": True, "result": 30}]


def test_a_request_reaches_the_gateway_under_an_address_that_anyone_may_answer(
    outside: Outside, dial: Dial
) -> None:
    socket = dial(zmq.DEALER)
    socket.send(b"{}")
    (envelope,) = outside.until(GATEWAY, 1)
    assert envelope.sender.startswith("client/")
    outside.bus.send(envelope.sender, b"from an actor")
    assert socket.recv() == b"from an actor"


def test_a_request_is_answered_once_whoever_answers_again(outside: Outside, dial: Dial) -> None:
    socket = dial(zmq.DEALER)
    socket.send(b'{"id":1}')
    (first,) = outside.until(GATEWAY, 1)
    outside.bus.send(first.sender, b"1")
    outside.bus.send(first.sender, b"1 again")
    socket.send(b'{"id":2}')
    second = outside.until(GATEWAY, 2)[1]
    outside.bus.send(second.sender, b"2")
    assert [socket.recv(), socket.recv()] == [b"1", b"2"]


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_a_door_that_closes_answers_every_request_that_is_open(directory: Path, kind: int) -> None:
    outside = Outside(f"ipc://{directory}/closing")
    context = Context()
    sockets = [context.socket(kind) for _ in range(20)]
    for number, socket in enumerate(sockets):
        socket.rcvtimeo = 20_000
        socket.connect(outside.endpoint)
        socket.send(b'{"type":"runtime.info","id":%d}' % number)
    taken = outside.until(GATEWAY, 20)
    outside.bus.send(
        taken[0].sender, requests.succeeded(requests.id_of(taken[0].payload), "in time")
    )
    outside.bus.stop()
    replies = [json.loads(socket.recv()) for socket in sockets]
    context.destroy(linger=0)
    assert [reply["id"] for reply in replies] == list(range(20))
    assert sorted(r["error"]["reason"] for r in replies if not r["ok"]) == ["stopping"] * 19


@pytest.mark.parametrize("reads", ["while it stops", "afterwards"])
def test_at_the_end_also_thousands_that_nobody_has_read_are_answered(
    directory: Path, reads: str
) -> None:
    come, go_on, count = threading.Event(), threading.Event(), 5_000

    def busy(_to: str, _envelope: Envelope) -> bool:
        come.set()
        assert go_on.wait(30)
        return True

    bus = Bus(busy)
    bus.bind(f"ipc://{directory}/many")
    bus.start()
    context = Context()
    socket = context.socket(zmq.DEALER)
    socket.set_hwm(0)
    watched = Watched(socket)
    socket.connect(f"ipc://{directory}/many")
    for number in range(count):
        socket.send(b'{"type":"runtime.info","id":%d}' % number)
    assert come.wait(30)
    stopping = threading.Thread(target=bus.stop)
    stopping.start()
    while bus._going:  # noqa: SLF001
        threading.Event().wait(0.01)
    go_on.set()
    if reads == "afterwards":
        stopping.join()
    found = [json.loads(reply) for reply in watched.rest()]
    stopping.join()
    context.destroy(linger=0)
    assert sorted(reply["id"] for reply in found) == list(range(count))
    assert {reply["error"]["code"] for reply in found} == {503}


def test_what_nobody_can_take_yet_is_refused_and_not_kept(directory: Path) -> None:
    bus = Bus(lambda _to, _envelope: False)
    bus.bind(f"ipc://{directory}/early")
    bus.start()
    context = Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(f"ipc://{directory}/early")
    for number in range(3):
        refused = error(ask(socket, b'{"type":"runtime.info","id":%d}' % number))
        assert (refused["code"], refused["reason"]) == (503, "stopping")
    context.destroy(linger=0)
    bus.stop()
    assert router._STOPPING.__traceback__ is None, "it would hold each request's frame"  # noqa: SLF001


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_a_frame_that_is_too_large_is_refused_unread(
    outside: Outside, dial: Dial, kind: int
) -> None:
    outside.answer = outside.echo
    found = error(ask(dial(kind), b'{"id":1,"x":"' + b"x" * (2 << 20) + b'"}'))
    assert found["code"] == 422
    assert "1048576" in found["message"]
    assert outside.boxes[GATEWAY] == []
    assert still_serves(dial)


@pytest.mark.parametrize(
    "frames",
    [
        (b'{"type":"runtime.info"}', b"{}"),
        (b"", b"{}", b"{}"),
        (b"",) * 50,
        (b"\xff\x00", b"\xfe" * 1000, b""),
    ],
)
def test_several_frames_are_refused(outside: Outside, dial: Dial, frames: Any) -> None:
    outside.answer = outside.echo
    found = error(ask(dial(zmq.DEALER), *frames))
    assert (found["code"], found["reason"]) == (422, "malformed")
    assert still_serves(dial)


def test_a_full_gateway_says_so_with_the_request_s_id(outside: Outside, dial: Dial) -> None:
    """Hazard 25."""
    socket = dial(zmq.DEALER)
    outside.waiting = MAX_WAITING
    reply = ask(socket, b'{"type":"runtime.info","id":"x"}')
    assert error(reply)["code"] == 429
    assert json.loads(reply)["id"] == "x"
    outside.waiting = MAX_WAITING - 1
    outside.answer = outside.echo
    assert json.loads(ask(socket, b"{}"))["ok"]


def test_without_a_gateway_the_answer_is_that_it_stops(outside: Outside, dial: Dial) -> None:
    del outside.boxes[GATEWAY]
    assert error(ask(dial(zmq.REQ), b"{}"))["code"] == 503


def test_a_door_that_breaks_says_so(tmp_path: Path) -> None:
    """Else the runtime would go on and hear nobody. Hazard 20."""
    told: SimpleQueue[str] = SimpleQueue()

    def breaks(*_: object) -> bool:
        raise ZeroDivisionError

    bus = Bus(breaks, on_death=told.put)
    bus.bind(f"ipc://{tmp_path}/door")
    bus.start()
    with Client(f"ipc://{tmp_path}/door", timeout=0.1) as client, suppress(NoAnswer):
        client.call("runtime.info")
    assert "the door broke: ZeroDivisionError" in told.get(timeout=30)
    bus.stop()


def test_a_client_that_died_harms_nobody(outside: Outside, dial: Dial) -> None:
    gone = dial(zmq.DEALER)
    gone.send(b"{}")
    (envelope,) = outside.until(GATEWAY, 1)
    gone.close()
    for _ in range(100):
        outside.bus.send(envelope.sender, b"x" * 1_000)
    outside.answer = outside.echo
    assert still_serves(dial)


def test_a_client_that_never_reads_is_bounded_and_harms_nobody(
    outside: Outside, dial: Dial
) -> None:
    stuck = dial(zmq.DEALER)
    stuck.rcvhwm = 1
    stuck.send(b"{}")
    (envelope,) = outside.until(GATEWAY, 1)
    for _ in range(5_000):
        outside.bus.send(envelope.sender, b"x" * 10_000)
    outside.answer = outside.echo
    assert still_serves(dial)


def test_two_clients_get_their_own_answers(outside: Outside, dial: Dial) -> None:
    outside.answer = outside.echo
    one, two = dial(zmq.DEALER), dial(zmq.REQ)
    for number in range(50):
        one.send(b'{"id":"one-%d"}' % number)
        two.send(b'{"id":"two-%d"}' % number)
        assert json.loads(two.recv())["id"] == f"two-{number}"
    assert [json.loads(one.recv())["id"] for _ in range(50)] == [f"one-{n}" for n in range(50)]


def test_telling_never_blocks_though_the_receiver_is_stuck() -> None:
    """Nobody reads this mailbox, and nothing that is told is lost. Hazard 25."""
    directory, mailbox = Directory(), Mailbox("stuck/")
    directory.register("stuck/", mailbox)
    bus = Bus(directory.deliver)
    bus.start()
    for number in range(50_000):
        bus.send("stuck/", b"%d" % number)
    bus.stop()
    items: list[Any] = mailbox.drain()
    assert [int(item.payload) for item in items] == list(range(50_000))


def test_many_threads_tell_and_nothing_is_lost_or_torn(outside: Outside) -> None:
    outside.boxes["a/"] = []

    def tell(name: str) -> None:
        for number in range(500):
            outside.bus.send("a/", b"%d" % number, sender=name)

    tellers = [threading.Thread(target=tell, args=(f"t{n}/",)) for n in range(8)]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join()
    got = outside.until("a/", 4_000)
    for n in range(8):
        assert [int(e.payload) for e in got if e.sender == f"t{n}/"] == list(range(500))


def test_a_person_s_connection_is_identified_once_and_every_other_one_at_each_request(
    directory: Path,
) -> None:
    asked: list[Peer | None] = []
    said: list[By] = []

    def identify(peer: Peer | None, _said: bytes = b"") -> Caller:
        asked.append(peer)
        return Caller(by[0], "", "" if by[0] == By.PERSON else "an agent")

    def deliver(_to: str, envelope: Envelope) -> bool:
        assert envelope.caller is not None
        said.append(envelope.caller.by)
        return bus.send(envelope.sender, b"{}")

    bus = Bus(deliver, identify=identify)
    bus.bind(f"ipc://{directory}/who")
    bus.start()
    context = Context()
    try:
        for who, name, times in (
            (By.PERSON, b"", 1),
            (By.PERSON, b"", 1),  # a further connection
            (By.PERSON, b"chosen", 3),  # the client chose its name: another one may have it next
            (By.AGENT, b"", 3),
        ):
            by = [who]
            with context.socket(zmq.DEALER) as socket:
                socket.rcvtimeo = 20_000
                socket.linger = 0
                if name:
                    socket.routing_id = name
                socket.connect(f"ipc://{directory}/who")
                before = len(asked)
                for _ in range(3):
                    ask(socket, b'{"id":1}')
                assert len(asked) - before == times
                assert said[-3:] == [who] * 3
    finally:
        context.destroy(linger=0)
        bus.stop()
