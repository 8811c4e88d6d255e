"""`GET /api/terminals/{address}/stream`: a terminal over a WebSocket.

From the server: binary frames of eight bytes of offset (big endian) and output; JSON texts
`welcome`, `typed`, `gap`, `size`, `exited`, `refused`. From the client: JSON texts, `token` first,
then `take`, `input`, `resize`, `give`. A client that reads slowly has a gap, which is said; the
bytes of the gap can be read by offset.
"""

import asyncio
import contextlib
import secrets
import struct
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from actors.web.access import Identity
from actors.web.asking import Asking
from bus import modes as terminal_modes
from bus.errors import Refused
from bus.peer import Speaker
from bus.reasons import Reason
from bus.requests import TerminalInput, TerminalOutput, TerminalResize
from bus.results import Resized, TerminalBytes, Typed
from bus.terminal_requests import TerminalGive

TOKEN_SECONDS = 2.0
"""Within so long the token must come."""
WAIT = 20.0
PIECE = 1 << 15
"""Bytes of output in one frame."""
FAR = 1 << 20
"""A client that is further behind than this is moved to the newest output."""
NEAR = 1 << 16
"""How much of the newest output it then gets."""

_OFFSET = struct.Struct(">Q")
POLICY, UNAVAILABLE = 1008, 1013
"""Close codes of RFC 6455: not allowed; try again later."""


class _Message(msgspec.Struct, tag_field="type"):
    """What a client says."""


class _Token(_Message, tag="token"):
    token: str


class _Take(_Message, tag="take"):
    pass


class _Give(_Message, tag="give"):
    pass


class _Input(_Message, tag="input"):
    """`data` is text; `key` makes it once."""

    data: str
    key: str = ""


class _Resize(_Message, tag="resize"):
    rows: int
    columns: int


_decode = msgspec.json.Decoder(_Token | _Take | _Give | _Input | _Resize).decode
_bytes_of = msgspec.json.Decoder(TerminalBytes).decode
_typed_of = msgspec.json.Decoder(Typed).decode
_size_of = msgspec.json.Decoder(Resized).decode


def stream(asking: Asking, identity: Identity) -> Callable[[WebSocket], Any]:
    """Return the endpoint."""

    async def endpoint(socket: WebSocket) -> None:
        await socket.accept()
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                first = _decode(await socket.receive_text())
        except (TimeoutError, msgspec.MsgspecError, WebSocketDisconnect, KeyError):
            first = None
        try:
            token = first.token if isinstance(first, _Token) else ""
            speaker = await identity.speaker(socket.scope, token)
        except Refused:
            with contextlib.suppress(RuntimeError):
                await socket.close(POLICY, "the first message must be a valid token")
            return
        await _Visit(socket, asking, speaker).run()

    return endpoint


class _Visit:
    """One client in one terminal. Belongs to one event loop."""

    def __init__(self, socket: WebSocket, asking: Asking, speaker: Speaker) -> None:
        self._socket = socket
        self._asking = asking
        self._speaker = speaker
        self._terminal = socket.path_params["terminal"]
        self._session = secrets.token_hex(8)
        self._taken = False
        self._incarnation = 0

    async def run(self) -> None:
        """Show and type until the client or the program is gone."""
        try:
            offset = int(self._socket.query_params.get("offset", "-1"))
            offset = await self._welcome(offset)
        except (Refused, ValueError) as error:
            await self._end(POLICY, str(error))
            return
        pump = asyncio.create_task(self._pump(offset))
        listen = asyncio.create_task(self._listen())
        done, rest = await asyncio.wait({pump, listen}, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        if self._taken:
            with contextlib.suppress(Refused):
                await self._ask(TerminalGive(terminal=self._terminal, session=self._session))
        for task in done:
            failure = task.exception()
            if isinstance(failure, Refused):
                await self._end(UNAVAILABLE, str(failure))
                return
            if failure is not None and not isinstance(failure, WebSocketDisconnect | RuntimeError):
                raise failure
        await self._end(1000, "")

    async def _ask(self, request: Any) -> bytes:
        return await self._asking.ask(request, self._speaker)

    async def _end(self, code: int, why: str) -> None:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await self._socket.close(code, why.encode()[:120].decode(errors="ignore"))

    async def _say(self, type: str, **fields: Any) -> None:
        await self._socket.send_text(msgspec.json.encode({"type": type, **fields}).decode())

    # ---- output --------------------------------------------------------------------------

    async def _read(self, offset: int, wait: float) -> TerminalBytes:
        request = TerminalOutput(terminal=self._terminal, offset=offset, limit=PIECE, wait=wait)
        return _bytes_of(await self._ask(request))

    async def _welcome(self, offset: int) -> int:
        """Tell the client where the output stands.

        Return where it begins for this client: at `offset`, or near the end for -1.
        """
        found = await self._read(0, 0.0)
        self._incarnation = found.incarnation
        begin = offset if offset >= 0 else max(found.start, found.end - NEAR)
        modes: dict[int, bool] = {}
        at = found.start
        while at < begin and found.data:
            found = await self._read(at, 0.0)
            terminal_modes.note(found.data[: max(0, begin - found.offset)], modes)
            at = found.offset + len(found.data)
        await self._say(
            "welcome",
            start=found.start,
            end=found.end,
            size=[40, 120],
            modes=[number for number, on in modes.items() if on],
            incarnation=found.incarnation,
        )
        return begin

    async def _pump(self, offset: int) -> None:
        """Send the output as it comes, until the program ends."""
        while True:
            found = await self._read(offset, WAIT)
            if found.incarnation != self._incarnation:
                return
            if found.end - offset > FAR:
                to = found.end - NEAR
                await self._say("gap", **{"from": offset, "to": to})
                offset = to
                continue
            if found.data and found.offset > offset:
                await self._say("gap", **{"from": offset, "to": found.offset})
            if found.data:
                await self._socket.send_bytes(_OFFSET.pack(found.offset) + found.data)
            offset = max(offset, found.offset + len(found.data))
            if found.ended:
                await self._say("exited", end=found.end)
                return

    # ---- input ---------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Carry out what the client says, until it leaves. What is refused is said."""
        while True:
            text = await self._socket.receive_text()
            try:
                await self._obey(_decode(text))
            except (Refused, msgspec.MsgspecError) as error:
                reason = error.body.reason if isinstance(error, Refused) else "malformed"
                await self._say("refused", reason=reason, message=str(error))

    async def _obey(self, message: Any) -> None:
        match message:
            case _Take():
                self._taken = True
            case _Give():
                self._taken = False
                await self._ask(TerminalGive(terminal=self._terminal, session=self._session))
            case _Input() | _Resize() if not self._taken:
                raise Refused(403, Reason.NOT_TAKEN, "send `take` first: a stream only watches")
            case _Input(data=data, key=key):
                typed = _typed_of(await self._ask(self._typing(data, key)))
                await self._say("typed", key=key, offset=typed.offset, already=typed.already)
            case _Resize(rows=rows, columns=columns):
                if not (0 < rows <= 1000 and 0 < columns <= 1000):
                    raise Refused(422, Reason.MALFORMED, "rows and columns are 1 to 1000")
                request = TerminalResize(
                    terminal=self._terminal, rows=rows, columns=columns, session=self._session
                )
                size = _size_of(await self._ask(request))
                await self._say("size", rows=size.rows, columns=size.columns)

    def _typing(self, data: str, key: str) -> TerminalInput:
        return TerminalInput(
            terminal=self._terminal,
            text=data,
            key=f"{self._session}:{key}" if key else "",
            incarnation=self._incarnation,
            session=self._session,
        )
