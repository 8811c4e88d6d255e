"""The model gateway: what it adds to the first byte of an answer, and to a conversation's request.

The reference is the same request to the same server without the gateway, in the same run.
"""

import fcntl
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from actors.models import said, starting
from actors.models.said import Asked, Grant, Granted
from bench.table import Row, alternate, percentile, within

TOKEN, KEY = "token-of-the-bench", "key-of-the-bench"
ANSWER = b'data: {"type":"message_start","message":{"usage":{"input_tokens":7}}}\n\n'


def server() -> None:
    """Answer each request with one event of a stream, on kept connections; print the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(ANSWER)}"
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection, head.encode()), daemon=True).start()


def _serve(connection: socket.socket, head: bytes) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as file:
        while lines := list(iter(file.readline, b"\r\n")):
            length = next(
                int(x.split(b":")[1]) for x in lines if x.lower().startswith(b"content-l")
            )
            file.read(length)
            connection.sendall(head + b"\r\n\r\n" + ANSWER)


def _answer(control: socket.socket, grant: Grant) -> None:
    """Stand for the runtime: each token is good for the server."""
    with control.makefile("rb") as file:
        for line in file:
            if isinstance(asked := said.decode_from_process(line), Asked):
                control.sendall(said.line(Granted(asked.token, grant)))


def run(at: Path, quick: bool) -> list[Row]:
    """Measure small requests, and those of a long conversation (1 MB)."""
    rounds, count = (3, 100) if quick else (7, 400)
    directory, sockets = at / "terminals/a", at / "s"
    directory.mkdir(parents=True)
    sockets.mkdir()
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    bare = subprocess.Popen([sys.executable, "-m", "bench.gateway"], stdout=subprocess.PIPE)
    assert bare.stdout is not None
    port = int(bare.stdout.readline())
    process, place = starting.start(at, sockets, "secret", 0)
    control = starting.connect(place, "secret")
    control.settimeout(None)
    grant = Grant("a/", str(directory), "account", f"http://127.0.0.1:{port}", KEY, ("m",))
    threading.Thread(target=_answer, args=(control, grant), daemon=True).start()
    rows = []
    try:
        for what, size in (("a request of 1 kB", 1_000), ("a request of 1 MB", 1_000_000)):
            body = json.dumps({"messages": "x" * size, "model": "m"}).encode()
            times = count if size < 10_000 else count // 4
            direct, through = alternate(
                rounds,
                lambda body=body, times=times: _first_byte(port, body, times),  # type: ignore[misc]
                lambda body=body, times=times: _first_byte(place.port, body, times),  # type: ignore[misc]
            )
            rows.append(
                within(f"first byte, {what}", "ms", through, direct, 2.0, "without the gateway")
            )
    finally:
        control.close()
        starting.end(at)
        process.wait()
        bare.kill()
        bare.wait()
        os.close(lock)
    return rows


def _first_byte(port: int, body: bytes, count: int) -> float:
    """Return the median of the milliseconds to the head of the answer, on a kept connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        connection.request("POST", "/v1/messages", body, {"x-api-key": TOKEN})
        answer = connection.getresponse()
        taken.append(time.perf_counter() - began)
        assert answer.read() == ANSWER
    connection.close()
    return percentile(taken, 0.5) * 1e3


if __name__ == "__main__":
    server()
