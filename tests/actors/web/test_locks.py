"""What the web door keeps out. Each number is a requirement of `docs/security.md`."""

import asyncio
import hmac
import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn

from actors.web import access, app
from actors.web.__main__ import HEAD_SECONDS, MAX_CONNECTIONS, Server, protocol, settings
from actors.web.peers import Peers
from actors.web.socket import TOKEN_SECONDS
from bus.errors import Refused
from bus.peer import Right
from tests.actors.web.conftest import Web
from tests.doors.kit import ROOT, Home


def _get(web: Web, path: str = "/api/runtime", **headers: str) -> httpx.Response:
    return httpx.get(web.at.http + path, headers=headers, trust_env=False)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost", "127.0.0.1:1", ""])
@pytest.mark.parametrize("path", ["/health", "/api/runtime", "/metrics", "/nothing"])
def test_another_host_is_misdirected(shared: Web, host: str, path: str) -> None:
    """Hazard 53."""
    answer = shared.raw(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {shared.at.token}\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    assert answer.split()[1] in (b"421", b"400"), answer


def test_a_host_that_only_begins_or_ends_as_ours_does_is_misdirected(shared: Web) -> None:
    name, _, port = shared.host.rpartition(":")
    for host in (f"{shared.host}.evil.example", f"{name}.evil.example:{port}", f"x{shared.host}"):
        assert _get(shared, "/health", Host=host).status_code == 421, host


def test_two_hosts_or_none_are_refused(shared: Web) -> None:
    for lines in (f"Host: {shared.host}\r\nHost: evil", ""):
        answer = shared.raw(
            f"GET /health HTTP/1.1\r\n{lines}\r\nConnection: close\r\n\r\n".encode()
        )
        assert answer.split()[1] in (b"421", b"400"), answer


@pytest.mark.parametrize("name", ["localhost", "[::1]"])
def test_the_other_names_of_loopback_are_this_server(shared: Web, name: str) -> None:
    port = shared.host.rpartition(":")[2]
    answer = _get(shared, Host=f"{name}:{port}", **shared.bearer)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/runtime", "/api/openapi.json", "/metrics", "/api/events", "/api/none"]
)
def test_every_route_wants_the_token(shared: Web, path: str) -> None:
    """Hazard 53."""
    assert _get(shared, path).status_code == 401
    for wrong in ("Bearer", "Bearer x", f"Basic {shared.at.token}", f"Bearer {shared.at.token}x"):
        assert _get(shared, path, Authorization=wrong).status_code == 401
    assert _get(shared, f"{path}?token={shared.at.token}").status_code == 401
    assert (
        httpx.get(
            shared.at.http + path, cookies={"token": shared.at.token}, trust_env=False
        ).status_code
        == 401
    )


def test_no_path_of_the_document_answers_without_the_token(shared: Web) -> None:
    document = shared.client.get("/api/openapi.json").json()
    asked = [(method, path) for path, methods in document["paths"].items() for method in methods]
    with httpx.Client(base_url=shared.at.http, trust_env=False, timeout=30) as nobody:
        answered = {
            path for method, path in asked if nobody.request(method, path).status_code != 401
        }
    assert answered == {"/api/login", "/health", "/ready"}
    assert len(asked) > 45


def test_the_token_is_new_at_every_start(home: Home) -> None:
    tokens = set()
    for _ in range(2):
        home.serve("--http")
        web = Web(home)
        tokens.add(web.at.token)
        assert len(web.at.token) >= 43  # 256 bits in base64
        web.client.close()
        home.ok("down")
        assert home.served is not None
        home.served.wait(30)
    assert len(tokens) == 2


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "x"])
def test_a_page_of_another_origin_reads_and_writes_nothing(shared: Web, origin: str) -> None:
    """Hazard 53."""
    assert _get(shared, Origin=origin, **shared.bearer).status_code == 403
    written = shared.client.post("/api/workflows/x/start", headers={"Origin": origin})
    assert written.status_code == 403
    own = shared.client.post("/api/workflows/x/start", headers={"Origin": shared.at.http})
    assert own.status_code == 404


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_write_from_another_site_is_refused(shared: Web, site: str) -> None:
    refused = shared.client.post("/api/workflows/x/start", headers={"Sec-Fetch-Site": site})
    assert refused.status_code == 403
    allowed = shared.client.post(
        "/api/workflows/x/start", headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert allowed.status_code == 404


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_form_can_send_is_refused(shared: Web, kind: str) -> None:
    answer = shared.client.post(
        "/api/workflows", content=b'{"name":"x"}', headers={"Content-Type": kind}
    )
    assert answer.status_code == 415


def test_a_body_of_no_type_is_refused(shared: Web) -> None:
    """A page of another origin can send one without being asked first."""
    assert shared.client.post("/api/workflows", content=b'{"name":"x"}').status_code == 415


def test_what_is_posted_is_not_done_by_a_get(shared: Web) -> None:
    document = shared.client.get("/api/openapi.json").json()
    paths = [path for path, methods in document["paths"].items() if "get" not in methods]
    assert {path: shared.client.get(path).status_code for path in paths} == dict.fromkeys(
        paths, 405
    )
    assert len(paths) > 25


def test_there_is_no_cors_and_every_answer_carries_its_locks(shared: Web) -> None:
    asked = shared.client.options("/api/workflows", headers={"Origin": shared.at.http})
    assert (asked.status_code, asked.json()["error"]["reason"]) == (405, "no_options")
    for answer in (
        asked,
        shared.client.get("/api/runtime"),
        _get(shared),
        shared.client.get("/health"),
    ):
        names = {name.lower() for name in answer.headers}
        assert not [name for name in names if name.startswith("access-control")]
        assert "set-cookie" not in names
        assert answer.headers["content-security-policy"] == (
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
        )
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_too_large_and_doubtful_requests_are_refused(shared: Web) -> None:
    large = shared.client.post(
        "/api/workflows", content=b"x" * (1 << 20 | 1), headers={"Content-Type": "application/json"}
    )
    assert (large.status_code, large.headers["connection"]) == (413, "close")
    answer = shared.raw(
        f"POST /api/workflows HTTP/1.1\r\nHost: {shared.host}\r\n"
        f"Authorization: Bearer {shared.at.token}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n".encode()
    )
    assert answer.split()[1] == b"400"
    assert b"connection: close" in answer.lower()
    wide = shared.raw(
        f"GET /health HTTP/1.1\r\nHost: {shared.host}\r\nX: {'x' * 20_000}\r\n\r\n".encode()
    )
    assert wide.split()[1] in (b"431", b"400")
    assert b"connection: close" in wide.lower()
    target = shared.raw(
        f"GET /health?{'x' * 20_000} HTTP/1.1\r\nHost: {shared.host}\r\n\r\n".encode()
    )
    assert target.split()[1] in (b"431", b"400")
    assert shared.client.get("/api/runtime").status_code == 200


async def _slow_app(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await asyncio.sleep(1.0)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def test_a_connection_on_which_no_whole_head_comes_is_closed() -> None:
    """New ones, and those that had an answer; but not one whose answer takes long."""
    whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    half = whole[:-2]

    async def visit(port: int, *words: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        found = b""
        for word in words:
            writer.write(word)
            if word == whole:
                found += await reader.readuntil(b"\r\n\r\n")
        if words[-1:] != (whole,):
            found += await reader.read()  # until it is closed
        writer.close()
        return found

    async def knock() -> list[bytes]:
        listening = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            _slow_app, http=protocol(Peers(), 0.2), lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        port = listening.getsockname()[1]
        visits = (), (half,), (whole, half), (whole, whole)
        found = await asyncio.gather(*(visit(port, *words) for words in visits))
        server.should_exit = True
        await serving
        return found

    found = asyncio.run(knock())
    assert [answer.count(b" 204 ") for answer in found] == [0, 0, 1, 2]


def test_a_connection_too_many_gets_no_answer_but_503() -> None:
    async def ask(port: int) -> tuple[bytes, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return (await reader.readuntil(b"\r\n\r\n"))[9:12], writer

    async def knock() -> list[bytes]:
        listening = socket.create_server(("127.0.0.1", 0))
        server = Server(settings(_slow_app, Peers(), connections=2))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        port = listening.getsockname()[1]
        visits = [await ask(port) for _ in range(2)]
        for _, writer in visits:
            writer.close()
        server.end()
        await serving
        return [code for code, _ in visits]

    assert asyncio.run(knock()) == [b"204", b"503"]


def test_a_body_that_does_not_come_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "BODY_SECONDS", 0.1)
    sent: list[access.Message] = []

    async def never() -> access.Message:
        await asyncio.Event().wait()
        return {}

    async def send(message: access.Message) -> None:
        sent.append(message)

    identity = access.Identity(access.Tokens("token"), Peers(), "")
    guard = access.Guard(_slow_app, identity, frozenset({"x:1"}), app.refusal)
    headers = [
        (b"host", b"x:1"), (b"content-type", b"application/json"), (b"content-length", b"5"),
    ]  # fmt: skip
    scope = {
        "type": "http", "method": "POST", "path": "/api/login", "raw_path": b"/api/login",
        "query_string": b"", "headers": headers,
    }  # fmt: skip
    asyncio.run(guard(scope, never, send))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the user's own and with that of each session, also after one that fits."""
    tokens = access.Tokens("own")
    sessions = [tokens.exchange(tokens.make_code()) for _ in range(3)]
    compared = []

    def noted(given: bytes, known: bytes) -> bool:
        compared.append(known.decode())
        return hmac.compare_digest(given, known)

    monkeypatch.setattr(access, "hmac", SimpleNamespace(compare_digest=noted))
    for given, right in (("own", Right.OWN), (sessions[0], Right.USE), ("x", None)):
        compared.clear()
        assert tokens.right(given) is right
        assert sorted(compared) == sorted(["own", *sessions])


def test_the_limits_are_those_that_the_pages_name() -> None:
    pages = {name: (ROOT / "docs" / name).read_text() for name in ("protocol.md", "security.md")}
    protocol, security = (" ".join(text.split()) for text in pages.values())
    for said in (
        f"a body over {access.MAX_BODY >> 20} MiB (413)",
        f"or that takes over {access.BODY_SECONDS:g} s (408)",
        f"address and headers over {access.MAX_HEADERS >> 10} KiB (431)",
        f"a request's head does not come within {HEAD_SECONDS:g} s",
        f"good once and for {access.CODE_SECONDS:g} s",
        f"within {TOKEN_SECONDS:g} s; then `take`",
        f"A client's frame holds {settings(_slow_app, Peers()).ws_max_size >> 10} KiB at most",
    ):
        assert said in protocol
    assert f"{MAX_CONNECTIONS:,} connections" in security
    assert access.LOGINS_A_MINUTE == 10
    assert "ten failures a minute" in security


def test_a_login_code_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = access.Tokens("token")
    tokens.exchange(tokens.make_code())
    monkeypatch.setattr(access, "CODE_SECONDS", 0.0)
    with pytest.raises(Refused, match="over a minute old"):
        tokens.exchange(tokens.make_code())


def test_codes_and_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MAX_CODES", 2)
    monkeypatch.setattr(access, "MAX_SESSIONS", 2)
    tokens = access.Tokens("token")
    sessions = [tokens.exchange(tokens.make_code()) for _ in range(4)]
    assert [tokens.right(session) for session in sessions].count(Right.USE) == 2
    assert tokens.right(sessions[-1]) is Right.USE
    for _ in range(2):
        tokens.make_code()
    with pytest.raises(Refused, match="2 login codes wait"):
        tokens.make_code()


def test_a_login_code_is_good_once_and_for_a_browser_only(web: Web) -> None:
    made = web.client.post("/api/login-codes").json()
    code = made["code"]
    assert made["path"] == f"/#code={code}"  # a fragment is sent to no server
    got = httpx.post(web.at.http + "/api/login", json={"code": code}, trust_env=False)
    session = got.json()["token"]
    assert min(len(code), len(session)) >= 43  # 256 bits in base64
    assert "set-cookie" not in got.headers
    again = httpx.post(web.at.http + "/api/login", json={"code": code}, trust_env=False)
    assert again.status_code == 401
    own = {"Authorization": f"Bearer {session}"}
    assert _get(web, **own).status_code == 200
    no_code = httpx.post(web.at.http + "/api/login-codes", headers=own, trust_env=False)
    assert no_code.status_code == 403


def test_a_browser_s_session_submits_no_commands_of_its_own(shared: Web, repo: Path) -> None:
    code = shared.client.post("/api/login-codes").json()["code"]
    got = httpx.post(shared.at.http + "/api/login", json={"code": code}, trust_env=False)
    own = {"Authorization": f"Bearer {got.json()['token']}"}
    plan = {
        "name": "x",
        "repo": str(repo),
        "test": ["sh", "-c", "true"],
        "task": [{"id": "a", "branch": "b/a", "terminal": [{"cli": "claude", "instruction": "x"}]}],
    }
    refused = httpx.post(shared.at.http + "/api/workflows", json=plan, headers=own, trust_env=False)
    assert refused.status_code == 403
    assert refused.json()["error"]["path"] == "test"


def test_failed_logins_are_limited(web: Web) -> None:
    codes = [
        httpx.post(web.at.http + "/api/login", json={"code": "x"}, trust_env=False).status_code
        for _ in range(12)
    ]
    assert codes[:10] == [401] * 10
    assert codes[10:] == [429] * 2


@pytest.mark.parametrize("where", ["0.0.0.0:0", "::", "[::]:0", "10.0.0.1"])
def test_an_address_that_others_reach_is_refused(home: Home, where: str) -> None:
    done = home.run("serve", "--http", where)
    assert done.returncode == 2
    assert "--http" in done.stderr


def test_the_connection_file_names_the_door_only_while_it_is_open(home: Home) -> None:
    home.serve()
    assert not {"http", "tcp"} & set(json.loads((home.path / "connection.json").read_text()))
    assert (home.path / "connection.json").stat().st_mode & 0o777 == 0o600
