"""The TCP door's process: `python -m actors.tcp FD FD OWNER`.

The runtime starts it, and hands it two listening sockets as descriptors, for requests and for the
feed, so that the addresses stay the same when this process is started again. OWNER is the mark by
which the next runtime of the home finds what a killed one left.
"""

import asyncio
import logging
import sys
from pathlib import Path

import msgspec
import zmq.asyncio
from zmq.auth.asyncio import AsyncioAuthenticator

from actors.tcp.admission import FEED, REQUESTS, Admission
from actors.tcp.sockets import Feed, Requests
from bus import keys, logs
from bus.doors import TcpDoor, first_line, stdin_closed
from bus.secrecy import hide_memory

log = logging.getLogger("callboard.tcp")

LOOK_SECONDS = 1.0
"""How often it is looked for revoked keys, whose connections are to end."""

_decode = msgspec.json.Decoder(TcpDoor).decode


async def serve(door: TcpDoor, descriptors: tuple[int, int]) -> None:
    """Serve both sockets until standard input closes, or one of their tasks breaks."""
    own = keys.server_keys(Path(door.home))
    logs.hide(own.requests.secret, own.feed.secret)
    admission = Admission(Path(door.home))
    context = zmq.asyncio.Context()
    zap = AsyncioAuthenticator(context, log=logging.getLogger("callboard.tcp.zap"))
    zap.start()
    for domain in (REQUESTS, FEED):
        zap.configure_curve_callback(domain, admission)

    def open_requests() -> Requests:
        return Requests(context, door, own.requests, descriptors[0], admission)

    def open_feed() -> Feed:
        return Feed(context, door, own.feed, descriptors[1], admission)

    requests, feed = open_requests(), open_feed()
    ended = asyncio.create_task(stdin_closed())
    try:
        while True:
            tasks = {ended, *requests.tasks, *feed.tasks}
            done, _ = await asyncio.wait(
                tasks, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                break
            if admission.lost():
                # No connection can be ended alone: all end, and who is still known comes back.
                log.info("a key was revoked or limited: all connections begin anew")
                await feed.close()
                feed = open_feed()
                await requests.drain()
                await requests.close()
                requests = open_requests()
    finally:
        ended.cancel()
        await feed.close()
        await requests.close()
        zap.stop()
        context.destroy(linger=0)
    for task in done - {ended}:
        task.result()


def main(words: list[str]) -> None:
    """Start from the words of the command line and the first line of standard input."""
    hide_memory()
    line = first_line()
    if line:
        door = _decode(line)
        logs.hide(door.secret)
        logs.begin(door.logs)
        asyncio.run(serve(door, (int(words[0]), int(words[1]))))


if __name__ == "__main__":
    main(sys.argv[1:])
