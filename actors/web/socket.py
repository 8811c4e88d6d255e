"""`GET /api/terminals/{address}/stream`: a terminal over a WebSocket.

From the server: binary frames of eight bytes of offset (big endian) and output; JSON texts
`welcome`, `typed`, `gap`, `size`, `exited`, `refused`. From the client: JSON texts, `token` first,
then `take`, `input`, `resize`, `give`. A client that reads slowly has a gap, which is said; the
bytes of the gap can be read by offset.
"""

import asyncio
import contextlib
import itertools
import secrets
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from actors.pty.events import Acknowledged, Output, Resized, Result
from actors.web.access import Identity
from actors.web.asking import Asking
from actors.web.direct import Direct
from bus.errors import Refused
from bus.modes import Modes
from bus.peer import Speaker
from bus.reasons import Reason
from bus.requests import TerminalInput, TerminalOutput, TerminalResize, TerminalScreen
from bus.results import Resized as WindowSet
from bus.results import TerminalBytes, Typed
from bus.results import TerminalScreen as Screen
from bus.terminal_requests import Entrance, Held, TerminalEnter, TerminalGive, TerminalTake

TOKEN_SECONDS = 2.0
"""Within so long the token must come."""
WAIT = 20.0
KEY_LENGTH = 150
"""Characters of the key that a client gives an input."""
PIECE = 1 << 15
"""Bytes of output in one frame."""
FAR = 1 << 20
"""A client that is further behind than this is moved to the newest output."""
NEAR = 1 << 16
"""How much of the newest output it then gets."""

Session = tuple[str, str]
"""A terminal, and who types into it."""

_OFFSET = struct.Struct(">Q")
POLICY, UNAVAILABLE = 1008, 1013
"""Close codes of RFC 6455: not allowed; try again later."""


class _Message(msgspec.Struct, tag_field="type"):
    """What a client says."""


class _Token(_Message, tag="token"):
    token: str


class _Take(_Message, tag="take"):
    """`session` is the client's name for itself, under which a later visit goes on typing."""

    session: Annotated[str, msgspec.Meta(max_length=48)] = ""


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
_entrance_of = msgspec.json.Decoder(Entrance).decode
_held_of = msgspec.json.Decoder(Held).decode
_typed_of = msgspec.json.Decoder(Typed).decode
_size_of = msgspec.json.Decoder(WindowSet).decode
_screen_of = msgspec.json.Decoder(Screen).decode


def stream(asking: Asking, identity: Identity) -> Callable[[WebSocket], Any]:
    """Return the endpoint."""
    inside: Counter[Session] = Counter()

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
        await _Visit(socket, asking, speaker, inside).run()

    return endpoint


class _Visit:
    """One client in one terminal. Belongs to one event loop."""

    def __init__(
        self, socket: WebSocket, asking: Asking, speaker: Speaker, inside: "Counter[Session]"
    ) -> None:
        self._socket = socket
        self._asking = asking
        self._speaker = speaker
        self._terminal = socket.path_params["terminal"]
        self._inside = inside
        self._session = secrets.token_hex(8)
        self._taken = False
        self._incarnation = 0
        self._size: tuple[int, int] | None = None
        self._direct = Direct()
        self._numbers = itertools.count(1)

    async def run(self) -> None:
        """Show and type until the client or the program is gone."""
        try:
            offset = await self._welcome(_offset_in(self._socket.query_params))
        except Refused as error:
            await self._end(POLICY, str(error))
            return
        pump = asyncio.create_task(self._pump(offset))
        listen = asyncio.create_task(self._listen())
        done, rest = await asyncio.wait({pump, listen}, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        self._direct.close()
        with contextlib.suppress(Refused):
            await self._give()
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

    async def _welcome(self, offset: int | None) -> int:
        """Tell the client where the output stands.

        Return where it begins for this client: at `offset`, or near the end without one. Raises
        `Refused` (422) for an offset that no output has reached.
        """
        found = await self._read(0, 0.0)
        self._incarnation = found.incarnation
        if offset is not None and offset > found.end:
            raise Refused(
                422, Reason.MALFORMED, f"the output of incarnation {found.incarnation} ends at "
                f"{found.end}: {offset} is of another program; connect without `offset`"
            )  # fmt: skip
        begin = max(found.start, found.end - NEAR) if offset is None else offset
        modes = Modes()
        at = found.start
        while at < begin and found.data:
            found = await self._read(at, 0.0)
            modes.note(found.data[: max(0, begin - found.offset)])
            at = found.offset + len(found.data)
        if offset is None:
            begin -= len(modes.cut)
        self._size = await self._window()
        await self._say(
            "welcome",
            start=found.start,
            end=found.end,
            size=self._size,
            modes=[number for number, on in modes.on.items() if on],
            incarnation=found.incarnation,
        )
        return begin

    async def _window(self) -> tuple[int, int]:
        """Return the rows and columns of the terminal's window."""
        screen = _screen_of(await self._ask(TerminalScreen(terminal=self._terminal)))
        return screen.rows, screen.columns

    async def _tell_size(self, rows: int, columns: int) -> None:
        """Say the window's size, unless that was said."""
        if self._size != (rows, columns):
            self._size = (rows, columns)
            await self._say("size", rows=rows, columns=columns)

    async def _pump(self, offset: int) -> None:
        """Send the output as it comes, until the program ends.

        What is there is asked of the runtime, and what comes then is the host's to tell.
        """
        wait = 0.0
        while True:
            found = await self._read(offset, wait)
            wait = 0.0
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
            if not found.data:
                if await self._go_in(offset):
                    offset = await self._follow(offset)
                else:
                    wait = WAIT

    async def _go_in(self, offset: int) -> bool:
        """Have the host send its output from `offset` on. Return whether it does."""
        if self._direct.entry.connected:
            self._direct.follow(offset)
            return True
        try:
            found = _entrance_of(await self._asking.ask(TerminalEnter(terminal=self._terminal)))
            if found.incarnation != self._incarnation:
                return False
            self._direct.open(found, offset)
        except (Refused, OSError):
            return False
        return True

    async def _follow(self, offset: int) -> int:
        """Send what the host sends, until it ends or the client is behind. Return how far."""
        while came := await self._direct.came():
            for each in came:
                match each:
                    case Resized(rows=rows, columns=columns):
                        await self._tell_size(rows, columns)
                    case Output(offset=at, data=data):
                        if at > offset:
                            await self._say("gap", **{"from": offset, "to": at})
                        await self._socket.send_bytes(_OFFSET.pack(at) + data)
                        offset = at + len(data)
        return offset

    # ---- input ---------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Carry out what the client says, until it leaves. What is refused is said."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                if (text := message.get("text")) is None:
                    raise Refused(422, Reason.MALFORMED, "a message is JSON text, and not binary")
                await self._obey(_decode(text))
            except (Refused, msgspec.MsgspecError) as error:
                reason = error.body.reason if isinstance(error, Refused) else "malformed"
                await self._say("refused", reason=reason, message=str(error))

    async def _obey(self, message: Any) -> None:
        match message:
            case _Take(session=session):
                if not self._taken:
                    self._taken, self._session = True, session or self._session
                    self._inside[self._terminal, self._session] += 1
            case _Give():
                await self._give()
            case _Input() | _Resize() if not self._taken:
                raise Refused(403, Reason.NOT_TAKEN, "send `take` first: a stream only watches")
            case _Input(data=data, key=key):
                typed = await self._type(data, key)
                await self._say("typed", key=key, offset=typed.offset, already=typed.already)
            case _Resize(rows=rows, columns=columns):
                if not (0 < rows <= 1000 and 0 < columns <= 1000):
                    raise Refused(422, Reason.MALFORMED, "rows and columns are 1 to 1000")
                request = TerminalResize(
                    terminal=self._terminal, rows=rows, columns=columns, session=self._session
                )
                self._size = None  # this is answered also if it changes nothing
                size = _size_of(await self._ask(request))
                await self._tell_size(size.rows, size.columns)

    async def _give(self) -> None:
        """Let others type, unless another visit of this session has it still or already."""
        if self._taken:
            self._taken, place = False, (self._terminal, self._session)
            self._inside[place] -= 1
            if not self._inside[place]:
                del self._inside[place]
                await self._ask(TerminalGive(terminal=self._terminal, session=self._session))

    async def _type(self, data: str, key: str) -> Typed:
        """Type at the host; without a link to it, or if that is lost, through the runtime."""
        if not data or len(key) > KEY_LENGTH:
            raise Refused(
                422, Reason.MALFORMED, f"`data` is not empty, and `key` has {KEY_LENGTH} characters"
            )
        name = f"{self._session}:{key}" if key else f"{self._session}-{next(self._numbers)}"
        if self._direct.entry.connected:
            typed = self._direct.type(name, data.encode(), self._incarnation)
            await self._keep_keyboard()
            if (event := await typed) is not None:
                return _as_typed(event, self._incarnation)
        request = TerminalInput(
            terminal=self._terminal,
            text=data,
            key=name,
            incarnation=self._incarnation,
            session=self._session,
        )
        return _typed_of(await self._ask(request))

    async def _keep_keyboard(self) -> None:
        """Ask the runtime for the keyboard where it was not lent, or will not be for long."""
        if self._direct.entry.must_ask():
            request = TerminalTake(
                terminal=self._terminal, session=self._session, incarnation=self._incarnation
            )
            try:
                self._direct.lend(_held_of(await self._ask(request)).seconds)
            except Refused:
                self._direct.drop()
                raise


def _offset_in(query: Mapping[str, str]) -> int | None:
    """Return where a client wants the output to begin. Raises `Refused` (422)."""
    text = query.get("offset")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused(422, Reason.MALFORMED, "`offset` is a number of bytes, 0 or more")
    return int(text)


def _as_typed(event: Acknowledged, incarnation: int) -> Typed:
    """Return the host's answer as the runtime's. Raises `Refused` (409) if it was not typed."""
    if event.result == Result.REFUSED:
        raise Refused(409, Reason.NOT_TYPED, "the program has ended, or reads nothing")
    return Typed(incarnation, event.offset, event.result == Result.ALREADY)
