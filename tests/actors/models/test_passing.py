"""What goes through the gateway, and what does not."""

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from actors.models.said import Used
from tests.actors.models.kit import KEY, TOKEN, Desk, Request, Upstream, answer
from tests.fake_model import FakeModel

TOOL = {"name": "run_shell_command", "parameters": {"properties": {"command": {}}}}
CHAT = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
DIALECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "anthropic": ("/v1/messages", CHAT | {"max_tokens": 9}),
    "chat": ("/v1/chat/completions", CHAT),
    "responses": ("/v1/responses", {"model": "m", "stream": True, "input": "hi"}),
    "gemini": (
        "/v1beta/models/m:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    ),
}
WHOLE = {
    name: (path.replace("streamGenerateContent?alt=sse", "generateContent"), body)
    for name, (path, body) in DIALECTS.items()
}


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("name", DIALECTS)
def test_each_api_comes_through_and_is_counted(desk: Desk, name: str, streams: bool) -> None:
    path, body = (DIALECTS if streams else WHOLE)[name]
    with FakeModel("true") as model:
        desk.open(model.url, models=("m",))
        sent = json.dumps(body | ({} if streams else {"stream": False})).encode()
        said = desk.post(path, sent)
        with_key = model.requests[0]
    assert said.status_code == 200
    assert said.headers["content-type"].startswith("text/event-stream" if streams else "applic")
    assert with_key["key"] == KEY
    assert with_key["model"] == "m"
    assert desk.used() == Used(input=10, output=10, requests=1)


def test_bodies_and_headers_are_passed_as_they_are(desk: Desk) -> None:
    body = bytes(range(256)) * 300
    back = bytes(reversed(body))

    def serve(connection: socket.socket, _request: Request) -> None:
        connection.sendall(answer(back, x_one="1", connection="x-two", x_two="2"))

    with Upstream(serve) as server, desk.client(x_mine="yes", te="trailers") as client:
        desk.open(f"{server.url}/base/v1")
        found = client.post("/base/v1/other?b=1&a=%20x", content=body)
        request = server.requests[0]
        host = server.url.removeprefix("http://")
    assert found.content == back
    assert found.headers["x-one"] == "1"
    assert "x-two" not in found.headers
    assert request.line == "POST /base/v1/other?b=1&a=%20x HTTP/1.1"
    assert request.body == body
    assert request.headers["x-mine"] == "yes"
    assert request.headers["host"] == host
    assert request.headers["x-api-key"] == KEY
    assert request.headers["accept-encoding"] == "identity"
    assert not {"te", "connection"} & set(request.headers)
    assert TOKEN.encode() not in request.head


@pytest.mark.parametrize(
    ("shown", "query", "expected"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, "", {"authorization": f"Bearer {KEY}"}),
        ({"x-goog-api-key": TOKEN}, "", {"x-goog-api-key": KEY}),
        ({"api-key": TOKEN}, "", {"api-key": KEY}),
        ({}, f"?key={TOKEN}", {}),
    ],
)
def test_the_key_comes_where_the_token_was(
    desk: Desk, shown: dict[str, str], query: str, expected: dict[str, str]
) -> None:
    with Upstream(lambda c, _: c.sendall(answer(b"{}"))) as server, desk.client() as client:
        del client.headers["x-api-key"]
        desk.open(server.url)
        assert client.get(f"/v1/models{query}", headers=shown).status_code == 200
        request = server.requests[0]
    assert expected.items() <= request.headers.items()
    assert request.line.endswith(f"?key={KEY} HTTP/1.1") == bool(query)
    assert TOKEN.encode() not in request.head


def test_a_piece_is_passed_on_before_the_next_one_comes(desk: Desk) -> None:
    go_on = threading.Event()

    def serve(connection: socket.socket, _request: Request) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert go_on.wait(30)
        connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

    with Upstream(serve) as server, desk.client() as client:
        desk.open(server.url)
        with client.stream("POST", "/v1/messages", content=b"{}") as found:
            pieces = found.iter_raw()
            assert next(pieces) == b"first"
            go_on.set()
            assert b"".join(pieces) == b"second"


def test_an_answer_that_is_cut_is_cut_for_the_program_and_counted(desk: Desk) -> None:
    start = b'data: {"type":"message_start","message":{"usage":{"input_tokens":7}}}\n\n'

    def serve(connection: socket.socket, _request: Request) -> None:
        connection.sendall(answer(b"", content_type="text/event-stream").replace(b": 0", b": 999"))
        connection.sendall(start)
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    with Upstream(serve) as server, desk.client() as client:
        desk.open(server.url)
        with (
            pytest.raises(Exception, match=r"peer closed|disconnected|reset"),
            client.stream("POST", "/v1/messages", content=b"{}") as found,
        ):
            found.read()
    assert desk.used() == Used(input=7, requests=1)


def test_a_program_that_hangs_up_cuts_its_request_and_what_it_used_is_counted(desk: Desk) -> None:
    cut = threading.Event()
    event = b'data: {"message":{"usage":{"input_tokens":7,"cache_read_input_tokens":5}}}\n\n'

    def serve(connection: socket.socket, _request: Request) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + event)
        connection.settimeout(30)
        if not connection.recv(1):
            cut.set()

    with Upstream(serve) as server, desk.client() as client:
        desk.open(server.url)
        with client.stream("POST", "/v1/messages", content=b"{}") as found:
            next(found.iter_raw())
        assert cut.wait(30)
    assert desk.used() == Used(input=12, cached=5, requests=1)


def test_a_kept_connection_is_used_again_and_a_closed_one_is_not(desk: Desk) -> None:
    with Upstream(lambda c, _: c.sendall(answer(b"{}"))) as server, desk.client() as client:
        desk.open(server.url)
        for _ in range(3):
            assert client.get("/v1/models").status_code == 200
        assert server.connections == 1

    def once(connection: socket.socket, _request: Request) -> None:
        connection.sendall(answer(b"{}"))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    with Upstream(once) as server, desk.client() as client:
        desk.open(server.url, "other-token")
        for _ in range(3):
            found = client.get("/v1/models", headers={"x-api-key": "other-token"})
            assert found.status_code == 200


def test_a_server_that_is_not_there_is_said(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    desk.open(url)
    found = desk.post("/v1/messages")
    assert found.status_code == 502
    assert url in found.json()["error"]["message"]
    assert found.json()["type"] == "error"


def test_an_answer_without_numbers_is_untold_and_not_guessed(desk: Desk) -> None:
    with Upstream(lambda c, _: c.sendall(answer(b'{"choices":[]}'))) as server:
        desk.open(server.url)
        assert desk.post("/v1/chat/completions").status_code == 200
        assert desk.used() == Used(requests=1, untold=1)
        assert desk.post("/v1/messages/count_tokens").status_code == 200
        assert desk.post("/v1/messages").status_code == 200
    assert desk.used(lambda used: used.requests == 2).untold == 2


def test_no_proxy_of_the_environment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    desk = Desk(tmp_path)
    try:
        with Upstream(lambda c, _: c.sendall(answer(b"{}"))) as server:
            desk.open(server.url)
            assert desk.post("/v1/messages").status_code == 200
    finally:
        desk.close()
