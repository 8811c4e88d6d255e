"""The straight way from a connection to what answers it, past Starlette.

Starlette sets functions of its own between a connection and an endpoint, and each message passes
all of them. A request of the table, and a terminal's WebSocket with its keys and its output, go
without them. Everything else goes through Starlette, which knows what is wrong with it: other
paths, other methods.
"""

import re
from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from bus.errors import Refused

Handler = Callable[[Request], Awaitable[Response]]

_TERMINAL = compile_path("/api/terminals/{terminal:path}/stream")[0]


class Straight:
    """An ASGI application before `app`: answers what has a handler here, and hands the rest on.

    `ways` are methods and paths with their handlers; the first that fits answers. `refuse` makes
    the answer of what a handler refuses.
    """

    def __init__(
        self,
        ways: Iterable[tuple[str, str, Handler]],
        terminal: Callable[[WebSocket], Awaitable[None]],
        app: ASGIApp,
        refuse: Callable[[Refused], Response],
    ) -> None:
        self._ways: dict[tuple[str, str], list[tuple[re.Pattern[str], Handler]]] = {}
        for method, path, handle in ways:
            place = self._ways.setdefault((method, _first(path)), [])
            place.append((compile_path(path)[0], handle))
        self._terminal = terminal
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or one WebSocket."""
        if scope["type"] == "websocket" and (found := _TERMINAL.match(scope["path"])):
            scope["path_params"] = found.groupdict()
            await self._terminal(WebSocket(scope, receive, send))
        elif scope["type"] == "http" and (handle := self._find(scope)) is not None:
            try:
                response = await self._answer(handle, Request(scope, receive))
            except Exception:
                # It is raised, for the log; the client is told no more than that it happened.
                broken = PlainTextResponse("Internal Server Error", 500)
                await broken(scope, receive, send)
                raise
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _find(self, scope: Scope) -> Handler | None:
        path = scope["path"]
        for pattern, handle in self._ways.get((scope["method"], _first(path)), ()):
            if found := pattern.match(path):
                scope["path_params"] = found.groupdict()
                return handle
        return None

    async def _answer(self, handle: Handler, request: Request) -> Response:
        try:
            return await handle(request)
        except Refused as error:
            return self._refuse(error)


def _first(path: str) -> str:
    """Return the part of a path after `/api/`, by which ways are found."""
    return path.split("/", 3)[2] if path.startswith("/api/") else ""
