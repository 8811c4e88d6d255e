"""The web door: a request, the event stream, a thousand streams, and what it costs while idle.

A request's reference is a bare Starlette route on uvicorn that returns the same body. An event's
reference is a ZeroMQ subscriber that takes the same fact from the same commit.
"""

import http.client
import re
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from bench.company import Company, cpu_seconds, memory_kb
from bench.refs import Branch
from bench.refs import ours as told
from bench.table import Row, alternate, at_most, below, percentile, within
from bus import connection
from bus.facts import CommitSeen
from bus.status import WorkflowStatus
from bus.subscriber import Subscriber

FACTS_A_SECOND = 60
STREAM = b"GET /api/events?after=%d HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n"
_MARK = b"\nevent: commit.seen\n"


def bare_server(body: str) -> None:
    """Serve one file's bytes at `/` with Starlette on uvicorn; print the port."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    data = Path(body).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(data, media_type="application/json")

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))  # asyncio sets TCP_NODELAY only where the protocol is named
    listening.listen()
    print(listening.getsockname()[1], flush=True)
    app = Starlette(routes=[Route("/", answer)])
    config = uvicorn.Config(app, http="h11", lifespan="off", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


class Door:
    """A served web door: its address and token."""

    def __init__(self, company: Company) -> None:
        served = connection.read(company.home)
        if served.http is None or served.token is None:
            raise RuntimeError("HTTP is not served")
        self.host = urlsplit(served.http).netloc
        self.token = served.token

    def stream(self, after: int) -> socket.socket:
        """Open an event stream; return its socket."""
        host, _, port = self.host.partition(":")
        opened = socket.create_connection((host, int(port)))
        opened.sendall(STREAM % (after, self.host.encode(), self.token.encode()))
        return opened

    def streams(self) -> int:
        """Return how many streams are open, as the metrics say it."""
        client = http.client.HTTPConnection(self.host)
        client.request("GET", "/metrics", headers={"Authorization": f"Bearer {self.token}"})
        text = client.getresponse().read().decode()
        client.close()
        found = re.search(r"^callboard_event_streams (\d+)", text, re.MULTILINE)
        if found is None:
            raise LookupError("the metrics do not say how many streams are open")
        return int(found[1])


def getter(host: str, path: str, count: int, **headers: str) -> Callable[[], float]:
    """Return what takes the median microseconds of a GET over one connection."""
    client = http.client.HTTPConnection(host)

    def get() -> bytes:
        client.request("GET", path, headers=headers)
        with client.getresponse() as answer:
            body = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
            return body

    def taken() -> float:
        times = []
        for _ in range(count):
            began = time.perf_counter()
            get()
            times.append(time.perf_counter() - began)
        return percentile(times, 0.5) * 1e6

    return taken


def requests(at: Path, door: Door, rounds: int, count: int) -> Row:
    """Measure a workflow's request against a bare route with the same body."""
    client = http.client.HTTPConnection(door.host)
    token = f"Bearer {door.token}"
    client.request("GET", "/api/workflows/w0", headers={"Authorization": token})
    (at / "body").write_bytes(client.getresponse().read())
    argv = [sys.executable, "-m", "bench.web", str(at / "body")]
    bare = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert bare.stdout is not None
    port = bare.stdout.readline().strip()
    try:
        taken = alternate(
            rounds,
            getter(door.host, "/api/workflows/w0", count, Authorization=token),
            getter(f"127.0.0.1:{port}", "/", count),
        )
    finally:
        bare.kill()
        bare.communicate()
    return at_most("HTTP GET workflow, p50", "us", taken, 2.5, "a bare Starlette route")


class Heard(threading.Thread):
    """One event stream; notes when each commit's event has come."""

    def __init__(self, door: Door, after: int) -> None:
        super().__init__(daemon=True)
        self.at: dict[bytes, float] = {}
        self._stream = door.stream(after)

    def run(self) -> None:
        """Read until the stream ends."""
        for line in self._stream.makefile("rb"):
            if line.startswith(b"data: ") and b'"commit.seen"' in line:
                self.at[line.partition(b'"commit":"')[2][:40]] = time.perf_counter()


def events(company: Company, door: Door, commits: int) -> Row:
    """Measure the time from a commit to its event, and to a subscriber."""
    subscriber, head = _subscriber(company)
    heard = Heard(door, head)
    heard.start()
    branch = Branch(company.root / "repo0" / ".git", "refs/heads/w0/t0")
    direct: list[float] = []
    moved: dict[bytes, float] = {}
    for _ in range(commits):
        direct.append(told(branch, subscriber))
        moved[str(branch.tip.id).encode()] = branch.moved_at
        time.sleep(0.01)
    end = time.monotonic() + 30
    while not moved.keys() <= heard.at.keys() and time.monotonic() < end:
        time.sleep(0.05)
    streamed = [(heard.at[commit] - since) * 1e3 for commit, since in moved.items()]
    subscriber.close()
    ours, reference = percentile(streamed, 0.5), percentile(direct, 0.5)
    return within("commit to SSE client, p50", "ms", ours, reference, 5, "a ZeroMQ subscriber")


def _subscriber(company: Company) -> tuple[Subscriber, int]:
    """Return a subscriber that has caught up, and the seq that it has reached."""
    served = connection.read(company.home)
    subscriber = Subscriber(served.feed, served.requests)
    while subscriber.next(0.5) is not None:
        pass
    return subscriber, subscriber.seq


def many(company: Company, door: Door, clients: int, span: float) -> Row:
    """Count the facts that a thousand clients receive while facts are told at a fixed rate."""
    subscriber, head = _subscriber(company)
    poll = selectors.DefaultSelector()
    for number in range(clients):
        opened = door.stream(head)
        opened.setblocking(False)
        poll.register(opened, selectors.EVENT_READ, number)
    while door.streams() < clients:
        time.sleep(0.2)
    counts, rest = [0] * clients, [b""] * clients
    wanted = int(span * FACTS_A_SECOND)
    writer = threading.Thread(target=_commit, args=(company, wanted), daemon=True)
    began = time.perf_counter()
    writer.start()
    quiet = time.monotonic()
    while min(counts) < wanted and time.monotonic() - quiet < 30:
        for key, _ in poll.select(1.0):
            assert isinstance(key.fileobj, socket.socket)
            data = rest[key.data] + key.fileobj.recv(1 << 18)
            counts[key.data] += data.count(_MARK)
            rest[key.data] = data[-len(_MARK) + 1 :]
            quiet = time.monotonic()
    taken = time.perf_counter() - began
    writer.join()
    told_to_all = 0
    while (fact := subscriber.next(1.0)) is not None:
        told_to_all += isinstance(fact, CommitSeen)
    subscriber.close()
    for key in list(poll.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()
    lost = sum(told_to_all - count for count in counts)
    note = f"{told_to_all} facts in {taken:.1f} s to each; most {max(counts)}"
    what = f"{clients:,} SSE clients at {FACTS_A_SECOND} facts/s"
    right = lost == 0 and max(counts) == told_to_all
    return Row(what, "lost", lost, 0, "what was told", float(not right), "0 lost", right, note)


def _commit(company: Company, count: int) -> None:
    branch = Branch(company.root / "repo0" / ".git", "refs/heads/w0/t1")
    due = time.monotonic()
    for _ in range(count):
        branch.commit()
        due += 1 / FACTS_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))


def idle(company: Company, span: float) -> list[Row]:
    """Measure the CPU time and the memory of the web door's process while nothing happens."""
    assert company.served is not None
    pid = _door_pid(company.served.pid)
    time.sleep(2.0)
    began, before = time.monotonic(), cpu_seconds(pid)
    time.sleep(span)
    share = (cpu_seconds(pid) - before) / (time.monotonic() - began) * 100
    return [
        below("idle web door: CPU", "%", share, 0.2, f"in {span:.0f} s"),
        below("idle web door: memory", "MB", memory_kb(pid) / 1000, 60.0, "resident"),
    ]


def _door_pid(runtime: int) -> int:
    for task in Path(f"/proc/{runtime}/task").glob("*/children"):
        for child in task.read_text().split():
            if b"actors.web" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise LookupError("the web door's process")


def run(at: Path, quick: bool) -> list[Row]:
    """Measure the web door."""
    rounds, count, commits, clients, span = (
        (3, 100, 30, 200, 3.0) if quick else (7, 300, 200, 1_000, 10.0)
    )
    with Company(at / "company") as company:
        company.hire(3, ["cat"], WorkflowStatus.RUNNING)
        company.serve(options=["--http", "127.0.0.1:0"])
        door = Door(company)
        rows = idle(company, 10.0 if quick else 60.0)
        rows.append(requests(at, door, rounds, count))
        rows.append(events(company, door, commits))
        rows.append(many(company, door, clients, span))
    return rows


if __name__ == "__main__":
    bare_server(sys.argv[1])
