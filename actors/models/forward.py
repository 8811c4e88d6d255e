"""Let a program without a network reach the model gateway: standard library only.

`forward.py SOCKET PORT PROGRAM ARGUMENT…` listens on the loopback interface of its own network
namespace, on PORT, and passes each connection to the Unix socket. It starts a process for that,
and becomes the program.
"""

import asyncio
import os
import signal
import socket
import sys

_PIECE = 64 << 10


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends, and then the end."""
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
    except OSError:
        writer.transport.abort()
    finally:
        writer.close()


async def _serve(listening: socket.socket, door: str) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up, down = await asyncio.open_unix_connection(door)
        except OSError:  # the gateway is being started again
            writer.transport.abort()
            return
        await asyncio.gather(_pass(reader, down), _pass(up, writer))

    server = await asyncio.start_server(connected, sock=listening)
    await server.serve_forever()


def _begin(listening: socket.socket, door: str) -> None:
    """Serve in a process that is nobody's child here, and holds nothing of the terminal."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(listening, door))
    os._exit(0)


def main(words: list[str]) -> None:
    """Start from the words of the command line."""
    door, port, *argv = words
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", int(port)))
    listening.listen()
    _begin(listening, door)
    listening.close()
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1:])
