"""What a token is good for: one provider, its models, its budget, while its program lives."""

import socket
from contextlib import closing
from http.client import HTTPConnection

import pytest

from actors.models import said
from actors.models.said import Granted
from tests.actors.models.kit import TOKEN, Desk, Upstream, answer


@pytest.fixture
def server() -> object:
    with Upstream(lambda c, _: c.sendall(answer(b"{}"))) as server:
        yield server


def refused(desk: Desk, path: str = "/v1/messages", body: bytes = b"{}", token: str = TOKEN) -> str:
    found = desk.post(path, body, token)
    message = found.json()["error"]["message"]
    return f"{found.status_code} {message}"


def test_a_token_that_nobody_knows_is_refused(desk: Desk, server: Upstream) -> None:
    desk.open(server.url)
    assert refused(desk, token="callboard-another") == "401 callboard: nobody knows it"
    assert refused(desk, token="") == "401 callboard: the request has no token"
    assert server.requests == []


def test_a_token_ends_with_its_host_also_without_a_runtime(desk: Desk, server: Upstream) -> None:
    desk.open(server.url)
    assert desk.post("/v1/messages").status_code == 200
    desk.hang_up()
    assert desk.post("/v1/messages").status_code == 200
    desk.die()
    assert refused(desk) == "401 callboard: the program of this token has ended"
    assert len(server.requests) == 2


def test_a_token_reaches_only_what_is_below_its_provider_s_address(
    desk: Desk, server: Upstream
) -> None:
    desk.open(f"{server.url}/mine/v1")
    assert desk.post("/mine/v1/messages").status_code == 200
    with closing(HTTPConnection("127.0.0.1", desk.place.port, timeout=30)) as raw:
        for path in (
            "/other/v1/messages",
            "/mine/../other/v1/messages",
            "/mine/%2e%2e/other",
            "/mine/%252e%252e/other",
            "/mine/..%2fother",
            "/mine/..%5Cother",
            "/minetoo",
            "/",
        ):
            raw.request("GET", path, headers={"x-api-key": TOKEN})
            found = raw.getresponse()
            found.read()
            assert found.status == 403, path
    assert [request.line for request in server.requests] == ["POST /mine/v1/messages HTTP/1.1"]


def test_another_model_is_refused_and_the_list_is_named(desk: Desk, server: Upstream) -> None:
    desk.open(server.url, models=("small", "large"))
    assert desk.post("/v1/messages", b'{"model":"large"}').status_code == 200
    said = refused(desk, body=b'{"model":"huge"}')
    assert said == (
        "403 callboard: the provider serves small, large here, not 'huge'; "
        "its key `models` names more"
    )
    assert refused(desk, "/v1/messages/batches", b'{"requests":[{"model":"huge"}]}')[:3] == "403"
    assert refused(desk, "/v1beta/models/huge:generateContent")[:3] == "403"
    assert desk.post("/v1beta/models/small:generateContent").status_code == 200
    with desk.client(content_encoding="gzip") as client:
        assert client.post("/v1/messages", content=b"\x1f\x8b").status_code == 415


def test_another_host_is_misdirected(desk: Desk, server: Upstream) -> None:
    desk.open(server.url)
    with desk.client(host="evil.example") as client:
        assert client.post("/v1/messages", content=b"{}").status_code == 421
    assert desk.asked == []


def test_a_hard_cap_is_asked_for_each_time(desk: Desk, server: Upstream) -> None:
    desk.open(server.url, left=10)
    assert desk.post("/v1/messages").status_code == 200
    desk.open(server.url, left=0)
    assert refused(desk)[:3] == "429"
    desk.open(server.url, left=10)
    assert desk.post("/v1/messages").status_code == 200
    assert desk.asked == [TOKEN] * 3


def test_what_is_too_large_is_refused(desk: Desk, server: Upstream) -> None:
    desk.open(server.url)
    with socket.create_connection(("127.0.0.1", desk.place.port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nx: " + b"a" * (70 << 10))
        assert raw.recv(100).startswith(b"HTTP/1.1 431")
    with socket.create_connection(("127.0.0.1", desk.place.port)) as raw:
        raw.sendall(b"nonsense\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400")


def test_a_runtime_without_the_secret_is_not_heard(desk: Desk, server: Upstream) -> None:
    """Nobody else says what a token is good for, or hears one."""
    desk.open(server.url)
    with socket.socket(socket.AF_UNIX) as other:
        other.settimeout(30)
        other.connect(desk.place.control)
        other.sendall(said.line(said.Hello("guessed")) + said.line(Granted("x", None, "no")))
        assert other.recv(100) == b""
    assert desk.post("/v1/messages").status_code == 200


def test_no_key_is_where_others_can_read_it(desk: Desk, server: Upstream) -> None:
    grant = desk.open(server.url)
    assert desk.post("/v1/messages").status_code == 200
    desk.used()  # that is written last
    written = [path for path in desk.home.rglob("*") if path.is_file()]
    assert all(grant.key.encode() not in path.read_bytes() for path in written)
    assert grant.key not in repr(grant)
