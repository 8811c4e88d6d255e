"""The HTTP application: routes that are requests, the event stream, and what stands beside them."""

import asyncio
import hashlib
from collections import OrderedDict
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute
from starlette.routing import Route as Path
from starlette.types import ASGIApp

from actors.web import metrics, openapi
from actors.web.access import Guard, Identity, Tokens
from actors.web.asking import Asking
from actors.web.routes import ROUTES, Route, build
from actors.web.socket import stream
from actors.web.straight import Handler, Straight
from actors.web.stream import Filter, Hub, position
from bus import address as addresses
from bus.errors import ErrorBody, Refused, malformed
from bus.facts import FACT_TYPES
from bus.peer import Right
from bus.reasons import Reason
from bus.requests import PlanCheck, PlanSubmit, RuntimeInfo

MAX_STREAMS = 1_200
"""Event streams at once; further ones get 429."""
MAX_REMEMBERED = 1_000
"""Answers that are remembered by their `Idempotency-Key`."""
KEY_LENGTH = 200


class Made(msgspec.Struct):
    """What a route of status 201 made."""

    id: str


class Login(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a login."""

    code: str


class _Head(msgspec.Struct):
    head: int


_ANYTHING = msgspec.json.Decoder(Any)
_head_of = msgspec.json.Decoder(_Head).decode
_id_of = msgspec.json.Decoder(Made).decode
_code_of = msgspec.json.Decoder(Login).decode


class Door:
    """What the handlers share. Belongs to one event loop."""

    def __init__(self, asking: Asking, hub: Hub, tokens: Tokens, identity: Identity) -> None:
        self.asking = asking
        self.hub = hub
        self.tokens = tokens
        self.identity = identity
        self.answers: OrderedDict[tuple[str, str], Remembered] = OrderedDict()


class Remembered(msgspec.Struct):
    """The answer to a POST with an `Idempotency-Key`. `body` is the digest of what was sent."""

    body: str
    answer: "asyncio.Future[Response]"


def refusal(error: Refused) -> Response:
    """Return an error as every door says it."""
    headers = {}
    if error.body.code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        msgspec.json.encode({"error": error.body}),
        status_code=error.body.code,
        media_type="application/json",
        headers=headers,
    )


def make_app(door: Door, hosts: frozenset[str]) -> ASGIApp:
    """Return the guarded application."""
    ways = [(route.method, route.path, _handler(door, route)) for route in ROUTES]
    table: list[BaseRoute] = [
        *(Path(path, handle, methods=[method]) for method, path, handle in ways),
        Path("/api/events", _events(door), methods=["GET"]),
        Path("/api/openapi.json", _openapi, methods=["GET"]),
        Path("/api/login-codes", _make_code(door), methods=["POST"]),
        Path("/api/login", _login(door), methods=["POST"]),
        Path("/metrics", _metrics(door), methods=["GET"]),
        Path("/health", _health, methods=["GET"]),
        Path("/ready", _ready(door), methods=["GET"]),
    ]
    app = Starlette(
        routes=table, exception_handlers={HTTPException: _http_error, Refused: _refused}
    )
    straight = Straight(ways, stream(door.asking, door.identity), app, refusal)
    return Guard(straight, door.identity, hosts, refusal)


# ---- requests ------------------------------------------------------------------------------------


def _handler(door: Door, route: Route) -> Handler:
    async def handle(request: Request) -> Response:
        key = request.headers.get("idempotency-key", "")
        if route.method != "POST" or not key:
            return await _answer(door, route, request)
        return await _once(door, key, route, request)

    return handle


async def _answer(door: Door, route: Route, request: Request) -> Response:
    """Carry out one request and return its result. A GET has an ETag."""
    body = _body(route, request.headers.get("content-type", ""), request.state.body)
    query = dict(request.query_params) if request.scope["query_string"] else {}
    asked = build(route, request.path_params, query, body)
    result = await door.asking.ask(asked, request.state.speaker)
    headers = {}
    if route.method == "GET":
        headers["ETag"] = tag = f'"{hashlib.sha256(result).hexdigest()[:32]}"'
        known = request.headers.get("if-none-match", "")
        if tag in known or known.strip() == "*":
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if route.location:
        headers["Location"] = route.location.format(id=_id_of(result).id)
    return Response(result, route.status, headers, "application/json")


async def _once(door: Door, key: str, route: Route, request: Request) -> Response:
    """Answer a repeated POST as its first one was answered.

    Raises `Refused` (422) where the same key comes with something else.
    """
    if len(key) > KEY_LENGTH:
        raise malformed("Idempotency-Key", f"holds at most {KEY_LENGTH} characters")
    digest = hashlib.sha256(request.url.path.encode() + b"\0" + request.state.body).hexdigest()
    place = (route.path, key)
    known = door.answers.get(place)
    if known is None:
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        door.answers[place] = Remembered(digest, future)
        while len(door.answers) > MAX_REMEMBERED:
            door.answers.popitem(last=False)
        try:
            answer = await _answer(door, route, request)
        except Refused as error:
            answer = refusal(error)
        except BaseException:
            del door.answers[place]
            future.cancel()
            raise
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            door.answers.pop(place, None)
        future.set_result(answer)
        return answer
    if known.body != digest:
        raise malformed("Idempotency-Key", "was used for another request")
    return await asyncio.shield(known.answer)


def _body(route: Route, kind: str, raw: bytes) -> dict[str, Any]:
    """Return the fields that a body sets. A plan may be the whole body, as TOML or as JSON."""
    plans = route.request in (PlanSubmit, PlanCheck)
    if not raw:
        return {}
    if kind.partition(";")[0].strip().lower() == "application/toml":
        if not plans:
            raise malformed("", "the body of this route is JSON")
        try:
            return {"plan": raw.decode()}
        except UnicodeDecodeError as error:
            raise malformed("plan", f"is not UTF-8: {error}") from None
    try:
        found = _with_integers(_ANYTHING.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("", f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise malformed("", "the body must be a JSON object")
    if plans and "plan" not in found:
        return {"plan": found}
    if found and not route.body:
        raise malformed(next(iter(found)), "this route takes no fields")
    return found


def _with_integers(value: Any) -> Any:
    """Return decoded JSON with 5.0 as 5: in JSON they are one number, and senders mix them."""
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case dict():
            return {name: _with_integers(each) for name, each in value.items()}
        case list():
            return [_with_integers(each) for each in value]
    return value


# ---- events --------------------------------------------------------------------------------------


def _events(door: Door) -> Handler:
    async def events(request: Request) -> Response:
        query = dict(request.query_params)
        head = await _admitted(door, request)
        unknown = sorted(set(query) - {"after", "address", "type"})
        if unknown:
            raise malformed(unknown[0], "this route has no such query parameter")
        try:
            after = position(request.headers.get("last-event-id"), query)
        except ValueError:
            raise malformed("after", "must be the seq of a fact") from None
        if after is not None and after > head:
            raise malformed(
                "after",
                f"the newest fact here is {head}: {after} is of another home, or of a journal that "
                "was lost; begin with the seq of `GET /api/snapshot`",
            )
        if door.hub.streams >= MAX_STREAMS:
            raise Refused(429, Reason.TOO_MANY_STREAMS, f"{MAX_STREAMS} streams are open")
        wanted = Filter(addresses.normal(query.get("address", "")), _types(request))
        headers = {"X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(headers=headers, media_type="text/event-stream")
        stream = door.hub.stream(after, wanted)
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    return events


def _types(request: Request) -> frozenset[str]:
    """Return the types of facts that are asked for. Raises `Refused` (422) for one that is none."""
    words = ",".join(request.query_params.getlist("type")).split(",")
    types = frozenset(word for word in words if word)
    if unknown := sorted(types.difference(FACT_TYPES)):
        raise malformed(
            "type", f"there is no fact {unknown[0]!r}; there are {', '.join(FACT_TYPES)}"
        )
    return types


async def _admitted(door: Door, request: Request) -> int:
    """Return the newest fact's seq, for a route that is no request.

    Raises `Refused` (403) if the runtime refuses whoever asks.
    """
    return _head_of(await door.asking.ask(RuntimeInfo(), request.state.speaker)).head


# ---- beside the requests -------------------------------------------------------------------------


async def _openapi(_request: Request) -> Response:
    return Response(openapi.DOCUMENT, media_type="application/json")


def _make_code(door: Door) -> Handler:
    async def make_code(request: Request) -> Response:
        await _admitted(door, request)
        if request.state.speaker.right != Right.OWN:
            raise Refused(
                403, Reason.NOT_ALLOWED, "only the connection file's token makes login codes"
            )
        code = door.tokens.make_code()
        return JSONResponse({"code": code, "path": f"/#code={code}"}, HTTPStatus.CREATED)

    return make_code


def _login(door: Door) -> Handler:
    async def login(request: Request) -> Response:
        try:
            code = _code_of(request.state.body).code
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise malformed("code", 'send {"code": "…"}') from None
        return JSONResponse({"token": door.tokens.exchange(code)})

    return login


def _metrics(door: Door) -> Handler:
    async def show(request: Request) -> Response:
        await _admitted(door, request)
        text = await metrics.collect(door.asking, door.hub)
        return PlainTextResponse(text, media_type=metrics.TYPE)

    return show


async def _health(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _ready(door: Door) -> Handler:
    async def ready(_request: Request) -> Response:
        await door.asking.ask(RuntimeInfo())
        return PlainTextResponse("ok\n")

    return ready


# ---- errors --------------------------------------------------------------------------------------


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refusal(error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reasons = {404: Reason.UNKNOWN, 405: Reason.WRONG_METHOD}
    body = ErrorBody(
        error.status_code,
        reasons.get(error.status_code, Reason.HTTP),
        f"{error.detail}: {request.url.path}",
    )
    return Response(
        msgspec.json.encode({"error": body}),
        error.status_code,
        dict(error.headers or {}),
        "application/json",
    )
