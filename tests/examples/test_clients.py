"""Clients in other languages, as the examples show them."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bus import connection
from bus.client import Client
from tests.actors.served import until
from tests.doors.kit import ROOT, Home, done, plan_text
from tests.repositories import make_repo

CLIENTS = ROOT / "examples" / "clients"
ZEROMQ = "zeromq@6"


def node_major() -> int:
    """The installed version of Node, 0 for none."""
    if shutil.which("node") is None:
        return 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    return int(said.stdout.strip().lstrip("v").partition(".")[0] or 0)


needs_node = pytest.mark.skipif(node_major() < 18, reason="there is no Node 18")


@pytest.fixture(scope="module")
def with_zeromq() -> Iterator[Path]:
    """A directory with the clients and the package that they need, as npm installs it."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm")
    with tempfile.TemporaryDirectory() as place:
        for file in CLIENTS.glob("*.mjs"):
            shutil.copy(file, place)
        installed = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", place, ZEROMQ],
            capture_output=True, text=True, timeout=100, check=False, cwd=place,
        )  # fmt: skip
        if installed.returncode:
            pytest.skip(f"npm could not install zeromq: {installed.stderr[-200:]}")
        yield Path(place)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.serve("--http", "--tcp", "127.0.0.1")
    yield home
    home.close()


def submit(home: Home, repo: Path, count: int) -> None:
    with Client(connection.read(home.path).requests) as client:
        for _ in range(count):
            client.call("plan.submit", plan=plan_text(repo, {"a": [done("a.txt")]}))


class Follower:
    """A client that prints facts, which is killed and started again."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self.seen: list[int] = []

    def until(self, head: int) -> None:
        """Read until the fact `head` was printed, then kill the client."""
        process = subprocess.Popen(
            [*self._words, str(self.seen[-1] if self.seen else 0)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        while not self.seen or self.seen[-1] < head:
            line = process.stdout.readline()
            assert line, "it has ended"
            self.seen.append(json.loads(line)["seq"])
        process.kill()
        process.wait()
        process.stdout.close()


def head(home: Home) -> int:
    with Client(connection.read(home.path).requests) as client:
        return int(client.call("runtime.info")["head"])


def follow_through_everything(home: Home, repo: Path, follower: Follower) -> None:
    """Each fact once and in order, though the client and the runtime are killed."""
    submit(home, repo, 3)
    follower.until(head(home))
    submit(home, repo, 3)
    follower.until(head(home))
    home.kill()
    home.serve("--http", "--tcp", "127.0.0.1")
    submit(home, repo, 3)
    now = head(home)
    follower.until(now)
    assert follower.seen == list(range(1, now + 1))


@needs_node
def test_a_subscriber_in_node_loses_nothing(home: Home, tmp_path: Path, with_zeromq: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    follower = Follower("node", str(with_zeromq / "follow.mjs"), str(home.path))
    follow_through_everything(home, repo, follower)


@needs_node
def test_events_over_http_in_node_without_a_package(home: Home, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    follower = Follower("node", str(CLIENTS / "events.mjs"), str(home.path))
    follow_through_everything(home, repo, follower)


@needs_node
def test_a_subscriber_goes_on_while_the_runtime_is_replaced(
    home: Home, tmp_path: Path, with_zeromq: Path
) -> None:
    repo = make_repo(tmp_path / "repo")
    submit(home, repo, 1)
    process = subprocess.Popen(
        ["node", str(with_zeromq / "follow.mjs"), str(home.path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = process.stdout
    found = [json.loads(lines.readline())["seq"] for _ in range(head(home))]
    home.kill()
    home.serve("--http")
    submit(home, repo, 1)
    while len(found) < head(home):
        found.append(json.loads(lines.readline())["seq"])
    process.kill()
    process.wait()
    lines.close()
    assert found == list(range(1, len(found) + 1))


@needs_node
def test_a_requester_in_node_over_both_sockets(
    home: Home, tmp_path: Path, with_zeromq: Path
) -> None:
    repo = make_repo(tmp_path / "repo")
    submit(home, repo, 1)
    key = tmp_path / "node.key"
    home.ok("keys", "make", "node", "--out", str(key))

    def ask(place: Path, *words: str) -> tuple[int, Any]:
        said = subprocess.run(
            ["node", str(with_zeromq / "ask.mjs"), str(place), *words],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return said.returncode, json.loads(said.stdout) if said.returncode == 0 else said.stderr

    for place in (home.path, key):
        code, rows = ask(place, "workflow.list")
        assert (code, [row["id"] for row in rows]) == (0, ["demo"])
        code, error = ask(place, "workflow.start", "workflow=demo")
        assert (code, error.partition(":")[0]) == (1, "400 not_ready")
    code, done = ask(key, "workflow.stop", "workflow=demo")
    assert (code, done["status"]) == (0, "cancelled")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_a_plan_is_run_with_nothing_but_curl(home: Home, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a.txt")]}, head='test = ["true"]'))
    process = subprocess.Popen(
        ["sh", str(CLIENTS / "run_plan.sh"), str(home.path), str(plan)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    token = connection.read(home.path).token.encode()
    leaked: list[str] = []

    def is_over() -> bool:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if token in words and int(entry.name) != os.getpid():
                leaked.append(words.decode(errors="replace"))
        return process.poll() is not None

    until(is_over, 100)
    out, errors = process.communicate()
    assert (process.returncode, out) == (0, "demo completed\n"), errors
    assert (repo / "a.txt").exists()
    assert not leaked


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_with_curl_it_is_said_why_a_plan_is_refused(home: Home, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text("name = 1\n")
    refused = subprocess.run(
        ["sh", str(CLIENTS / "run_plan.sh"), str(home.path), str(plan)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert '"code":422' in refused.stderr
