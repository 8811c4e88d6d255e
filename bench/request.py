"""A request of another process (`workflow.get`), from sending it to its answer.

The reference is REQ and REP over ipc, which carry, decode and encode the same bytes and do nothing
else.
"""

import itertools
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import zmq

from bench.company import Company
from bench.table import Row, alternate, at_most, percentile
from bus import requests

NAME = "w0"


def bare_server(endpoint: str, answer: str) -> None:
    """Answer each request with the same result, until the process is killed."""
    result = msgspec.json.decode(Path(answer).read_bytes())
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        socket.bind(endpoint)
        print("serves", flush=True)
        while True:
            request = requests.decode(socket.recv())
            socket.send(requests.succeeded(request.id, result))


def run(at: Path, quick: bool) -> list[Row]:
    """Measure the median time of a request."""
    rounds, count = (3, 200) if quick else (7, 500)
    with Company(at) as company:
        company.hire(3, ["cat"])
        company.serve()
        with company.client() as client:
            answer = at / "answer.json"
            answer.write_bytes(msgspec.json.encode(client.call("workflow.get", workflow=NAME)))
            bare = subprocess.Popen(
                [sys.executable, "-m", "bench.request", f"ipc://{at}/bare", str(answer)],
                stdout=subprocess.PIPE,
            )
            assert bare.stdout is not None
            bare.stdout.readline()
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            socket = context.socket(zmq.REQ)
            socket.connect(f"ipc://{at}/bare")
            numbers = itertools.count()

            def ours() -> float:
                taken = []
                for _ in range(count):
                    began = time.perf_counter()
                    client.call("workflow.get", workflow=NAME)
                    taken.append(time.perf_counter() - began)
                return percentile(taken, 0.5) * 1e6

            def reference() -> float:
                taken = []
                for _ in range(count):
                    began = time.perf_counter()
                    request = {"type": "workflow.get", "id": next(numbers), "workflow": NAME}
                    socket.send(msgspec.json.encode(request))
                    reply = requests.decode_reply(socket.recv())
                    msgspec.json.decode(reply.result)
                    taken.append(time.perf_counter() - began)
                return percentile(taken, 0.5) * 1e6

            try:
                taken = alternate(rounds, ours, reference)
            finally:
                bare.kill()
                bare.communicate()
                context.destroy(0)
    return [at_most("request workflow.get, p50", "us", taken, 3, "REQ/REP over ipc")]


if __name__ == "__main__":
    bare_server(sys.argv[1], sys.argv[2])
