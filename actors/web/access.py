"""Who may speak HTTP here: checked before any route, for HTTP and for WebSockets alike.

A web page in the user's browser reaches 127.0.0.1 as easily as the user does. So each request
must name this server (`Host`), must not come from another origin, must bring a token, and
may write only what a form cannot send. There are no cookies: they are not bound to a port, so
another user's server on 127.0.0.1 would be sent them.
"""

import asyncio
import hmac
import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from actors.web.peers import Peers
from bus import logs
from bus.errors import Refused
from bus.peer import Right, Speaker
from bus.reasons import Reason

log = logging.getLogger("callboard.web")

_numbers = itertools.count(1)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CODE_SECONDS = 60.0
"""How long a login code can be exchanged."""
LOGINS_A_MINUTE = 10
"""Failed exchanges in a minute, after which all are refused with 429 for the rest of it."""
MAX_CODES, MAX_SESSIONS = 100, 1_000
MAX_BODY = 1 << 20
"""Bytes of a request's body, as of a frame on the ROUTER."""
MAX_HEADERS = 16 << 10
"""Bytes of a request's path and query and all its header lines."""
BODY_SECONDS = 30.0
"""Within so long the whole body must have come."""

OPEN = frozenset({"/health", "/ready", "/api/login"})
"""Paths that want no token."""
TYPES = frozenset({"application/json", "application/toml"})
"""Content types of a body. A page of another origin cannot send either without being asked
first (CORS), and nothing here answers that question."""

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"x-frame-options", b"DENY"),
)


CLOSING = frozenset({400, 408, 413, 431})
"""Codes after which the connection ends: where the next request would begin is in doubt."""
_CLOSE = (b"connection", b"close")


class Tokens:
    """The runtime's own token, and those of browsers that logged in with a code.

    Codes and sessions are held in memory and end with the web door's process. Belongs to one
    event loop.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._codes: dict[str, float] = {}
        self._sessions: set[str] = set()
        self._failures: list[float] = []

    def right(self, token: str) -> Right | None:
        """Return what a token may do, None if it is unknown. Takes the same time for each.

        The connection file's token is the user's own; that of a browser's session may steer.
        """
        given = token.encode("utf-8", "replace")
        own = hmac.compare_digest(given, self._token.encode())
        found = [hmac.compare_digest(given, each.encode()) for each in self._sessions]
        if own:
            return Right.OWN
        return Right.USE if any(found) else None

    def make_code(self) -> str:
        """Return a code that can be exchanged once, within `CODE_SECONDS`."""
        now = time.monotonic()
        self._codes = {code: end for code, end in self._codes.items() if end > now}
        if len(self._codes) >= MAX_CODES:
            raise Refused(
                429, Reason.TOO_MANY_CODES, f"{MAX_CODES} login codes wait; use one of them"
            )
        code = secrets.token_urlsafe(32)
        self._codes[code] = now + CODE_SECONDS
        logs.hide(code)
        return code

    def exchange(self, code: str) -> str:
        """Return a new session's token for a code. Raises `Refused` (401, 429)."""
        now = time.monotonic()
        self._failures = [at for at in self._failures if at > now - 60]
        if len(self._failures) >= LOGINS_A_MINUTE:
            raise Refused(429, Reason.TOO_MANY_LOGINS, "too many failed logins; wait a minute")
        if self._codes.pop(code, 0.0) <= now:
            self._failures.append(now)
            raise Refused(
                401, Reason.BAD_CODE, "the login code is unknown, used, or over a minute old"
            )
        if len(self._sessions) >= MAX_SESSIONS:
            self._sessions.pop()
        session = secrets.token_urlsafe(32)
        self._sessions.add(session)
        logs.hide(session)
        return session


class Identity:
    """Says for whom a request is sent on: by its token, and by the process that sent it."""

    def __init__(self, tokens: Tokens, peers: Peers, secret: str) -> None:
        self._tokens = tokens
        self._peers = peers
        self._secret = secret

    async def speaker(self, scope: Scope, token: str) -> Speaker:
        """Return for whom the request of this connection speaks. Raises `Refused` (401)."""
        right = self._tokens.right(token)
        if right is None:
            raise Refused(
                401,
                Reason.NO_TOKEN,
                "send `Authorization: Bearer TOKEN`; connection.json has the token",
            )
        found = await self._peers.find(scope.get("client"), scope.get("server"))
        return Speaker(
            self._secret, right, found.peer, found.lost, "", found.host, scope["state"]["number"]
        )


class Guard:
    """An ASGI application around the app: refuses what may not pass.

    `hosts` are the values of `Host` that name this server, `HOST:PORT` each.
    """

    def __init__(
        self,
        app: App,
        identity: Identity,
        hosts: frozenset[str],
        refuse: Callable[[Refused], App],
    ) -> None:
        self._app = app
        self._identity = identity
        self._hosts = hosts
        self._named = [[host] for host in hosts]
        self._origins = frozenset(
            f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")
        )
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one connection, then hand it on with the security headers added."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        state = scope.setdefault("state", {})
        number = state["number"] = f"http={next(_numbers)}"
        http = scope["type"] == "http"
        more: list[tuple[bytes, bytes]] = []
        if http:
            send = _completed(send, scope, number, more)
        try:
            self._check(scope, headers)
            if http:
                if scope["path"] not in OPEN:
                    state["speaker"] = await self._identity.speaker(scope, _token(headers))
                if scope["method"] not in ("GET", "HEAD"):
                    _check_type(headers)
                state["body"] = await _whole_body(receive) if _has_body(headers) else b""
        except Refused as refused:
            if refused.body.code in CLOSING and http:
                more.append(_CLOSE)
            await self._refuse(refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: dict[str, list[str]]) -> None:
        """Raise `Refused` for what may not pass."""
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) for name, value in scope["headers"])
        if size > MAX_HEADERS:
            raise Refused(
                431,
                Reason.HEADERS_TOO_LARGE,
                f"a request's address and headers hold at most {MAX_HEADERS} bytes",
            )
        if "transfer-encoding" in headers and "content-length" in headers:
            raise Refused(
                400, Reason.TWO_LENGTHS, "Transfer-Encoding and Content-Length exclude each other"
            )
        if headers.get("host", []) not in self._named:
            raise Refused(
                421, Reason.WRONG_HOST, f"Host must be one of {', '.join(sorted(self._hosts))}"
            )
        self._check_origin(scope, headers)
        if scope["type"] == "websocket":
            return  # its first message is the token
        if scope["method"] == "OPTIONS":
            raise Refused(
                405, Reason.NO_OPTIONS, "this server answers no OPTIONS; there is no CORS"
            )

    def _check_origin(self, scope: Scope, headers: dict[str, list[str]]) -> None:
        """Another origin reads nothing and writes nothing; a WebSocket must name its own."""
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        for origin in headers.get("origin", []):
            if origin not in self._origins:
                raise Refused(
                    403, Reason.FOREIGN_ORIGIN, f"requests from {origin[:100]!r} are refused"
                )
        site = headers.get("sec-fetch-site", ["none"])
        if not reads and any(word not in ("same-origin", "none") for word in site):
            raise Refused(403, Reason.CROSS_SITE, "a page of another site may not do this")


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _token(headers: dict[str, list[str]]) -> str:
    """Return the bearer token of a request, "" if there is none."""
    given = headers.get("authorization", [])
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""


def _check_type(headers: dict[str, list[str]]) -> None:
    """A body is JSON or TOML; a request without a body needs no type."""
    length = headers.get("content-length", ["0"])
    kinds = headers.get("content-type", [])
    empty = length == ["0"] and "transfer-encoding" not in headers
    if empty and not kinds:
        return
    kind = kinds[0].partition(";")[0].strip().lower() if len(kinds) == 1 else ""
    if kind not in TYPES:
        raise Refused(
            415, Reason.WRONG_TYPE, f"Content-Type must be one of {', '.join(sorted(TYPES))}"
        )


def _has_body(headers: dict[str, list[str]]) -> bool:
    """Whether a request has a body, by RFC 9112: no header says so for nothing."""
    return "transfer-encoding" in headers or headers.get("content-length", ["0"]) != ["0"]


async def _whole_body(receive: Receive) -> bytes:
    """Read the body within its limits."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    break
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > MAX_BODY:
                    raise Refused(413, Reason.TOO_LARGE, f"a body holds at most {MAX_BODY} bytes")
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Refused(408, Reason.TOO_SLOW, f"the body took over {BODY_SECONDS:g} s") from None
    return b"".join(parts)


def _completed(send: Send, scope: Scope, number: str, more: list[tuple[bytes, bytes]]) -> Send:
    """Add the security headers, `more` and the request's number to the response, and log it.

    The log has method and path, and neither query nor headers.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", [])
            own = {name.lower() for name, _ in headers}
            extra = [pair for pair in (*SECURITY_HEADERS, *more) if pair[0] not in own]
            name = number.removeprefix("http=").encode()
            message["headers"] = [*headers, (b"x-request-id", name), *extra]
            about = scope["method"], scope["path"], message["status"]
            log.info("%s %s: %d", *about, extra={"request": number})
        await send(message)

    return sending
