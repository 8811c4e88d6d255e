"""The gateway while no runtime serves, and the next one."""

import socket
import threading

import pytest

from actors.models import said, starting
from tests.actors.models.kit import TOKEN, Desk, Request, Upstream, answer


def test_a_stream_goes_on_when_the_runtime_is_killed(desk: Desk) -> None:
    go_on = threading.Event()

    def serve(connection: socket.socket, _request: Request) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        assert go_on.wait(30)
        connection.sendall(b"1\r\nb\r\n0\r\n\r\n")

    with Upstream(serve) as server, desk.client() as client:
        desk.open(server.url)
        with client.stream("POST", "/v1/messages", content=b"{}") as found:
            pieces = found.iter_raw()
            assert next(pieces) == b"a"
            desk.hang_up()
            go_on.set()
            assert list(pieces) == [b"b"]
        assert client.post("/v1/messages", content=b"{}").content == b"ab"
    assert desk.asked == [TOKEN]
    assert desk.used(lambda used: used.requests == 2)


def test_a_token_that_is_not_known_yet_is_told_to_come_again(desk: Desk) -> None:
    with Upstream(lambda c, _: c.sendall(answer(b"{}"))) as server:
        desk.open(server.url)
        desk.hang_up()
        while True:  # until it has noticed
            found = desk.post("/v1/messages")
            if "no runtime serves" in found.text:
                break
        assert found.status_code == 503
        assert found.headers["retry-after"] == "1"
        desk.listen()
        while desk.post("/v1/messages").status_code != 200:
            pass


def test_what_was_not_acknowledged_is_told_to_the_next_runtime(desk: Desk) -> None:
    reply = answer(b"{}", "429 Too Many", retry_after="3600")
    desk.takes = False
    with Upstream(lambda c, _: c.sendall(reply)) as server:
        desk.open(server.url)
        desk.post("/v1/messages")
        desk.until_happened(1)
        desk.hang_up()
        desk.takes = True
        desk.listen()
        first, again = desk.until_happened(2)
        assert first == again
        desk.post("/v1/messages")  # the acknowledgement has come before this one's answer
        desk.hang_up()
        desk.listen()
        desk.open(server.url, "another")
        desk.post("/v1/messages", token="another")
    assert len(desk.happened) == 2


def test_it_comes_back_on_its_port_and_counts_on(desk: Desk) -> None:
    with Upstream(lambda c, _: c.sendall(answer(b"{}"))) as server:
        desk.open(server.url)
        desk.post("/v1/messages")
        desk.used()
        before = desk.place
        desk.process.kill()
        desk.process.wait()
        desk.hang_up()
        assert not said.lives(desk.home)
        desk.start(before.port)
        desk.listen()
        assert desk.place.port == before.port
        assert desk.place.pid != before.pid
        desk.post("/v1/messages")
    assert desk.used(lambda used: used.requests == 2)


def test_it_takes_another_port_if_its_own_is_taken(desk: Desk) -> None:
    before = desk.place.port
    desk.hang_up()
    starting.end(desk.home)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before))
        other.listen()
        desk.process.wait()
        desk.start(before)
    assert desk.place.port != before
    assert said.read_place(desk.home) == desk.place


def test_there_is_one_for_a_home(desk: Desk) -> None:
    with pytest.raises(starting.NotStarted, match=r"models\.log"):
        starting.start(desk.home, desk.sockets, "x", 0)
    assert desk.process.poll() is None


def test_it_is_ended_where_no_terminal_is_left(desk: Desk) -> None:
    starting.end_unneeded(desk.home)
    assert said.lives(desk.home)
    desk.die()
    starting.end_unneeded(desk.home)
    assert not said.lives(desk.home)
    assert list(desk.sockets.iterdir()) == []
