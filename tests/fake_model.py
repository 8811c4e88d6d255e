"""A model server on 127.0.0.1 that makes real CLIs act without a model.

It speaks the Anthropic messages API, the OpenAI responses and chat completions APIs and the
Gemini API, streamed or not. Its one script: a turn of the user is answered with a call of the
CLI's own shell tool (found among the tools of the request) that runs a command; the result of
that call is answered with a closing sentence. The command is the text after `RUN: ` in the user's
turn, else the server's own; `CALL: NAME` (or `NAMESPACE.NAME`) calls that tool instead, without
arguments. A CLI without tools that asks for whole files in the text (aider) gets one, and a commit
message, with `#done` where that is spoken of. Any other request (titles, quota checks) gets a
sentence.

Every request is logged: `{"path", "key", "model", "texts", "tools", "step", "marks"}`; `texts` are
the texts of the user's last turn as they arrived, `marks` the words `mark-…` anywhere in the
request. In a test: `with FakeModel("true") as model: … model.url …
model.wait_for(lambda r: r["step"] == "tool")`. In a network namespace, or by hand:
`python tests/fake_model.py --command 'touch x'`, which prints its address, then each request, as
one line of JSON each.

Used as a proxy (`HTTPS_PROXY`), it is every host of the network, with a certificate of its own that
the program must be told not to check, and gives out new tokens where a login is refreshed.
"""

import argparse
import base64
import functools
import json
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it is also run as a script

from tests.fake_hearing import Turn, read_anthropic, read_chat, read_gemini, read_responses
from tests.fake_speech import (
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


def jwt(claims: Json) -> str:
    """A token whose signature nobody checks."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in ({}, claims, {})]
    return b".".join(part.rstrip(b"=") for part in parts).decode()


NEW_LOGIN: Json = {
    "access_token": "access-new",
    "refresh_token": "refresh-new",
    "id_token": jwt({"email": "t@example.org"}),
    "token_type": "Bearer",
    "expires_in": 36000,
    "scope": "user:inference user:profile",
}
PLAIN: Json = {
    "count_tokens": {"input_tokens": 10},
    "countTokens": {"totalTokens": 10},
    "models": {"object": "list", "data": [], "models": []},
    "/token": NEW_LOGIN,
    "/tokeninfo": {"email": "t@example.org", "scope": "x", "expires_in": 36000},
    ":loadCodeAssist": {"currentTier": {"id": "standard-tier"}, "cloudaicompanionProject": "p"},
}


DIALECTS: list[tuple[str, Callable[[Json], Turn], Callable[..., Any], Callable[..., Any]]] = [
    (r"/messages\Z", read_anthropic, say_anthropic, whole_anthropic),
    (r"/responses\Z", read_responses, say_responses, whole_responses),
    (r"/chat/completions\Z", read_chat, say_chat, whole_chat),
    (r":(?:stream)?[gG]enerateContent\Z", read_gemini, say_gemini, whole_gemini),
]


def _plain_answer(path: str) -> Json:
    """What is said where no model is asked."""
    return next((answer for end, answer in PLAIN.items() if path.endswith(end)), {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"
    host = ""

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        for pattern, read, say, whole in DIALECTS:
            if re.search(pattern, parts.path):
                self._speak(parts.path, body, raw.decode(), read, say, whole)
                return
        self._log(parts.path, body.get("model", ""), None)
        self._json(_plain_answer(parts.path))

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self._log(path, "", None)
        self._json(_plain_answer(path))

    def do_CONNECT(self) -> None:
        """Be the host that is asked for, behind TLS."""
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self.request = self.server.tls().wrap_socket(self.connection, server_side=True)
        self.setup()
        self.host = self.path.rpartition(":")[0]
        self.close_connection = False

    def do_HEAD(self) -> None:
        self._json({})

    def _speak(
        self,
        path: str,
        body: Json,
        raw: str,
        read: Callable[[Json], Turn],
        say: Callable[..., Iterator[Json]],
        whole: Callable[..., Json],
    ) -> None:
        turn = read(body)
        in_path = re.search(r"/models/([^:/]+):", path)
        model = in_path[1] if in_path else str(body.get("model", ""))
        self._log(path, model, turn, raw)
        call = None
        if turn.step == "tool" and turn.tool:
            command = turn.command(self.server.command)
            call = (turn.tool.name, turn.tool.arguments(command))
            if turn.other:
                call = (turn.other, {})
        self.server.before_answer(turn)
        if body.get("stream") or "streamGenerateContent" in path:
            self._stream(say(turn.text, call, model), done="/chat/completions" in path)
        else:
            self._json(whole(turn.text, call, model))

    def _log(self, path: str, model: str, turn: Turn | None, said: str = "") -> None:
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        query = parse_qs(urlsplit(self.path).query).get("key", [""])[0]
        headers = (self.headers.get("x-api-key"), self.headers.get("x-goog-api-key"))
        key = next((k for k in (*headers, bearer, query) if k), "")
        request: Json = {"path": path, "key": key, "model": model}
        request |= {"host": self.host} if self.host else {}
        if turn:
            request |= {"texts": turn.texts, "tools": turn.names, "step": turn.step}
            request["marks"] = sorted(set(re.findall(r"mark-[a-z-]+[a-z]", said)))
        self.server.log(request)

    def _stream(self, events: Iterator[Json], done: bool) -> None:
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

    def _json(self, answer: Json) -> None:
        raw = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing: `log` keeps what matters."""


def self_signed() -> ssl.SSLContext:
    """The side of a server whose certificate nobody signed."""
    with tempfile.TemporaryDirectory() as directory:
        cert, key = Path(directory, "cert"), Path(directory, "key")
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=fake"]
        subprocess.run([*made, "-out", cert, "-keyout", key], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, command: str, log: Callable[[Json], None], delay: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.command = command
        self.log = log
        self.delay = delay
        self.tls = functools.cache(self_signed)

    def before_answer(self, turn: Turn) -> None:
        """Think for `delay` seconds where a real turn is answered, so that busy can be seen."""
        if turn.step != "sentence":
            time.sleep(self.delay)

    def handle_error(self, *_: object) -> None:
        """A CLI that hangs up in the middle is no error of the test."""


class FakeModel:
    """The server on a free port, in threads of this process."""

    def __init__(self, command: str, delay: float = 0.0, log: Callable[[Json], None] | None = None):
        self.requests: list[Json] = []
        self._changed = threading.Condition()
        self._also = log
        self._server = _Server(command, self._log, delay)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _log(self, request: Json) -> None:
        with self._changed:
            self.requests.append(request)
            if self._also:
                self._also(request)
            self._changed.notify_all()

    def wait_for(self, fits: Callable[[Json], bool], seconds: float = 30.0) -> Json:
        """The first request that fits, waiting for it. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(map(fits, self.requests)), seconds):
                raise TimeoutError(f"no such request among {self.requests}")
            return next(filter(fits, self.requests))

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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--command", default="true", help="what the shell tool is told to run")
    options.add_argument("--delay", type=float, default=0.0, help="seconds a turn takes")
    chosen = options.parse_args()
    with FakeModel(
        chosen.command, chosen.delay, lambda r: print(json.dumps(r), flush=True)
    ) as fake:
        print(json.dumps({"url": fake.url}), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
