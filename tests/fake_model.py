"""The product's model server (`actors/clis/trial/model.py`), for tests with real CLIs.

The command that the shell tool runs is the text after `RUN: ` in the user's turn, else the server's
own; `CALL: NAME` (or `NAMESPACE.NAME`) calls that tool instead, without arguments. With `--fail` no
turn is answered: `401`, `429`, `500` (any status) refuses it, `cut` ends its stream in the middle.

Every request is logged: `{"path", "key", "model", "texts", "tools", "step", "marks", "calls",
"older"}`; `texts` are the texts of the user's last turn as they arrived, `marks` the words `mark-…`
anywhere in the request, `older` those that also stand elsewhere than in `texts`, `calls` the number
of its calls of tools. In a test:
`with FakeModel("true") as model: … model.url … model.wait_for(lambda r: r["step"] == "tool")`.
In a network namespace, or by hand: `python tests/fake_model.py --command 'touch x'`, which prints
its address, then each request, as one line of JSON each.

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
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it is also run as a script

from actors.clis.trial.hearing import Turn
from actors.clis.trial.model import PLAIN, Handler, ModelServer, Server

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
LOGINS: Json = {
    "/token": NEW_LOGIN,
    "/tokeninfo": {"email": "t@example.org", "scope": "x", "expires_in": 36000},
    ":loadCodeAssist": {"currentTier": {"id": "standard-tier"}, "cloudaicompanionProject": "p"},
}
CALLS = r'"(?:tool_use|tool_calls|function_call|functionCall)"'
ERRORS = {
    401: ("authentication_error", "UNAUTHENTICATED"),
    429: ("rate_limit_error", "RESOURCE_EXHAUSTED"),
}


class _Handler(Handler):
    server: "_Server"
    plain = PLAIN | LOGINS
    host = ""

    def do_CONNECT(self) -> None:  # noqa: N802
        """Be the host that is asked for, behind TLS."""
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self.request = self.server.tls().wrap_socket(self.connection, server_side=True)
        self.setup()
        self.host = self.path.rpartition(":")[0]
        self.close_connection = False

    def called(self, turn: Turn) -> tuple[str, Json] | None:
        said = "\n".join(turn.texts)
        if other := re.findall(r"CALL: ([\w.]+)", said):
            return other[-1], {}
        assert turn.tool
        found = re.findall(r"^.*?RUN: (.+)$", said, re.MULTILINE)
        return turn.tool.name, turn.tool.arguments(found[-1] if found else self.server.command)

    def noted(self, path: str, model: str, turn: Turn | None = None, raw: str = "") -> Json:
        request = super().noted(path, model, turn, raw)
        request |= {"host": self.host} if self.host else {}
        if turn:
            request["marks"] = sorted(set(re.findall(r"mark-[a-z-]+[a-z]", raw)))
            request["calls"] = len(re.findall(CALLS, raw))
            now = "\n".join(turn.texts)
            request["older"] = [m for m in request["marks"] if raw.count(m) > now.count(m)]
        return request

    def send_stream(self, events: Iterator[Json], done: bool) -> None:
        if self.server.fail:
            self._fail(next(events))
        else:
            super().send_stream(events, done)

    def send_whole(self, answer: Json) -> None:
        if self.server.fail:
            self._fail(answer)
        else:
            super().send_whole(answer)

    def _fail(self, begun: Json) -> None:
        """Refuse a turn as the servers of all four APIs do, or cut its stream."""
        fail = self.server.fail
        if fail == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
            self.wfile.write(b"transfer-encoding: chunked\r\n\r\n")
            event = json.dumps(begun).encode()
            self.wfile.write(b"%x\r\ndata: %s\n\n\r\n" % (len(event) + 8, event))
            self.close_connection = True
            return
        kind, word = ERRORS.get(int(fail), ("api_error", "INTERNAL"))
        error = {"type": kind, "code": int(fail), "message": f"refused: {kind}", "status": word}
        self.send_json({"type": "error", "error": error}, int(fail))


def self_signed() -> ssl.SSLContext:
    """The side of a server whose certificate nobody signed."""
    with tempfile.TemporaryDirectory() as directory:
        cert, key = Path(directory, "cert"), Path(directory, "key")
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=fake"]
        subprocess.run([*made, "-out", cert, "-keyout", key], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context


class _Server(Server):
    def __init__(self, command: str, log: Callable[[Json], None], delay: float, fail: str) -> None:
        super().__init__(_Handler, command, log, lambda: time.sleep(delay))
        self.fail = fail
        self.tls = functools.cache(self_signed)


class FakeModel(ModelServer):
    """The server on a free port, in threads of this process."""

    def __init__(
        self,
        command: str,
        delay: float = 0.0,
        log: Callable[[Json], None] | None = None,
        fail: str = "",
    ) -> None:
        self._also = log
        super().__init__(lambda note: _Server(command, note, delay, fail))

    def note(self, request: Json) -> None:
        super().note(request)
        if self._also:
            self._also(request)

    def wait_for(self, fits: Callable[[Json], bool], seconds: float = 30.0) -> Json:
        """The first request that fits, waiting for it. Raises `TimeoutError`."""
        with self.changed:
            if not self.changed.wait_for(lambda: any(map(fits, self.requests)), seconds):
                raise TimeoutError(f"no such request among {self.requests}")
            return next(filter(fits, self.requests))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--command", default="true", help="what the shell tool is told to run")
    options.add_argument("--delay", type=float, default=0.0, help="seconds a turn takes")
    options.add_argument("--fail", default="", help="a status, or `cut`: what a turn gets")
    chosen = options.parse_args()

    saying = threading.Lock()  # requests come in several threads, and each is one line

    def log(request: Json) -> None:
        with saying:
            print(json.dumps(request), flush=True)

    with FakeModel(chosen.command, chosen.delay, log, chosen.fail) as fake:
        print(json.dumps({"url": fake.url}), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
