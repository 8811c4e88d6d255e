"""Server-Sent Events: each fact once, in order, whatever happens to the connection."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.actors.served import until
from tests.actors.web.conftest import Web
from tests.doors.kit import done, plan_text


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


@pytest.mark.parametrize("after", ["x", "-1", "1.5", str(2**63)])
def test_a_wrong_place_to_begin_is_refused(web: Web, after: str) -> None:
    assert web.client.get("/api/events", params={"after": after}).status_code == 422


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
        streams = [stack.enter_context(client.stream("GET", "/api/events")) for _ in range(100)]
        for stream in streams:
            assert stream.status_code == 200
        web.home.ok("down")
        assert web.home.served is not None
        assert web.home.served.wait(30) == 0


def test_a_killed_runtime_leaves_no_web_door(web: Web) -> None:
    pid = web.door_pid()
    web.home.kill()
    until(lambda: not Path(f"/proc/{pid}").exists())
