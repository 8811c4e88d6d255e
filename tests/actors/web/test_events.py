"""Server-Sent Events: each fact once, in order, whatever happens to the connection."""

import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from actors.web import app
from actors.web import stream as streams
from actors.web.__main__ import Server, settings
from actors.web.access import Identity, Tokens
from actors.web.asking import Asking
from actors.web.peers import Peers
from bus import connection
from bus.errors import Refused
from tests.actors.served import until
from tests.actors.web.conftest import Web
from tests.doors.kit import Home, done, plan_text


def read(web: Web, count: int, **ask: Any) -> list[dict[str, Any]]:
    """The first `count` facts of a stream."""
    found: list[dict[str, Any]] = []
    with web.client.stream("GET", "/api/events", **ask) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for event in events(stream):
            found.append(event)
            if len(found) == count:
                break
    return found


def events(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    """The facts of a stream, checked: `id` is the seq and `event` the type."""
    fields: dict[str, str] = {}
    for line in stream.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            fact = json.loads(fields["data"])
            assert fields["id"] == str(fact["seq"])
            assert fields["event"] == fact["type"]
            yield fact
            fields = {}


def _submit(web: Web, repo: Path, name: str) -> None:
    plan = plan_text(repo, {"a": [done("a.txt")]}).replace('"demo"', json.dumps(name))
    web.client.post("/api/workflows", content=plan, headers={"Content-Type": "application/toml"})


def test_a_stream_that_is_cut_again_and_again_has_each_fact_once(web: Web, repo: Path) -> None:
    for number in range(30):
        _submit(web, repo, f"w{number}")
    head = web.client.get("/api/runtime").json()["head"]
    assert head > 30
    seen: list[int] = []
    while len(seen) < head:
        last = str(seen[-1]) if seen else "0"
        found = read(web, 1, headers={"Last-Event-ID": last})
        seen += [fact["seq"] for fact in found]
    assert seen == list(range(1, head + 1))


def test_a_stream_joins_what_was_and_what_comes(web: Web, repo: Path) -> None:
    _submit(web, repo, "before")
    seq = web.client.get("/api/snapshot").json()["seq"]
    with web.client.stream("GET", "/api/events", params={"after": "0"}) as stream:
        facts = events(stream)
        assert [next(facts)["seq"] for _ in range(seq)] == list(range(1, seq + 1))
        _submit(web, repo, "later")
        assert next(facts)["seq"] == seq + 1


def test_address_and_type_choose(web: Web, repo: Path) -> None:
    _submit(web, repo, "one")
    _submit(web, repo, "two")
    found = read(web, 1, params={"after": "0", "address": "two", "type": "workflow.status"})
    assert [(fact["address"], fact["type"]) for fact in found] == [("two/", "workflow.status")]


WRONG = [
    *(("after", word) for word in ("x", "-1", "1.5", "1_0", "+1", " 1", "\u0661", str(2**63))),
    ("type", "workflow.status,nonsense"),
    ("since", "1"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_place_or_a_wrong_filter_is_refused(shared: Web, name: str, value: str) -> None:
    answer = shared.client.get("/api/events", params={name: value})
    assert (answer.status_code, answer.json()["error"]["path"]) == (422, name)


def test_a_place_beyond_the_newest_fact_is_of_another_journal(shared: Web) -> None:
    head = shared.client.get("/api/runtime").json()["head"]
    answer = shared.client.get("/api/events", headers={"Last-Event-ID": str(head + 1)})
    assert answer.status_code == 422
    assert f"the newest fact here is {head}" in answer.json()["error"]["message"]


def test_a_head_request_opens_no_stream(shared: Web) -> None:
    answer = shared.client.head("/api/events", params={"after": "0"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "callboard_event_streams 0.0" in shared.client.get("/metrics").text


def test_there_are_only_so_many_streams(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_STREAMS", 0)
    home.serve()
    served = connection.read(home.path)
    scope = {"type": "http", "method": "GET", "query_string": b"", "headers": []}

    async def open_one() -> None:
        asking = Asking(served.requests)
        hub, tokens = streams.Hub(served.feed, asking), Tokens("token")
        door = app.Door(asking, hub, tokens, Identity(tokens, Peers(), ""))
        try:
            await app._events(door)(Request({**scope, "state": {"speaker": None}}))  # noqa: SLF001
        finally:
            await hub.close()
            asking.close()

    with pytest.raises(Refused, match="0 streams are open"):
        asyncio.run(open_one())


def test_a_stream_whose_filter_takes_nothing_still_says_that_it_lives(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts that come all the time, and that a client does not want, keep no comment back."""
    monkeypatch.setattr(streams, "COMMENT_SECONDS", 0.2)
    home.serve()
    served = connection.read(home.path)
    wanted = streams.Filter("none/")

    async def listen() -> list[bytes]:
        asking = Asking(served.requests)
        hub = streams.Hub(served.feed, asking)
        pieces = hub.stream(None, wanted)
        found = [await anext(pieces)]
        coming = asyncio.ensure_future(anext(pieces))
        while not coming.done():
            fact = b'{"type":"workflow.status","seq":%d,"address":"other/"}' % (hub.head + 1)
            hub._take([streams.formatted(fact)])  # noqa: SLF001
            await asyncio.sleep(0.02)
        found.append(await coming)
        await pieces.aclose()
        await hub.close()
        asking.close()
        return found

    first, second = asyncio.run(listen())
    assert first.startswith(b"retry: ")
    assert second.startswith(b": head=")


def test_a_client_that_does_not_read_costs_a_place_and_misses_nothing(home: Home) -> None:
    """What its connection does not take waits in the ring, and comes when it reads again."""
    home.serve()
    served = connection.read(home.path)
    count = 12_000  # a kilobyte each: more than the kernel holds for a connection

    async def visit() -> tuple[int, int, bytes]:
        asking = Asking(served.requests)
        hub = streams.Hub(served.feed, asking)

        async def endless(scope: Any, receive: Any, send: Any) -> None:
            await StreamingResponse(hub.stream(None, streams.Filter()))(scope, receive, send)

        listening = socket.create_server(("127.0.0.1", 0))
        server = Server(settings(endless, Peers()))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname(), limit=4096)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while not hub.streams:
            await asyncio.sleep(0.01)
        first = hub.head + 1
        for seq in range(first, first + count):
            fact = b'{"type":"x","seq":%d,"address":"%s"}' % (seq, b"x" * 1000)
            hub._take([streams.formatted(fact)])  # noqa: SLF001
            await asyncio.sleep(0)
        behind, found = hub.behind, b""
        while b"\nid: %d\n" % (first + count - 1) not in found[-2000:]:
            found += await asyncio.wait_for(reader.read(1 << 16), 60)
        writer.close()
        server.end()
        await serving
        await hub.close()
        asking.close()
        return first, behind, found

    first, behind, found = asyncio.run(visit())
    assert behind > count / 10
    seqs = [int(seq) for seq in re.findall(rb"^id: (\d+)$", found, re.MULTILINE)]
    assert seqs == list(range(first, first + count))


def test_the_door_s_death_disturbs_nothing_and_it_comes_back(web: Web, repo: Path) -> None:
    _submit(web, repo, "one")
    head = web.client.get("/api/runtime").json()["head"]
    for _ in range(3):
        os.kill(web.door_pid(), signal.SIGKILL)
        web.client.close()
        web.client = httpx.Client(base_url=web.at.http, headers=web.bearer, trust_env=False)

        def answers() -> bool:
            try:
                return web.client.get("/api/runtime").status_code == 200
            except httpx.TransportError:
                return False

        until(answers)
    assert [f["seq"] for f in read(web, head, params={"after": "0"})] == list(range(1, head + 1))
    assert web.home.json("ps")


def test_the_runtime_ends_cleanly_beside_open_streams(web: Web) -> None:
    limits = httpx.Limits(max_connections=200)
    with ExitStack() as stack:
        client = stack.enter_context(
            httpx.Client(
                base_url=web.at.http, headers=web.bearer, timeout=60, limits=limits, trust_env=False
            )
        )
        opened = [stack.enter_context(client.stream("GET", "/api/events")) for _ in range(100)]
        for stream in opened:
            assert stream.status_code == 200
        web.home.ok("down")
        assert web.home.served is not None
        assert web.home.served.wait(30) == 0


def test_a_killed_runtime_leaves_no_web_door(web: Web) -> None:
    pid = web.door_pid()
    web.home.kill()
    until(lambda: not Path(f"/proc/{pid}").exists())
