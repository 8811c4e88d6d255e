"""A server on 127.0.0.1 that makes CLIs act without a model.

It speaks the Anthropic messages API, the OpenAI responses and chat completions APIs and the Gemini
API, streamed or not. Its one script: a turn of the user is answered with a call of the CLI's own
shell tool, which is found among the tools of the request; the result of that call is answered with
a closing sentence. A CLI without tools that asks for whole files in the text gets one, and a commit
message. Any other request (titles, quota checks) gets a sentence.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from actors.clis.trial.hearing import (
    Turn,
    read_anthropic,
    read_chat,
    read_gemini,
    read_responses,
)
from actors.clis.trial.speech import (
    say_anthropic,
    say_chat,
    say_gemini,
    say_responses,
    whole_anthropic,
    whole_chat,
    whole_gemini,
    whole_responses,
)

Json = dict[str, Any]
Say = Callable[..., Iterator[Json]]

_DIALECTS: Final[list[tuple[str, Callable[[Json], Turn], Say, Callable[..., Any]]]] = [
    (r"/messages\Z", read_anthropic, say_anthropic, whole_anthropic),
    (r"/responses\Z", read_responses, say_responses, whole_responses),
    (r"/chat/completions\Z", read_chat, say_chat, whole_chat),
    (r":(?:stream)?[gG]enerateContent\Z", read_gemini, say_gemini, whole_gemini),
]
PLAIN: Final[Json] = {
    "count_tokens": {"input_tokens": 10},
    "countTokens": {"totalTokens": 10},
    "models": {"object": "list", "data": [], "models": []},
}
"""Answers to requests that ask no model, by the end of their path."""


class Handler(BaseHTTPRequestHandler):
    """Answers one connection. A subclass may change what is said and noted."""

    protocol_version = "HTTP/1.1"
    server: "Server"
    plain = PLAIN

    def do_POST(self) -> None:
        """Answer a request to a model."""
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        for pattern, read, say, whole in _DIALECTS:
            if re.search(pattern, parts.path):
                self._speak(parts.path, body, raw.decode(), read(body), say, whole)
                return
        self.server.log(self.noted(parts.path, str(body.get("model", ""))))
        self.send_json(self._plain(parts.path))

    def do_GET(self) -> None:
        """Answer a question for models or for nothing in particular."""
        path = urlsplit(self.path).path
        self.server.log(self.noted(path, ""))
        self.send_json(self._plain(path))

    def do_HEAD(self) -> None:
        """Answer whether the server is there."""
        self.send_json({})

    def _plain(self, path: str) -> Json:
        return next((answer for end, answer in self.plain.items() if path.endswith(end)), {})

    def _speak(
        self, path: str, body: Json, raw: str, turn: Turn, say: Say, whole: Callable[..., Any]
    ) -> None:
        in_path = re.search(r"/models/([^:/]+):", path)
        model = in_path[1] if in_path else str(body.get("model", ""))
        self.server.log(self.noted(path, model, turn, raw))
        call = None
        if turn.step == "tool" and turn.tool:
            call = self.called(turn)
        if turn.step != "sentence":
            self.server.think()
        if body.get("stream") or "streamGenerateContent" in path:
            self.send_stream(say(turn.text, call, model), done="/chat/completions" in path)
        else:
            self.send_whole(whole(turn.text, call, model))

    def called(self, turn: Turn) -> tuple[str, Json] | None:
        """Return the tool that a turn of the user is answered with, and its arguments."""
        assert turn.tool
        return turn.tool.name, turn.tool.arguments(self.server.command)

    def noted(self, path: str, model: str, turn: Turn | None = None, raw: str = "") -> Json:
        """Return what is noted of a request; `raw` is its body."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        query = parse_qs(urlsplit(self.path).query).get("key", [""])[0]
        headers = (self.headers.get("x-api-key"), self.headers.get("x-goog-api-key"))
        key = next((k for k in (*headers, bearer, query) if k), "")
        request: Json = {"path": path, "key": key, "model": model}
        if turn and raw:
            request |= {"texts": turn.texts, "tools": turn.names, "step": turn.step}
        return request

    def send_stream(self, events: Iterator[Json], done: bool) -> None:
        """Send events as server-sent events; with `done`, OpenAI's last line after them."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in events:
            name = f"event: {event['type']}\n" if "type" in event else ""
            self.wfile.write(f"{name}data: {json.dumps(event)}\n\n".encode())
        if done:
            self.wfile.write(b"data: [DONE]\n\n")

    def send_whole(self, answer: Json) -> None:
        """Send an answer that is not streamed."""
        self.send_json(answer)

    def send_json(self, answer: Json, status: int = 200) -> None:
        """Send one JSON document."""
        raw = json.dumps(answer).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("retry-after", "20")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing: `noted` keeps what matters."""


class Server(ThreadingHTTPServer):
    """The server on a free port. `command` is what the shell tool is told to run.

    `log` is called with what was noted of each request, and `think` before a turn is answered, so
    that a busy screen can be seen; both in the thread of the connection.
    """

    daemon_threads = True

    def __init__(
        self,
        handler: type[Handler],
        command: str,
        log: Callable[[Json], None],
        think: Callable[[], object],
    ) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.command = command
        self.log = log
        self.think = think

    def handle_error(self, *_: object) -> None:
        """Ignore a program that hangs up in the middle."""


class ModelServer:
    """A `Server` in threads of this process. `requests` are what was noted, in order."""

    def __init__(self, server: Callable[[Callable[[Json], None]], Server]) -> None:
        self.requests: list[Json] = []
        self.changed = threading.Condition()
        self._server = server(self.note)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def note(self, request: Json) -> None:
        """Keep a request, and wake who waits for it."""
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def seen(self) -> list[Json]:
        """Return the requests to a model so far."""
        with self.changed:
            return [request for request in self.requests if "step" in request]

    def __enter__(self) -> Self:
        """Start to answer."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Stop answering, and free the port."""
        self._server.shutdown()
        self._server.server_close()


def playing(command: str, think: Callable[[], object]) -> ModelServer:
    """Return a server that has the shell tool run `command`, and calls `think` before it does."""
    return ModelServer(lambda log: Server(Handler, command, log, think))
