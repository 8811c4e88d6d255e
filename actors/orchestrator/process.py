"""The orchestrator's process: `python -m actors.orchestrator.process LEVEL FORM OWNER`.

It alone sends a model's key anywhere. Standard input is a socket, over which it reads one JSON line
for each `Thought` and writes its `Thinking` and `ThoughtOver`. It ends when that socket closes: a
runtime that was killed leaves none behind. LEVEL and FORM (`json` or `text`) are those of the log.
OWNER is the mark by which the next runtime of the home finds what a killed one left.
"""

import asyncio
import logging
import socket
import sys

import msgspec

from actors.orchestrator.thinking import Thinker
from actors.orchestrator.thoughts import Said, Thought
from bus import logs
from bus.secrecy import hide_memory

log = logging.getLogger("callboard.orchestrator")

LINE_BYTES = 8 << 20
"""The longest line that is read."""

_decode = msgspec.json.Decoder(Thought).decode


class Desk:
    """Takes thoughts from one socket, and answers each once."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._thinker = Thinker(self._say)
        self._open: dict[str, asyncio.Task[None]] = {}

    def take(self, line: bytes) -> None:
        """Begin to think. A line that is no thought, or one that is thought already, is logged."""
        try:
            thought = _decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            log.error("a line that is no thought: %s", error)
            return
        if thought.id in self._open:
            log.error("the thought %s is open already", thought.id)
            return
        logs.hide(*(each.key for each in thought.endpoints if len(each.key) >= logs.SHORTEST))
        self._open[thought.id] = asyncio.create_task(self._think(thought))

    def close(self) -> None:
        """Think no more."""
        for task in self._open.values():
            task.cancel()

    async def _think(self, thought: Thought) -> None:
        over = await self._thinker.think(thought)
        del self._open[thought.id]  # the other side may ask with this id again once it has heard
        await self._say(over)

    async def _say(self, said: Said) -> None:
        self._writer.write(msgspec.json.encode(said) + b"\n")
        await self._writer.drain()


async def serve(pipe: socket.socket) -> None:
    """Think until the other end of the pipe closes."""
    reader, writer = await asyncio.open_connection(sock=pipe, limit=LINE_BYTES)
    desk = Desk(writer)
    try:
        while line := await reader.readline():
            desk.take(line)
    except (ValueError, OSError) as error:
        log.error("the pipe broke: %s", error)
    finally:
        desk.close()
        writer.close()


def main(words: list[str]) -> None:
    """Start from the words of the command line."""
    hide_memory()
    logs.begin(logs.LogSettings(logs.Level(words[0]), json=words[1] == "json"))
    asyncio.run(serve(socket.socket(fileno=0)))


if __name__ == "__main__":
    main(sys.argv[1:])
