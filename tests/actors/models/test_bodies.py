"""The body of a request goes on while it comes; no server gets all of one that is refused."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator

import pytest

from actors.models.body import Body
from bus.kinds import LimitKind
from tests.actors.models.kit import KEY, TOKEN, Desk, Request, Upstream, answer
from tests.doors.working import until

LARGE = 3 << 20
HEAD = f"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:{{port}}\r\nx-api-key: {TOKEN}\r\n"


class Listening:
    """A server that gives out what comes on its connections as it comes."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(30)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def accept(self) -> socket.socket:
        connection, _ = self._listening.accept()
        connection.settimeout(30)
        return connection

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def server() -> Iterator[Listening]:
    listening = Listening()
    yield listening
    listening.close()


def named(model: str, size: int = LARGE) -> bytes:
    return json.dumps({"messages": "x" * size, "model": model}).encode()


def program(desk: Desk, size: int, *more: str) -> socket.socket:
    """A program that has sent the head of a request with a body of so many bytes."""
    raw = socket.create_connection(("127.0.0.1", desk.place.port))
    raw.settimeout(30)
    lines = "".join(f"{line}\r\n" for line in (f"content-length: {size}", *more))
    raw.sendall((HEAD.format(port=desk.place.port) + lines + "\r\n").encode())
    return raw


def some(connection: socket.socket) -> bytes:
    """What comes next, which is not the end."""
    piece = connection.recv(1 << 20)
    assert piece
    return piece


def everything(connection: socket.socket) -> bytes:
    """What comes until the other end closes, or breaks off."""
    pieces = []
    try:
        while data := connection.recv(1 << 20):
            pieces.append(data)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def test_a_body_goes_on_before_it_has_come(desk: Desk, server: Listening) -> None:
    desk.open(server.url, models=("m",))
    body = named("m")
    half = len(body) // 2
    with program(desk, len(body)) as raw:
        raw.sendall(body[:half])
        with server.accept() as connection:
            got = b""
            while half > len(got.partition(b"\r\n\r\n")[2]):
                got += some(connection)
            raw.sendall(body[half:])
            while len(body) > len(got.partition(b"\r\n\r\n")[2]):
                got += some(connection)
            connection.sendall(answer(b"{}"))
        assert raw.recv(100).startswith(b"HTTP/1.1 200")
    head, _, passed = got.partition(b"\r\n\r\n")
    assert passed == body
    assert KEY.encode() in head


@pytest.mark.parametrize("size", [100, LARGE])
def test_no_server_gets_all_of_a_request_for_another_model(
    desk: Desk, server: Listening, size: int
) -> None:
    desk.open(server.url, models=("m",))
    body = named("another", size)
    with program(desk, len(body)) as raw:
        raw.sendall(body[:-1])
        with server.accept() as connection:
            raw.sendall(body[-1:])
            said = raw.recv(1000)
            got = everything(connection)
    assert said.startswith(b"HTTP/1.1 403")
    assert b"'another'" in said
    assert len(got.partition(b"\r\n\r\n")[2]) < len(body)


def test_most_of_a_body_goes_on_while_it_is_looked_at() -> None:
    data = named("another")
    body = Body(data)

    def refuse(whole: memoryview) -> None:
        assert whole == data
        raise PermissionError

    async def passed_on() -> bytes:
        body.check = refuse
        first = bytes(await body.after(0, 0.0))
        with pytest.raises(PermissionError):
            await body.after(len(first), 0.0)
        return first

    assert len(data) - (64 << 10) < len(asyncio.run(passed_on())) < len(data)


def test_a_program_that_breaks_off_cuts_its_request_and_is_no_failure_of_the_server(
    desk: Desk, server: Listening
) -> None:
    desk.open(server.url)
    for _ in range(3):
        with program(desk, LARGE) as raw:
            raw.sendall(b"x" * 1000)
            connection = server.accept()
        with connection:
            assert len(everything(connection).partition(b"\r\n\r\n")[2]) < LARGE
    with program(desk, 2) as raw:
        raw.sendall(b"{}")
        with server.accept() as connection:
            connection.recv(1 << 20)
            connection.sendall(answer(b"{}", "429 x", retry_after="60"))
        assert raw.recv(100).startswith(b"HTTP/1.1 429")
    (told,) = desk.until_happened(1)
    assert getattr(told, "by", None) == LimitKind.RATE


def test_requests_follow_each_other_on_one_connection(desk: Desk) -> None:
    bodies = [b"a" * LARGE, b"", b"b" * 20, b"c" * LARGE]

    def serve(connection: socket.socket, _request: Request) -> None:
        connection.sendall(answer(b"{}"))

    with Upstream(serve) as upstream, desk.client() as client:
        desk.open(upstream.url)
        for body in bodies:
            assert client.post("/v1/messages", content=body).content == b"{}"
        assert upstream.connections == 1
        pieces = iter([b"d" * LARGE, b"e" * LARGE])
        assert client.post("/v1/messages", content=pieces).content == b"{}"
    assert [request.body for request in upstream.requests] == [
        *bodies,
        b"d" * LARGE + b"e" * LARGE,
    ]


def test_what_comes_while_it_answers_is_its_next_request(desk: Desk) -> None:
    go_on = threading.Event()

    def serve(connection: socket.socket, _request: Request) -> None:
        assert go_on.wait(30)
        connection.sendall(answer(b"{}"))

    with Upstream(serve) as upstream:
        desk.open(upstream.url)
        body = b"f" * LARGE
        with program(desk, len(body)) as raw:
            raw.sendall(body)
            head = HEAD.format(port=desk.place.port) + "content-length: 40000\r\n\r\n"
            raw.sendall(head.encode() + b"g" * 40_000)
            go_on.set()
            got = b""
            while got.count(b"HTTP/1.1 200") < 2:
                got += some(raw)
    assert [request.body for request in upstream.requests] == [body, b"g" * 40_000]


def test_a_program_that_waits_to_be_invited_is_invited(desk: Desk) -> None:
    with Upstream(lambda c, _: c.sendall(answer(b"{}"))) as upstream:
        desk.open(upstream.url)
        with program(desk, LARGE, "expect: 100-continue") as raw:
            assert raw.recv(100).startswith(b"HTTP/1.1 100")
            raw.sendall(b"h" * LARGE)
            assert raw.recv(100).startswith(b"HTTP/1.1 200")
    assert upstream.requests[0].body == b"h" * LARGE


def test_a_body_that_is_too_large_is_refused_by_its_length(desk: Desk) -> None:
    with program(desk, (128 << 20) + 1) as raw:
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_program_that_still_sends_hears_why_it_is_refused(desk: Desk) -> None:
    with program(desk, LARGE) as raw:
        raw.sendall(b"x" * 1000)
        until(lambda: desk.asked, "it asks what the token is good for")
        raw.sendall(b"x" * (LARGE - 1000))
        assert raw.recv(100).startswith(b"HTTP/1.1 401")
        raw.sendall(HEAD.format(port=desk.place.port).encode() + b"content-length: 0\r\n\r\n")
        said = some(raw)
        while b"HTTP/1.1 401" not in said:
            said += some(raw)
