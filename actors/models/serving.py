"""One connection of an agent: requests go on to its provider, and the answers come back untouched.

A request shows its token where its program puts a key. The gateway puts the provider's key in the
same place, and passes everything else: bodies byte for byte while they come, and headers but for
those of one connection (RFC 9110, 7.6.1), `Host`, and `Accept-Encoding`, because a compressed
answer could not be counted.
"""

import asyncio
import functools
import logging
import math
from collections.abc import Coroutine
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import h11
import msgspec

from actors.models import refusals
from actors.models.body import Body, Gone
from actors.models.breaker import Breaker, Failure
from actors.models.grants import Grants, NotGood
from actors.models.inlet import Inlet
from actors.models.said import Grant
from actors.models.speech import Reading, asks_model
from actors.models.upstream import Answer, Headers, Origin, Pool, Unreachable
from bus import clock
from bus.kinds import LimitKind

log = logging.getLogger("callboard.models")

_Said = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]

MAX_BODY: Final = 128 << 20
"""Bytes of a request: a conversation of a million tokens with pictures fits."""
MAX_HEADERS: Final = 64 << 10
IDLE_SECONDS: Final = 120.0
"""How long a connection may be open without a request, and a request may take to come."""
_TOO_LARGE: Final = f"a request holds at most {MAX_BODY} bytes"
_ERROR_BODY: Final = 16 << 10
_SAID: Final = 300
"""Characters of why a provider cannot be reached."""
_OF_ONE_CONNECTION: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate"),
        *(b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
_KEYS: Final = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")
_NOT_PASSED: Final = _OF_ONE_CONNECTION | {b"host", b"content-length", b"accept-encoding", *_KEYS}


class Listener(Protocol):
    """Hears how providers answer."""

    def refused(self, grant: Grant, by: LimitKind, until: float, text: str = "") -> None:
        """A provider refused; `until` (Unix seconds) is 0 if it did not say when it serves.

        `text` is how it failed.
        """

    def served(self, grant: Grant) -> None:
        """A provider answered."""


class _Named(msgspec.Struct):
    model: str = ""


_decode_named = msgspec.json.Decoder(_Named).decode


class Connection:
    """Serves one connection until it closes."""

    def __init__(
        self,
        inlet: Inlet,
        hosts: frozenset[bytes],
        grants: Grants,
        pool: Pool,
        breaker: Breaker,
        listener: Listener,
    ) -> None:
        self._inlet = inlet
        self._ahead = bytearray()
        """What the program sent while it was answered: the beginning of its next request."""
        self._hosts = hosts
        self._grants = grants
        self._pool = pool
        self._breaker = breaker
        self._listener = listener
        self._spoken = _server()

    async def serve(self) -> None:
        """Answer requests until the program closes the connection, or is not heard any more."""
        try:
            while await self._one():
                if self._spoken.their_state is h11.DONE:
                    self._spoken.start_next_cycle()
                else:  # it has not seen the body
                    self._spoken = _server()
        except (OSError, TimeoutError, h11.ProtocolError, Gone) as error:
            log.debug("a connection of an agent ended: %s", error)
        finally:
            self._inlet.transport.close()

    async def _one(self) -> bool:
        """Answer one request; return whether another one may follow."""
        deadline = asyncio.get_running_loop().time() + IDLE_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                request = await self._next()
                if not isinstance(request, h11.Request):
                    return False
                body = await self._body(request)
        except h11.RemoteProtocolError as error:
            await self._refuse(NotGood(error.error_status_hint, str(error)))
            return False
        except NotGood as error:
            await self._refuse(error)
            return False
        try:
            await self._pass_on(request, body, deadline)
        except NotGood as error:
            await body.rest(deadline)  # a program that still sends might not hear the answer
            await self._refuse(error)
        return self._spoken.our_state is h11.DONE and body.is_whole

    async def _next(self) -> _Said:
        while (event := self._spoken.next_event()) is h11.NEED_DATA:
            await self._invite()
            data = bytes(self._ahead)
            self._ahead.clear()
            self._spoken.receive_data(data or await self._inlet.read())
        return event

    async def _invite(self) -> None:
        """Tell a program that waits for it to send the body of its request."""
        if self._spoken.they_are_waiting_for_100_continue:
            await self._say(h11.InformationalResponse(status_code=100, headers=[]))

    async def _body(self, request: h11.Request) -> Body:
        """Return the body: one with a length while it comes, any other when it has come."""
        said = dict(request.headers)
        size = int(said.get(b"content-length", 0)) if b"transfer-encoding" not in said else 0
        if size > MAX_BODY:
            raise NotGood(413, _TOO_LARGE)
        begun, _ = self._spoken.trailing_data
        if size > len(begun):
            await self._invite()
            data = bytearray(size)
            data[: len(begun)] = begun
            self._inlet.fill(memoryview(data)[len(begun) :])
            return Body(data, self._inlet)
        pieces = bytearray()
        while isinstance(event := await self._next(), h11.Data):
            pieces += event.data
            if len(pieces) > MAX_BODY:
                raise NotGood(413, _TOO_LARGE)
        return Body(pieces)

    # ---- one request ----------------------------------------------------------------------

    async def _pass_on(self, request: h11.Request, body: Body, deadline: float) -> None:
        headers: Headers = list(request.headers)
        if dict(headers).get(b"host", b"").lower() not in self._hosts:
            raise NotGood(421, "the header Host does not name this server")
        path, _, query = request.target.decode("latin-1").partition("?")
        grant = await self._grants.of(_token(headers, query))
        _check_path(path, grant)
        if grant.models and body.size:
            body.check = functools.partial(_check_model, path, headers, grant)
        if asks_model(path) and (held := self._breaker.holds(grant.account)) is not None:
            await body.rest(deadline)
            await self._repeat(*held)
            return
        origin = Origin.of(grant.base_url)
        target = path + ("?" + _with_key(query, grant.key) if query else "")
        method = request.method.decode("latin-1")
        sent = _sent(headers, origin, grant.key)
        if body.size or method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
            sent.append((b"content-length", str(body.size).encode()))
        asked = h11.Request(method=method, target=target.encode("latin-1"), headers=sent)
        asking = self._pool.send(origin, asked, body, deadline)
        await self._while_heard(self._answered(asking, grant, path), body)

    async def _answered(self, asking: Coroutine[Any, Any, Answer], grant: Grant, path: str) -> None:
        """Ask the provider, and pass its answer on."""
        try:
            answer = await asking
        except Unreachable as error:
            said = NotGood(502, f"the provider at {grant.base_url}: {error}")
            failure = Failure(502, b"application/json", _told(said))
            self._failed(grant, 0.0, failure, f"it cannot be reached: {error}"[:_SAID])
            raise said from error
        try:
            await self._give(answer, grant, path)
        finally:
            answer.close()

    async def _while_heard(self, work: Coroutine[Any, Any, None], body: Body) -> None:
        """Carry out `work`, and cut it when the program closes its connection."""
        task = asyncio.current_task()
        assert task is not None
        is_over = is_cut = False

        def cut(closed: asyncio.Task[None]) -> None:
            nonlocal is_cut
            if not is_over and not closed.cancelled():
                is_cut = task.cancel()

        gone = asyncio.create_task(self._closed(body))
        gone.add_done_callback(cut)
        try:
            await work
        except asyncio.CancelledError as error:
            if is_cut and task.uncancel() == 0:
                raise ConnectionError("the program has closed its connection") from error
            raise
        finally:
            is_over = True
            gone.cancel()

    async def _closed(self, body: Body) -> None:
        """Return when the program has closed its connection; keep what it sends before."""
        await body.until_whole()
        while data := await self._inlet.read():
            self._ahead += data
            if len(self._ahead) > MAX_HEADERS:
                await asyncio.Event().wait()  # it is read further when this request is answered

    async def _give(self, answer: Answer, grant: Grant, path: str) -> None:
        """Pass an answer on as it comes, and count it."""
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in answer.headers}
        reading = Reading(headers.get("content-type", "")) if asks_model(path) else None
        beginning = bytearray()
        hop_by_hop = _hop_by_hop(answer.headers)
        passed = [(k, v) for k, v in answer.headers if k not in hop_by_hop]

        def read(piece: bytes) -> None:
            nonlocal beginning
            if answer.status >= 400:
                beginning.extend(piece[: _ERROR_BODY - len(beginning)])
            elif reading is not None:
                reading.feed(piece)

        try:
            head = h11.Response(status_code=answer.status, headers=passed)
            piece = answer.at_hand()
            await self._say(head, *([h11.Data(data=piece)] if piece else []))
            read(piece)
            async for piece in answer.body():
                await self._say(h11.Data(data=piece))
                read(piece)
            await self._say(h11.EndOfMessage())
        except (h11.RemoteProtocolError, OSError, TimeoutError):
            self._inlet.transport.abort()  # a cut answer must not look like a whole one
            raise
        finally:
            if reading is not None:
                if answer.status < 400:
                    self._grants.count(grant, reading.used())
                self._tell(answer.status, headers, bytes(beginning), grant)

    def _tell(self, status: int, headers: dict[str, str], body: bytes, grant: Grant) -> None:
        """Tell how the provider answered a request to a model; others say nothing of it."""
        if status < 400:
            self._breaker.served(grant.account)
            self._listener.served(grant)
            return
        now = clock.wall().timestamp()
        until = refusals.reset_of(headers, body, now)
        by = refusals.kind_of(status, body, until, now)
        if by == LimitKind.OVERLOAD:
            kind = headers.get("content-type", "").encode("latin-1")
            self._failed(grant, until, Failure(status, kind, body), f"it answers {status}")
            return
        self._breaker.served(grant.account)
        if by != LimitKind.NONE:
            self._listener.refused(grant, by, until)

    def _failed(self, grant: Grant, until: float, failure: Failure, text: str) -> None:
        self._breaker.failed(grant.account, failure)
        self._listener.refused(grant, LimitKind.OVERLOAD, until, text)

    async def _repeat(self, failure: Failure, seconds: float) -> None:
        """Answer as the provider did, which is asked again in so many seconds."""
        headers = [
            (b"content-type", failure.content_type),
            (b"content-length", str(len(failure.body)).encode()),
            (b"retry-after", str(math.ceil(seconds)).encode()),
        ]
        await self._say(
            h11.Response(status_code=failure.status, headers=headers),
            h11.Data(data=failure.body),
            h11.EndOfMessage(),
        )

    async def _refuse(self, error: NotGood) -> None:
        """Answer in the gateway's own name."""
        body = _told(error)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        if error.status == 503:
            headers.append((b"retry-after", b"1"))
        if self._spoken.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        await self._say(
            h11.Response(status_code=error.status, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )

    async def _say(self, *events: h11.Event) -> None:
        data = b"".join(self._spoken.send(event) or b"" for event in events)
        if data:
            self._inlet.transport.write(data)
            await self._inlet.drain()


def _server() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADERS)


def _told(error: NotGood) -> bytes:
    """Return the body that tells an error, in the form that all four APIs share."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    said = {"type": kind, "message": f"callboard: {error}", "code": error.status}
    return msgspec.json.encode({"type": "error", "error": said})


def _token(headers: Headers, query: str) -> str:
    """Return the token that a request shows, in a header or in the query; "" if none."""
    found = dict(headers)
    for name in _KEYS:
        if value := found.get(name, b"").decode("latin-1").strip():
            return value.partition(" ")[2].strip() if name == b"authorization" else value
    return dict(parse_qsl(query)).get("key", "")


def _with_key(query: str, key: str) -> str:
    """Return the query with the provider's key in place of the token, if it was shown there."""
    parts = query.split("&")
    return "&".join(f"key={key}" if part.startswith("key=") else part for part in parts)


def _sent(headers: Headers, origin: Origin, key: str) -> Headers:
    """Return the headers for the provider, with its key where the token was."""
    dropped = _hop_by_hop(headers) | _NOT_PASSED
    sent: Headers = [(b"Host", origin.host), (b"Accept-Encoding", b"identity")]
    for name, value in headers:
        if name == b"authorization":
            scheme = value.split(b" ", 1)[0] or b"Bearer"
            sent.append((b"Authorization", scheme + b" " + key.encode()))
        elif name in _KEYS:
            sent.append((name, key.encode()))
        elif name not in dropped:
            sent.append((name, value))
    return sent


def _hop_by_hop(headers: Headers) -> frozenset[bytes]:
    """Return the names of the headers that concern one connection only."""
    named = [value for name, value in headers if name == b"connection"]
    words = {word.strip().lower() for value in named for word in value.split(b",")}
    return _OF_ONE_CONNECTION | words


def _check_path(path: str, grant: Grant) -> None:
    """Raise `NotGood` for a path that is not below the provider's address."""
    below = urlsplit(grant.base_url).path.rstrip("/").removesuffix("/v1")
    plain = path
    for _ in range(3):  # a server may decode what is encoded twice
        plain = unquote(plain)
    steps = plain.replace("\\", "/").split("/")
    if ".." in steps or "." in steps or not (path + "/").startswith(below + "/"):
        raise NotGood(403, f"the token is good for what is below {grant.base_url}")


def _check_model(path: str, headers: Headers, grant: Grant, body: memoryview) -> None:
    """Raise `NotGood` unless a request names a model of the provider's list."""
    name = _model_in(path)
    if not name:
        if b"content-encoding" in dict(headers):
            raise NotGood(415, "a compressed request cannot be checked for its model")
        try:
            name = _decode_named(body).model
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            name = ""
    if name not in grant.models:
        raise NotGood(
            403,
            f"the provider serves {', '.join(grant.models)} here, not {name or 'no model'!r}; "
            "its key `models` names more",
        )


def _model_in(path: str) -> str:
    """Return the model in a path of Gemini's API; "" in any other."""
    _, found, rest = path.rpartition("/models/")
    return unquote(rest.partition(":")[0]) if found and ":" in rest else ""
