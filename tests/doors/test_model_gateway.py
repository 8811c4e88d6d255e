"""An agent asks its model through the gateway, and has no key."""

import base64
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.models import said
from actors.platform import openings, sandbox
from tests.actors.models.kit import Request, Upstream, answer
from tests.doors.acting import Acting
from tests.doors.kit import AGENT, PYTHON, Home, plan_text
from tests.fake_model import FakeModel

KEY = "sk-planted-7f3a9c"
ASK = f"{PYTHON} {Path(__file__).with_name('ask_model.py')}"
CLI = f"""
[cli.asking]
command = [{json.dumps(PYTHON)}, {json.dumps(str(AGENT))}]
ready = '^> $'
busy = 'esc to interrupt'
[cli.asking.provider]
env = {{ MODEL_URL = "{{base_url_root}}", MODEL_KEY = "{{key}}" }}
set = [{{ file = "settings.json", values = {{ key = "{{key}}", url = "{{base_url}}" }} }}]
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    user = tmp_path / "user"
    user.mkdir()
    env = {**os.environ, "HOME": str(user), "PLANTED_KEY": KEY}
    home = Home(tmp_path / "home", env={k: v for k, v in env.items() if k != "XDG_CONFIG_HOME"})
    yield home
    home.close()
    assert not said.lives(home.path)


def agent(script: str, **more: Any) -> dict[str, Any]:
    done = "$ git add -A && git commit -qm 'asked #done'\n"
    return {"cli": "asking", "provider": "p", "instruction": script + done, **more}


def plan_of(repo: Path, url: str, tasks: dict[str, dict[str, Any]], **more: Any) -> str:
    keys = {"base_url": url, "model": "m", "api_key_env": "PLANTED_KEY", **more}
    lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
    tail = "\n".join([CLI, "[provider.p]", *lines])
    return plan_text(repo, {id: [each] for id, each in tasks.items()}, tail=tail)


def counted(acting: Acting) -> dict[str, Any]:
    """What all facts together say was used."""
    found = acting.facts("usage.counted")
    sums = {key: sum(fact[key] for fact in found) for key in ("input", "output", "requests")}
    return sums | {"exact": all(fact["exact"] for fact in found)}


def test_work_lands_and_the_numbers_are_those_of_the_server(acting: Acting, repo: Path) -> None:
    with FakeModel("true") as model:
        tasks = {id: agent(f"$ {ASK} {id}.txt; {ASK} {id}.txt\n") for id in ("a", "b")}
        acting.begin(plan_of(repo, model.url, tasks))
        acting.status("completed")
        asked = len(model.requests)
        assert {request["key"] for request in model.requests} == {KEY}
    assert asked == 4
    assert (repo / "a.txt").read_text().startswith("200 event: message_start")
    used = {"input": 10 * asked, "output": 10 * asked, "requests": asked, "exact": True}
    assert counted(acting) == used
    row = acting.row()
    assert [t["terminals"][0]["tokens"] for t in row["tasks"]] == [40, 40]


SEARCH = """
import base64, os, pathlib, sys
key = base64.b64decode(sys.argv[1])
places = [*os.environb.values(), *(p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline"))]
places += pathlib.Path("/proc").glob("[0-9]*/environ") if sys.argv[2] == "all" else []
for top in sys.argv[3:]:
    places += (p for p in pathlib.Path(top).rglob("*") if p.is_file())
seen = 0
for place in places:
    try:
        data = place if isinstance(place, bytes) else place.read_bytes()
    except OSError:
        continue
    seen += 1
    if key in data:
        print("FOUND", place)
print("looked at", seen > 20)
"""


@pytest.mark.parametrize("fence", ["off", "worktree"])
def test_no_agent_finds_the_key_anywhere(
    acting: Acting, repo: Path, tmp_path: Path, fence: str
) -> None:
    if fence != "off" and sandbox.trouble():
        pytest.skip(sandbox.trouble())
    search = tmp_path / "user" / "search.py"
    search.write_text(SEARCH)
    code = base64.b64encode(KEY.encode()).decode()
    where = f"{acting.home.path} {tmp_path / 'user'} $TMPDIR/.. /dev/shm"
    # Without a sandbox root may read every process; another user may not (`hide_memory`).
    which = "all" if fence != "off" or os.getuid() else "own"
    look = f"{PYTHON} {search} {code} {which} {where}"
    with FakeModel("true") as model:
        script = f"$ {ASK} a.txt; {look} > found.txt; echo $MODEL_KEY > token.txt\n"
        acting.begin(plan_of(repo, model.url, {"a": agent(script, sandbox=fence)}))
        acting.status("completed")
    assert (repo / "a.txt").read_text().startswith("200")
    assert (repo / "found.txt").read_text() == "looked at True\n"
    assert (repo / "token.txt").read_text().startswith("callboard-")


def test_a_token_is_of_one_program_and_ends_with_it(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """The first task leaves its token; the second uses it when the first is over."""
    token, over = tmp_path / "token", tmp_path / "over"
    steal = f"$ until test -e {over}; do sleep 0.1; done\n$ MODEL_KEY=$(cat {token}) {ASK} b.txt\n"
    with FakeModel("true") as model:
        first = agent(f"$ {ASK} a.txt; echo $MODEL_KEY > {token}\n")
        acting.begin(plan_of(repo, model.url, {"a": first, "b": agent(steal)}))
        acting.until(lambda row: row["tasks"][0]["terminals"][0]["gone"] and row["tasks"][0]["tip"])
        acting.until(lambda row: row["tasks"][0]["status"] == "completed")
        over.touch()
        acting.status("completed")
        assert len(model.requests) == 1
    assert (repo / "b.txt").read_text().startswith("401 ")


def test_a_stream_outlives_the_runtime_and_all_of_it_is_counted(acting: Acting, repo: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    event = b'data: {"type":"message_start","message":{"usage":{"input_tokens":7}}}\n\n'
    rest = b'data: {"type":"message_delta","usage":{"output_tokens":5}}\n\n'

    def serve(connection: socket.socket, _request: Request) -> None:
        whole = answer(event + rest, content_type="text/event-stream")
        head = whole.removesuffix(rest)
        connection.sendall(head)
        begun.set()
        assert go_on.wait(60)
        connection.sendall(rest)

    with Upstream(serve) as server:
        acting.begin(plan_of(repo, server.url, {"a": agent(f"$ {ASK} a.txt\n")}))
        assert begun.wait(60)
        acting.home.kill()
        go_on.set()
        acting.home.serve()
        acting.status("completed")
        assert len(server.requests) == 1
    assert (repo / "a.txt").read_text() == "200 " + (event + rest).decode()
    assert counted(acting) == {"input": 7, "output": 5, "requests": 1, "exact": True}


def test_a_gateway_that_is_killed_comes_back_where_it_was(acting: Acting, repo: Path) -> None:
    begun = threading.Event()
    cut = threading.Event()

    def serve(connection: socket.socket, _request: Request) -> None:
        if not begun.is_set():
            begun.set()
            assert cut.wait(60)
        connection.sendall(answer(b'{"usage":{"input_tokens":1,"output_tokens":2}}'))

    with Upstream(serve) as server:
        acting.begin(plan_of(repo, server.url, {"a": agent(f"$ {ASK} a.txt\n")}))
        assert begun.wait(60)
        place = said.read_place(acting.home.path)
        assert place is not None
        os.kill(place.pid, signal.SIGKILL)
        cut.set()
        acting.status("completed")
        after = said.read_place(acting.home.path)
    assert after is not None
    assert (after.port, after.pid != place.pid) == (place.port, True)
    assert (repo / "a.txt").read_text().startswith("200")
    assert counted(acting) == {"input": 1, "output": 2, "requests": 1, "exact": True}
    assert acting.facts("terminal.cut_off") == []


def test_a_limit_is_a_fact_of_the_account_and_so_is_its_end(acting: Acting, repo: Path) -> None:
    limited = threading.Event()

    def serve(connection: socket.socket, _request: Request) -> None:
        if not limited.is_set():
            limited.set()
            connection.sendall(answer(b"{}", "429 Too Many", retry_after="3600"))
        else:
            connection.sendall(answer(b'{"usage":{"input_tokens":1}}'))

    with Upstream(serve) as server:
        script = f"$ {ASK} a.txt; {ASK} b.txt\n"
        acting.begin(plan_of(repo, server.url, {"a": agent(script)}))
        acting.status("completed")
        account = f"p at {server.url}"
    facts = acting.call("events.replay", address="runtime/", limit=10_000)["facts"]
    told = [f for f in facts if f["type"] in ("provider.limited", "provider.recovered")]
    assert [fact["type"] for fact in told] == ["provider.limited", "provider.recovered"]
    assert {fact["account"] for fact in told} == {account}
    assert (told[0]["by"], told[0]["exact"], told[0]["terminal"]) == ("usage", True, "demo/a/1/")
    assert told[0]["until"] > told[0]["at"]


def test_a_hard_cap_of_tokens_ends_a_turn_that_goes_on(acting: Acting, repo: Path) -> None:
    with FakeModel("true") as model:
        asks = "".join(f"$ {ASK} {n}.txt\n" for n in range(4))
        limits = {"tokens": 40, "hard": True}
        acting.begin(plan_of(repo, model.url, {"a": agent(asks, limits=limits)}))
        acting.fact("limit.reached")
        assert len(model.requests) == 2
        acting.status("completed")
    assert [(repo / f"{n}.txt").read_text()[:3] for n in range(4)] == ["200", "200", "429", "429"]


def test_a_provider_that_wants_no_gateway_gives_its_key_to_the_agent(
    acting: Acting, repo: Path
) -> None:
    with FakeModel("true") as model:
        script = f"$ {ASK} a.txt; echo $MODEL_KEY $MODEL_URL > seen.txt\n"
        acting.begin(plan_of(repo, model.url, {"a": agent(script)}, gateway=False))
        acting.status("completed")
        assert (repo / "seen.txt").read_text() == f"{KEY} {model.url}\n"
    assert said.read_place(acting.home.path) is None


ELSEWHERE = """
import socket, sys
for at in [("127.0.0.1", int(sys.argv[1])), ("192.0.2.1", 80)]:
    try:
        socket.create_connection(at, 2).close()
        print("REACHED", at)
    except OSError as error:
        print("no", type(error).__name__)
"""


@pytest.mark.skipif(bool(sandbox.trouble()), reason=sandbox.trouble())
def test_a_program_with_the_network_of_its_model_reaches_nothing_else(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    other = tmp_path / "user" / "elsewhere.py"
    other.write_text(ELSEWHERE)
    with FakeModel("true") as model:
        port = model.url.rpartition(":")[2]
        look = f"ls {acting.home.path}/terminals > seen.txt 2>&1; ls {openings.DOOR} >> seen.txt"
        script = f"$ {ASK} a.txt; {PYTHON} {other} {port} > other.txt\n$ {look}\n"
        fence = {"sandbox": "worktree", "network": "model"}
        acting.begin(plan_of(repo, model.url, {"a": agent(script, **fence)}))
        acting.status("completed")
        assert [request["key"] for request in model.requests] == [KEY]
    assert (repo / "a.txt").read_text().startswith("200")
    assert "REACHED" not in (repo / "other.txt").read_text()
    assert (repo / "seen.txt").read_text().splitlines()[-1] == "door"
    assert counted(acting)["requests"] == 1


def test_the_network_of_a_model_needs_a_sandbox_and_the_gateway(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plan.toml"

    def refusal(gateway: bool, **more: Any) -> str:
        tasks = {"a": agent("", network="model", **more)}
        path.write_text(plan_of(repo, "https://p.example", tasks, gateway=gateway))
        ran = home.run("check", str(path))
        assert ran.returncode == 2, ran.stdout
        return ran.stderr

    assert 'network: needs sandbox = "worktree"' in refusal(True, sandbox="off")
    if not sandbox.trouble():
        said = refusal(False, sandbox="worktree")
        assert "the provider p is not behind it" in said


def test_check_says_whose_the_key_is(home: Home, repo: Path, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    for gateway, whose in ((True, "which stays with the model gateway"), (False, "the agent gets")):
        path.write_text(plan_of(repo, "https://p.example", {"a": agent("")}, gateway=gateway))
        words = " ".join(home.ok("check", str(path)).split())
        assert whose in words
        assert home.json("check", str(path))["programs"][0]["gateway"] == gateway
