"""The process's side of the socket on which the runtime listens to it.

What happened is kept until the runtime has stored it, also while no runtime serves.
"""

import asyncio
import hmac
import logging

import msgspec

from actors.models.grants import Grants
from actors.models.said import (
    Asked,
    FromProcess,
    Grant,
    Granted,
    Happened,
    Hello,
    Refused,
    Served,
    Taken,
    decode_from_runtime,
    line,
)
from bus import clock, logs
from bus.kinds import LimitKind

log = logging.getLogger("callboard.models")

KEPT = 1_000
"""Happenings that are kept for a runtime; older ones are dropped, because newer ones count."""
IN_A_ROW = 3
"""Refusals in a row after which one is told that may be over in a moment."""
SOON = 10.0
"""Seconds: a limit of less is the program's own matter, which tries again by itself."""


class Control:
    """Speaks with the runtime. Belongs to one event loop. It is the `serving.Listener`."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._runtime: asyncio.StreamWriter | None = None
        self._number = 0
        self._waiting: list[Happened] = []
        self._in_a_row: dict[str, int] = {}
        self._told: dict[str, tuple[LimitKind, float]] = {}
        self.grants = Grants(lambda token: self._say(Asked(token)))

    @property
    def has_runtime(self) -> bool:
        """Whether a runtime listens."""
        return self._runtime is not None

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a runtime, until it closes. A newer one takes its place."""
        try:
            hello = decode_from_runtime(await reader.readline())
            known = isinstance(hello, Hello) and hmac.compare_digest(
                hello.secret.encode(), self._secret.encode()
            )
            if not known:
                return
            self._leave()
            self._runtime = writer
            for happened in self._waiting:
                self._say(happened)
            while said := await reader.readline():
                self._hear(said)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            log.warning("the runtime's connection broke: %s", error)
        finally:
            if self._runtime is writer:
                self._leave()
            writer.close()

    def _hear(self, said: bytes) -> None:
        match decode_from_runtime(said):
            case Granted() as granted:
                if granted.grant is not None:
                    logs.hide(granted.grant.key)
                if granted.grant is not None and granted.grant.limited:
                    self._in_a_row.setdefault(granted.grant.account, IN_A_ROW)
                self.grants.granted(granted)
            case Taken(number=number):
                self._waiting = [each for each in self._waiting if each.number > number]

    def _leave(self) -> None:
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None
            self.grants.lost_runtime()

    def _say(self, said: FromProcess) -> bool:
        if self._runtime is None or self._runtime.is_closing():
            return False
        self._runtime.write(line(said))
        return True

    # ---- what happens at providers ---------------------------------------------------------

    def refused(self, grant: Grant, by: LimitKind, until: float, text: str = "") -> None:
        """Tell a refusal, unless it may be over in a moment, or is told already."""
        account, now = grant.account, clock.wall().timestamp()
        row = self._in_a_row[account] = self._in_a_row.get(account, 0) + 1
        brief = by in (LimitKind.OVERLOAD, LimitKind.RATE) and until < now + SOON
        kind, end = self._told.get(account, (LimitKind.NONE, 0.0))
        if (brief and row < IN_A_ROW) or (kind == by and max(end, until) < max(end, now) + SOON):
            return
        self._told[account] = (by, until or now + SOON)
        self._number += 1
        self._tell(Refused(self._number, grant.terminal, account, by, until, text))

    def served(self, grant: Grant) -> None:
        """Tell that an account serves again that was told to refuse."""
        row = self._in_a_row.pop(grant.account, 0)
        if self._told.pop(grant.account, None) is not None or row >= IN_A_ROW:
            self._number += 1
            self._tell(Served(self._number, grant.terminal, grant.account))

    def _tell(self, happened: Happened) -> None:
        self._waiting = [*self._waiting, happened][-KEPT:]
        self._say(happened)
