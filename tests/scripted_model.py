"""A model server on 127.0.0.1 whose answers a function gives.

It speaks the Anthropic messages API and the OpenAI chat completions API, streamed or not. The
script is a function from what was asked (`Asked`) to

- a dict: the arguments of the tool's call; JSON in text where no tool was offered;
- a text: said without a call;
- a `Reply`: these bytes, with this status and these headers, for servers that fail.

The script runs in the server's threads. In a test:

    def script(asked: Asked) -> Said:
        return {"action": "nothing", "reason": "all is well"}

    with ScriptedModel(script) as model:
        … model.endpoint("anthropic") … model.asked
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import msgspec

from actors.clis.trial.speech import say_anthropic, say_chat, whole_anthropic, whole_chat
from actors.orchestrator.thoughts import ApiType, Endpoint

Json = dict[str, Any]
KEY = "sk-test-1234567890abcdef"
STREAM = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


class Asked(msgspec.Struct, frozen=True):
    """One request. The names of the headers are in small letters."""

    path: str
    headers: dict[str, str]
    body: Json

    @property
    def is_anthropic(self) -> bool:
        return self.path.endswith("/messages")

    @property
    def system(self) -> str:
        """The system prompt."""
        if self.is_anthropic:
            return str(self.body["system"])
        return str(self.body["messages"][0]["content"])

    @property
    def question(self) -> str:
        """The text of the user's turn."""
        return str(self.body["messages"][-1]["content"])

    @property
    def tool(self) -> Json | None:
        """What the request says of the tool; None if it offers none."""
        if "tools" not in self.body:
            return None
        tool: Json = self.body["tools"][0]
        return tool if self.is_anthropic else tool["function"]

    @property
    def way(self) -> str:
        """How the arguments are asked for: `strict`, `plain`, `schema` or `text`."""
        if self.tool:
            return "strict" if self.tool.get("strict") else "plain"
        return "schema" if "response_format" in self.body else "text"


class Reply(msgspec.Struct, frozen=True):
    """What is sent, byte for byte, in one write for each piece.

    With `raw` there is no status line and there are no headers but what `pieces` hold. With `hang`
    the connection stays open and silent afterwards; else it is closed.
    """

    status: int = 200
    headers: dict[str, str] = {}
    pieces: tuple[bytes, ...] = ()
    raw: bool = False
    hang: bool = False


Said = Json | str | Reply
Script = Callable[[Asked], Said]


def refusal(status: int, text: str, **headers: str) -> Reply:
    """An error as both APIs say it."""
    body = json.dumps({"type": "error", "error": {"type": "x", "code": status, "message": text}})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, JSON | named, (body.encode(),))


def speak(asked: Asked, said: Json | str) -> Reply:
    """Say arguments or a text in the API and the form that were asked for."""
    call = None
    if isinstance(said, dict) and asked.tool:
        call = (str(asked.tool["name"]), said)
    text = "" if call else said if isinstance(said, str) else json.dumps(said)
    model = str(asked.body["model"])
    if not asked.body.get("stream"):
        whole = (whole_anthropic if asked.is_anthropic else whole_chat)(text, call, model)
        return Reply(200, JSON, (json.dumps(whole).encode(),))
    events = (say_anthropic if asked.is_anthropic else say_chat)(text, call, model)
    return Reply(200, STREAM, tuple(_lines(events, asked.is_anthropic)))


def _lines(events: Iterator[Json], is_anthropic: bool) -> Iterator[bytes]:
    for event in events:
        name = f"event: {event['type']}\n" if is_anthropic else ""
        yield f"{name}data: {json.dumps(event)}\n\n".encode()
    if not is_anthropic:
        yield b"data: [DONE]\n\n"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path, headers, json.loads(body))
        reply = self.server.answer(asked)
        self._send(reply if isinstance(reply, Reply) else speak(asked, reply))

    def _send(self, reply: Reply) -> None:
        self.close_connection = True
        if not reply.raw:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("connection", "close")
            self.end_headers()
        for piece in reply.pieces:
            self.wfile.write(piece)
            self.wfile.flush()
        if reply.hang:
            self.connection.settimeout(60)
            self.connection.recv(1)  # until the client hangs up

    def log_message(self, *_: object) -> None:
        """Say nothing: `asked` keeps what matters."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer

    def handle_error(self, *_: object) -> None:
        """A client that hangs up in the middle is no error of the test."""


class ScriptedModel:
    """The server on a free port, in threads of this process. `asked` are the requests so far."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.script = script
        self._changed = threading.Condition()
        self._server = _Server(self._answer)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def endpoint(
        self, api_type: ApiType = "openai-compatible", model: str = "scripted", key: str = KEY
    ) -> Endpoint:
        """This server as an endpoint of a thought."""
        return Endpoint(api_type, self.url, model, key)

    def wait_for(self, count: int, seconds: float = 30.0) -> Asked:
        """The last request, once there are so many. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.asked) >= count, seconds):
                raise TimeoutError(f"{len(self.asked)} requests came, not {count}")
            return self.asked[-1]

    def _answer(self, asked: Asked) -> Said:
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
        return self.script(asked)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
