"""HTTP routes: the same handlers, codes and errors as requests on the ROUTER."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from starlette.requests import Request

from actors.web import app
from actors.web.access import Identity, Tokens
from actors.web.asking import Asking
from actors.web.peers import Peers
from actors.web.routes import ROUTES
from actors.web.stream import Hub
from bus.client import Client
from bus.errors import Refused
from tests.actors.served import until
from tests.actors.web.conftest import Web
from tests.doors.kit import coder, done, plan_text


def _submit(web: Web, repo: Path, text: str = "") -> str:
    plan = text or plan_text(repo, {"a": [done("a.txt")]}, head='test = ["true"]')
    answer = web.client.post(
        "/api/workflows", content=plan, headers={"Content-Type": "application/toml"}
    )
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/workflows/{answer.json()['id']}"
    return str(answer.json()["id"])


def test_a_workflow_that_is_not_ready_is_not_started(web: Web, repo: Path) -> None:
    name = _submit(web, repo)
    refused = web.client.post(f"/api/workflows/{name}/start")
    assert refused.status_code == 400
    with Client(web.at.requests) as client, pytest.raises(Refused) as said:
        client.call("workflow.start", workflow=name)
    assert refused.json()["error"]["reason"] == said.value.body.reason


def test_a_plan_goes_from_http_to_landed(web: Web, repo: Path) -> None:
    name = _submit(web, repo)
    assert web.client.post(f"/api/workflows/{name}/prepare").status_code == 200
    web.home.until(lambda row: row["status"] == "ready", name)
    assert web.client.post(f"/api/workflows/{name}/start").json()["status"] == "running"
    web.home.until(lambda row: row["status"] == "completed", name)
    row = web.client.get(f"/api/workflows/{name}").json()
    assert row["status"] == "completed"
    assert (repo / "a.txt").exists()
    why = web.client.get(f"/api/why/{name}/a/").json()
    assert why["status"] == "completed"
    assert web.client.get("/api/snapshot").json()["workflows"][0]["id"] == name


def test_a_plan_is_taken_as_json_as_toml_and_with_its_directory(web: Web, repo: Path) -> None:
    plan = {
        "name": "as-json",
        "repo": str(repo),
        "cli": {"mine": {"command": ["true"]}},
        "task": [{"id": "a", "branch": "b/a", "terminal": [{"cli": "mine", "instruction": "go"}]}],
    }
    assert web.client.post("/api/workflows", json=plan).status_code == 201
    relative = {"plan": {**plan, "name": "relative", "repo": repo.name}, "base": str(repo.parent)}
    assert web.client.post("/api/workflows", json=relative).json()["id"] == "relative"
    assert web.client.post("/api/plans/check", json=plan).json()["target"] == "main"


@pytest.mark.parametrize(
    ("path", "body", "code", "field"),
    [
        ("/api/workflows/none/start", None, 404, ""),
        ("/api/workflows", b"{", 422, ""),
        ("/api/workflows", b"[1]", 422, ""),
        ("/api/workflows", b'{"name": 1}', 422, "name"),
        ("/api/workflows", b"[" * 100_000, 422, ""),
        ("/api/tasks/none/a/approve", None, 404, ""),
        ("/api/workflows/none/start", b'{"id": "x"}', 422, "id"),
        ("/api/nothing", None, 404, ""),
    ],
)
def test_wrong_words_are_refused_with_the_field(
    shared: Web, path: str, body: bytes | None, code: int, field: str
) -> None:
    answer = shared.client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == code, answer.text
    assert answer.json()["error"].get("path", "") == field


def test_an_address_may_be_a_number(web: Web, repo: Path) -> None:
    plan = plan_text(repo, {"a": [done("a.txt")]}).replace('"demo"', '"123"')
    name = _submit(web, repo, plan)
    for address in (name, f"{name}/a"):
        asked = {"address": address}
        assert web.client.get("/api/usage", params=asked).status_code == 200, address
    assert web.client.get(f"/api/why/{name}").json()["address"] == f"{name}/"


def test_reading_again_is_cheap_and_a_get_changes_nothing(web: Web, repo: Path) -> None:
    name = _submit(web, repo)
    first = web.client.get(f"/api/workflows/{name}")
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = web.client.get(f"/api/workflows/{name}", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b""), known
    assert web.client.get(f"/api/workflows/{name}/start").status_code == 405
    asked = {"addresses": [name, f"{name}/no/", f"{name}/a/"], "types": ["task.status"]}
    (moved,) = web.client.post("/api/newest", json=asked).json()["facts"]
    assert (moved["address"], moved["new"]) == (f"{name}/a/", "pending")
    assert web.home.status(name) == "created"


def test_a_post_that_is_sent_twice_with_its_key_is_done_once(web: Web, repo: Path) -> None:
    plan = plan_text(repo, {"a": [done("a.txt")]}, head='test = ["true"]')
    headers = {"Content-Type": "application/toml", "Idempotency-Key": "one"}
    answers = [web.client.post("/api/workflows", content=plan, headers=headers) for _ in range(3)]
    assert {answer.json()["id"] for answer in answers} == {"demo"}
    assert len(web.client.get("/api/workflows").json()) == 1
    other = web.client.post("/api/workflows", content=plan + "\n", headers=headers)
    assert other.status_code == 422


def test_only_so_many_keys_are_remembered(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_REMEMBERED", 2)
    (route,) = [route for route in ROUTES if route.path == "/api/workflows/{workflow}/start"]

    async def ask() -> tuple[list[int], list[str]]:
        asking = Asking(web.at.requests)
        tokens = Tokens("token")
        hub = Hub(web.at.feed, asking)
        door = app.Door(asking, hub, tokens, Identity(tokens, Peers(), ""))
        handle = app._handler(door, route)  # noqa: SLF001
        codes = []
        for key in (b"1", b"2", b"3"):
            scope = {
                "type": "http", "method": "POST", "path": "/start", "query_string": b"",
                "headers": [(b"idempotency-key", key)], "path_params": {"workflow": "none"},
                "state": {"speaker": None, "body": b""},
            }  # fmt: skip
            codes.append((await handle(Request(scope))).status_code)
        await hub.close()
        asking.close()
        return codes, [key for _, key in door.answers]

    assert asyncio.run(ask()) == ([404] * 3, ["2", "3"])


def test_a_task_is_rejected_and_approved_over_http(web: Web, repo: Path) -> None:
    script = "$ echo x > a.txt; git add -A; git commit -qm 'a #review'\n"
    text = plan_text(repo, {"a": [coder(script)]}, head='test = ["true"]')
    name = _submit(web, repo, text)
    web.client.post(f"/api/workflows/{name}/prepare")
    web.home.until(lambda row: row["status"] == "ready", name)
    web.client.post(f"/api/workflows/{name}/start")
    web.home.until(lambda row: row["tasks"][0]["status"] == "review_pending", name)
    empty = web.client.post(f"/api/tasks/{name}/a/reject", json={"reason": " "})
    assert empty.status_code == 422
    assert web.client.post(f"/api/tasks/{name}/a/approve").status_code == 200
    web.home.until(lambda row: row["status"] == "completed", name)


def test_a_plan_is_changed_and_shown_over_http(web: Web, repo: Path) -> None:
    name = _submit(web, repo)
    added = {"id": "n", "branch": "feat/n", "terminal": [coder("x"), coder("y")]}
    put = web.client.post(f"/api/workflows/{name}/tasks", json={"task": added})
    assert put.status_code == 200, put.text
    refused = web.client.post(f"/api/workflows/{name}/tasks", json={"task": added})
    assert (refused.status_code, refused.json()["error"]["path"]) == (422, "task.id")
    last = {"terminal": coder("z")}
    assert web.client.post(f"/api/tasks/{name}/n/terminals", json=last).status_code == 200
    other = {"instruction": "another"}
    at = f"/api/terminals/{name}/n/1/instruction"
    assert web.client.post(at, json=other).status_code == 200
    assert web.client.post(f"/api/tasks/{name}/n/move", json={"position": 1}).status_code == 200
    keys = {"max_terminals": 2}
    assert web.client.post(f"/api/workflows/{name}/plan", json=keys).status_code == 200
    plan = web.client.get(f"/api/workflows/{name}/plan").json()["plan"]
    assert (plan["max_terminals"], plan["task"][0]["id"]) == (2, "n")
    words = [each["instruction"] for each in plan["task"][0]["terminal"]]
    assert words == ["another", "y", "z"]
    row = web.client.post(f"/api/tasks/{name}/n/cancel").json()["row"]
    assert [each["status"] for each in row["tasks"]] == ["cancelled", "pending"]
    assert web.client.post(f"/api/tasks/{name}/n/cancel").status_code == 400
    left = web.client.get(f"/api/workflows/{name}/plan").json()
    assert "feat/n" not in left["toml"]


def test_openapi_names_every_route_that_the_contract_names(shared: Web) -> None:
    document = shared.client.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    wanted = {
        "/api/workflows": {"get", "post"},
        "/api/workflows/{workflow}": {"get"},
        **{
            f"/api/workflows/{{workflow}}/{word}": {"post"}
            for word in ("prepare", "start", "pause", "resume", "stop", "repair")
        },
        "/api/workflows/{workflow}/merge/continue": {"post"},
        "/api/workflows/{workflow}/merge/abort": {"post"},
        "/api/workflows/{workflow}/merge/preview": {"get"},
        **{
            f"/api/tasks/{{task}}/{word}": {"post"}
            for word in ("retry", "approve", "reject", "cancel")
        },
        "/api/terminals/{terminal}/answer": {"post"},
        "/api/why/{address}": {"get"},
        "/api/tree": {"get"},
        "/api/snapshot": {"get"},
        "/api/runtime": {"get"},
        "/api/plans/check": {"post"},
        "/api/events": {"get"},
    }
    for path, methods in wanted.items():
        assert methods <= set(document["paths"][path]), path
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["responses"]
    assert json.dumps(document)


def test_metrics_count_what_is_there(web: Web, repo: Path) -> None:
    _submit(web, repo)
    text = web.client.get("/metrics").text
    assert 'callboard_workflows{status="created"} 1.0' in text
    samples = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if not line.startswith("#")
    }
    assert samples['callboard_waits{for="answer"}'] == 0
    for name in (
        "callboard_journal_queue",
        "callboard_mailbox_depth_largest",
        "callboard_event_streams",
        "callboard_event_stream_behind_largest",
        "callboard_event_ring",
        "callboard_usage_unknown",
    ):
        assert samples[name] >= 0

    def published() -> float:
        found = re.search(
            r"^callboard_fact_publish_seconds_count (\S+)",
            web.client.get("/metrics").text,
            re.MULTILINE,
        )
        assert found
        return float(found[1])

    def transitions() -> set[tuple[str, float]]:
        text = web.client.get("/metrics").text
        found = re.findall(r'^callboard_transitions{of="(\w+)"} (\S+)$', text, re.MULTILINE)
        return {(of, float(count)) for of, count in found}

    before = published()
    changed = transitions()
    assert {of for of, _ in changed} == {"workflow", "task", "terminal"}
    web.client.post("/api/workflows/demo/stop")
    until(lambda: published() > before)
    until(lambda: sum(count for _, count in transitions() - changed) >= 2)
