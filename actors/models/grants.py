"""The tokens that the process knows, and what their incarnations have used.

A token counts while the host of its incarnation lives, also while no runtime serves. What it is
good for is asked of the runtime at its first request; where a hard cap holds it, at each.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.models.said import COUNTED, Grant, Granted, Used, read_used
from actors.platform.disk import write_durably
from actors.pty.records import host_lives

log = logging.getLogger("callboard.models")

ASK_SECONDS = 10.0
"""How long a request waits for the runtime's answer about its token."""
_REST = 0.05
"""Seconds after a sum was written until the next is: answers that end together are written once."""


class NotGood(Exception):
    """A request is not carried out: an HTTP status, and the reason."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Grants:
    """Knows the tokens. Belongs to one event loop.

    `ask` sends a question about a token to the runtime, and returns False if none serves.
    """

    def __init__(self, ask: Callable[[str], bool]) -> None:
        self._ask = ask
        self._known: dict[str, Grant] = {}
        self._asked: dict[str, asyncio.Future[Granted]] = {}
        self._used: dict[str, Used] = {}
        self._writing: dict[str, asyncio.Task[None]] = {}

    async def of(self, token: str) -> Grant:
        """Return what a token is good for. Raise `NotGood`."""
        if not token:
            raise NotGood(401, "the request has no token")
        known = self._known.get(token)
        if known is None or known.left is not None:
            known = await self._learn(token)
        alive = host_lives(Path(known.directory))
        if alive is None:
            raise NotGood(503, "it cannot be examined now whether the terminal lives")
        if not alive:
            self._known.pop(token, None)
            raise NotGood(401, "the program of this token has ended")
        if known.left is not None and known.left <= 0:
            raise NotGood(429, "a hard cap of the plan ([limits]) is reached; a person goes on")
        return known

    async def _learn(self, token: str) -> Grant:
        waiting = self._asked.get(token)
        if waiting is None:
            waiting = self._asked[token] = asyncio.get_running_loop().create_future()
            if not self._ask(token):
                del self._asked[token]
                raise NotGood(503, "no runtime serves, and this token is not known yet")
        try:
            async with asyncio.timeout(ASK_SECONDS):
                said = await asyncio.shield(waiting)
        except TimeoutError:
            self._asked.pop(token, None)
            raise NotGood(503, f"the runtime did not answer within {ASK_SECONDS:g} s") from None
        if said.grant is None:
            self._known.pop(token, None)
            raise NotGood(401, said.why)
        self._known[token] = said.grant
        return said.grant

    def granted(self, said: Granted) -> None:
        """Take the runtime's answer about a token."""
        waiting = self._asked.pop(said.token, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(said)

    def lost_runtime(self) -> None:
        """Have the requests that wait for an answer fail: nobody gives it."""
        for token in list(self._asked):
            waiting = self._asked.pop(token)
            if not waiting.done():
                waiting.set_exception(NotGood(503, "the runtime has ended; try again"))
                waiting.exception()  # the request may be gone

    def count(self, grant: Grant, used: Used) -> None:
        """Add what an answer used, and write the sum into the incarnation's directory."""
        directory = grant.directory
        before = self._used.get(directory)
        if before is None:
            before = read_used(Path(directory)) or Used()
        self._used[directory] = before.plus(used)
        if directory not in self._writing:
            self._writing[directory] = asyncio.create_task(self._write(directory))

    async def _write(self, directory: str) -> None:
        try:
            written = None
            while written is not (newest := self._used[directory]):
                data = msgspec.json.encode(newest)
                await asyncio.to_thread(write_durably, Path(directory) / COUNTED, data)
                written = newest
                await asyncio.sleep(_REST)
        except OSError as error:
            log.warning("what %s used cannot be written: %s", directory, error)
        finally:
            del self._writing[directory]

    async def flush(self) -> None:
        """Return when everything that was counted is written."""
        await asyncio.gather(*self._writing.values())
