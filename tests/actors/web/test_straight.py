"""What the web door makes short: the way past Starlette, an answer in one piece, a key's output."""

import asyncio
import socket
import tempfile
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Scope
from starlette.websockets import WebSocket

from actors.host import wire
from actors.pty.events import Output
from actors.web.app import refusal
from actors.web.direct import Direct
from actors.web.straight import Handler, Straight
from bus.errors import Refused
from bus.reasons import Reason
from bus.terminal_requests import Entrance
from tests.actors.web.conftest import Web


def test_an_answer_comes_in_one_piece(shared: Web) -> None:
    host, _, port = shared.host.rpartition(":")
    words = [f"GET /api/runtime HTTP/1.1\r\nHost: {shared.host}"]
    words += [f"{name}: {value}" for name, value in shared.bearer.items()]
    asked = "\r\n".join([*words, "", ""]).encode()
    with socket.create_connection((host, int(port)), 30) as connected:
        for _ in range(20):
            connected.sendall(asked)
            head, _, body = connected.recv(65536).partition(b"\r\n\r\n")
            assert b"content-length: %d" % len(body) in head
            assert body.endswith(b"}")


def test_a_head_without_a_body_comes_at_once(shared: Web) -> None:
    answer = shared.client.head("/api/runtime")
    assert int(answer.headers["content-length"]) > 0
    assert answer.content == b""
    tag = shared.client.get("/api/workflows").headers["etag"]
    again = shared.client.get("/api/workflows", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_a_request_of_the_table_goes_past_starlette_and_all_else_through_it() -> None:
    def named(name: str) -> Handler:
        async def handle(request: Request) -> Response:
            return PlainTextResponse(f"{name} {request.path_params.get('task', '')}")

        return handle

    async def terminal(_socket: WebSocket) -> None:
        raise AssertionError("no WebSocket was opened")

    path = "/api/tasks/{task:path}/diff"
    starlette = Starlette(routes=[Route(path, named("starlette"), methods=["GET"])])
    app = Straight([("GET", path, named("straight"))], terminal, starlette, refusal)
    assert _ask(app, "GET", "/api/tasks/demo/a/diff") == (200, b"straight demo/a")
    assert _ask(app, "HEAD", "/api/tasks/demo/a/diff")[0] == 200
    assert _ask(app, "POST", "/api/tasks/demo/a/diff")[0] == 405
    assert _ask(app, "GET", "/api/tasks/demo/a/diffs")[0] == 404
    assert _ask(app, "GET", "/")[0] == 404


def test_a_handler_that_breaks_is_told_without_its_error() -> None:
    async def breaks(_request: Request) -> Response:
        raise RuntimeError("a secret")

    async def refuses(_request: Request) -> Response:
        raise Refused(409, Reason.CHANGED, "it changed")

    async def terminal(_socket: WebSocket) -> None:
        raise AssertionError("no WebSocket was opened")

    ways = [("GET", "/api/breaks", breaks), ("GET", "/api/refuses", refuses)]
    app = Straight(ways, terminal, Starlette(), refusal)
    assert _ask(app, "GET", "/api/refuses")[0] == 409
    sent: list[Message] = []
    with pytest.raises(RuntimeError, match="a secret"):
        _ask(app, "GET", "/api/breaks", sent)
    assert (sent[0]["status"], sent[1]["body"]) == (500, b"Internal Server Error")


def _ask(
    app: Straight, method: str, path: str, sent: list[Message] | None = None
) -> tuple[int, bytes]:
    found: list[Message] = [] if sent is None else sent

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        found.append(message)

    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [],
        "query_string": b"",
    }
    asyncio.run(app(scope, receive, send))
    return found[0]["status"], b"".join(message.get("body", b"") for message in found[1:])


def test_a_key_s_output_is_shown_before_its_acknowledgement_is_told() -> None:
    with tempfile.TemporaryDirectory(prefix="cb") as place:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(f"{place}/s")
        listening.listen()
        order = asyncio.run(_woken(Path(place, "s"), listening))
        listening.close()
    assert order == ["output", "acknowledgement"]


async def _woken(path: Path, listening: socket.socket) -> list[str]:
    """Say in which order the two are woken that wait for what one key brings from the host."""
    direct, order = Direct(), []
    direct.open(Entrance(incarnation=1, socket=str(path), token="token"), 0)
    host, _ = listening.accept()
    direct.lend(60.0)
    typed = direct.type("k", b"a", 1)

    async def shows() -> None:
        assert await direct.came() == [Output(0, b"a", True)]
        order.append("output")

    async def tells() -> None:
        await typed
        order.append("acknowledgement")

    both = asyncio.gather(tells(), shows())
    await asyncio.sleep(0)
    ack = wire.frame(wire.ACK, wire.STATE.pack(wire.DONE, 0), b"input:k")
    host.sendall(ack + wire.frame(wire.PUSH, wire.FROM.pack(0), b"a"))
    await both
    direct.close()
    host.close()
    return order
