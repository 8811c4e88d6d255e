"""A runtime that may have few open files refuses what is beyond them, and lives."""

import json
from pathlib import Path

import zmq

from bus import connection
from bus.client import Client
from bus.context import Context
from tests.doors.kit import Home, done, plan_text


def limited(home: Home, files: int) -> None:
    home.prefix = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"]
    home.serve()
    home.prefix = []


def test_more_clients_than_open_files_end_nobody(home: Home) -> None:
    """Hazard 69. libzmq aborts a process that cannot accept a connection."""
    limited(home, 256)
    served = connection.read(home.path)
    context = Context()
    sockets = []
    for endpoint, kind in [(served.requests, zmq.DEALER), (served.feed, zmq.SUB)] * 150:
        socket = context.socket(kind)
        socket.linger = 0
        socket.connect(endpoint)
        if kind == zmq.DEALER:
            socket.send(b'{"type":"runtime.info","id":1}')
        sockets.append(socket)
    first = next(socket for socket in sockets if socket.type == zmq.DEALER)
    assert first.poll(20_000)
    assert json.loads(first.recv())["ok"]
    first.send(b'{"type":"runtime.info","id":2}')
    assert first.poll(20_000), "who was let in is served still"
    context.destroy(linger=0)
    with Client(served.requests, timeout=60) as client:
        assert client.call("runtime.info")["pid"] == served.pid


def test_a_launch_beyond_the_limit_is_refused_with_the_reason(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """Hazard 69."""
    limited(home, 96)
    plan = tmp_path / "plan.toml"
    plan.write_text(
        plan_text(repo, {f"t{n}": [done(f"f{n}")] for n in range(20)}, "max_terminals = 40")
    )
    home.ok("submit", str(plan))
    failed = home.run("prepare", "demo")
    assert failed.returncode == 1
    facts = home.facts("--type", "terminal.launch_failed")
    assert facts
    assert "may have 96 open files" in facts[0]["reason"]
    assert "ulimit -n" in facts[0]["reason"]
    assert home.run("ps").returncode == 0


def test_too_few_open_files_for_a_runtime_are_said_at_once(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """Hazard 69. It served, and let nobody in: commands waited for ever."""
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}, 'test = ["true"]'))
    home.prefix = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"]
    for words in (("serve",), ("up", str(plan))):
        failed = home.run(*words)
        assert failed.returncode == 3, failed
        assert "64 open files are too few for the runtime: ulimit -n 1024" in failed.stderr
    assert home.run("doctor").returncode == 1
    home.prefix = []
