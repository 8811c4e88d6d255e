"""The log: each request with its number, as text or JSON, and never a secret."""

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from bus import connection, keys, logs
from bus.client import Client
from bus.errors import Refused
from tests.actors.served import until
from tests.doors.kit import PYTHON, ROOT, Home, done, plan_text
from tests.repositories import make_repo

PLANTED = "planted-3b1f0c9e"
TYPED = "typed-77aa01bc"


class Logged:
    """A runtime with all doors open whose log goes to a file."""

    def __init__(self, home: Home, log: Path, *words: str) -> None:
        self.home, self.log = home, log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [PYTHON, str(ROOT / "run.py"), "serve", "--http", "--tcp", "127.0.0.1", *words,
                 "--home", str(home.path)],
                stdout=subprocess.DEVNULL, stderr=file,
                env={**os.environ, "GLM_API_KEY": PLANTED, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        until(lambda: (home.path / "connection.json").exists())
        self.at = connection.read(home.path)

    def end(self) -> str:
        self.home.run("down", "--terminals")
        self.process.wait(60)
        return self.log.read_text()


def _do_everything(logged: Logged, tmp_path: Path) -> list[str]:
    """Use every door, rightly and wrongly. Return what no log may hold."""
    repo = make_repo(tmp_path / "repo")
    secrets = [PLANTED, TYPED, logged.at.token]
    with Client(logged.at.requests) as client:
        client.call("plan.submit", plan=plan_text(repo, {"a": [done("a.txt", TYPED)]}))
        wrongly: tuple[tuple[str, dict[str, Any]], ...] = (
            ("terminal.input", {"terminal": "demo/a/1", "text": TYPED}),
            ("terminal.send", {"terminal": "demo/a/1", "text": TYPED}),
            ("task.reject", {"task": "demo/a", "reason": TYPED}),
        )
        for type, fields in wrongly:
            with pytest.raises(Refused):
                client.call(type, **fields)
    bearer = {"Authorization": f"Bearer {logged.at.token}"}
    with httpx.Client(base_url=logged.at.http, trust_env=False) as web:
        code = web.post("/api/login-codes", headers=bearer).json()["code"]
        session = web.post("/api/login", json={"code": code}).json()["token"]
        secrets += [code, session]
        assert web.get("/api/runtime", headers=bearer).status_code == 200
        wrong = {"Authorization": f"Bearer {TYPED}"}
        assert web.get("/api/runtime", headers=wrong).status_code == 401
        assert web.get("/api/runtime", params={"token": session}).status_code == 401
        answer = web.post("/api/workflows/demo/start", headers=bearer)
        assert answer.status_code == 400
        assert answer.headers["x-request-id"].isdecimal()
    logged.home.ok("prepare", "demo")
    stream = f"{logged.at.http}/api/terminals/demo/a/1/stream?token={session}"
    with connect(stream.replace("http", "ws", 1), proxy=None) as socket:
        typed = {"type": "input", "key": "k", "data": TYPED}
        for message in ({"type": "token", "token": logged.at.token}, {"type": "take"}, typed):
            socket.send(json.dumps(message))
        while '"typed"' not in str(socket.recv(30)):
            pass
    with contextlib.closing(sqlite3.connect(logged.home.path / "callboard.db")) as database:
        ((own_secret,),) = database.execute("SELECT value FROM meta WHERE key = 'secret'")
    secrets.append(own_secret)
    file = tmp_path / "laptop.key"
    logged.home.ok("keys", "make", "laptop", "--out", str(file))
    key = keys.read_client(file)
    own = keys.server_keys(logged.home.path)
    secrets += [key.secret, own.requests.secret, own.feed.secret]
    assert logged.at.tcp is not None
    with Client(logged.at.tcp.requests, key=key) as client:
        client.call("workflow.list")
    return secrets


def test_no_log_holds_a_secret_and_each_request_has_its_number(home: Home, tmp_path: Path) -> None:
    """Hazard 43. Also no library's log: of statements, of headers, of what is typed."""
    logged = Logged(home, tmp_path / "log", "--log-level", "debug", "--log-json")
    secrets = _do_everything(logged, tmp_path)
    text = logged.end()
    files = [file for file in tmp_path.rglob("*.log") if file.is_file()]
    for place in (text, *(file.read_text(errors="replace") for file in files)):
        assert [secret for secret in secrets if secret in place] == []
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    (line,) = [line for line in lines if line["message"].startswith("workflow.start by person")]
    number = line["request"]
    assert [each["message"] for each in lines if each.get("request") == number] == [
        line["message"],
        "refused: 400 not_ready",
    ]
    (door,) = re.findall(r"http=[0-9]+", line["message"])
    assert [each["message"] for each in lines if each.get("request") == door] == [
        "POST /api/workflows/demo/start: 400"
    ]
    assert [each for each in lines if "workflow.list by key key=laptop" in each["message"]]


def test_without_the_options_it_says_only_what_is_wrong(home: Home, tmp_path: Path) -> None:
    logged = Logged(home, tmp_path / "log")
    with Client(logged.at.requests) as client:
        client.call("workflow.list")
    assert "workflow.list" not in logged.end()


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_an_error_quotes_is_hidden_and_made_visible(form: str) -> None:
    """In a process of its own: the settings of a log are the process's."""
    script = (
        "import logging, sys\n"
        "from bus import logs\n"
        "logs.hide('told-secret')\n"
        "logs.begin(logs.LogSettings(logs.Level.INFO, sys.argv[1] == 'json'))\n"
        "try:\n"
        f"    raise ValueError('told-secret and {PLANTED}' + chr(27) + ']0;x')\n"
        "except ValueError:\n"
        "    logging.getLogger('callboard').exception('it broke with told-secret')\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, form], cwd=ROOT, text=True, capture_output=True,
        env={**os.environ, "X_TOKEN": PLANTED, "SHORT_TOKEN": "and"}, check=True,
    )  # fmt: skip
    errors = said.stderr.rpartition("ValueError: ")[2] + said.stderr.partition("Traceback")[0]
    assert "told-secret" not in errors
    assert errors.count(logs.HIDDEN) == 3
    assert PLANTED not in said.stderr
    assert " and " in errors
    assert "\x1b" not in said.stderr
    assert "Traceback" in said.stderr


def test_nobody_waits_for_a_log_that_nobody_reads() -> None:
    """A terminal that was halted, or a pipe that is full, would stop the runtime."""
    script = (
        "import logging, sys\n"
        "from bus import logs\n"
        "logs.begin(logs.DEFAULT)\n"
        "for _ in range(5 * logs.WAITING_LINES):\n"
        "    logging.getLogger('callboard').warning(' x' * 250)\n"
        "print('it went on', flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "it went on\n"
    assert process.stderr is not None
    written = 0
    while "found no room" not in (line := process.stderr.readline()):
        assert " x" in line, line
        written += 1
    lost = int(line.split(" lines of")[0].split()[-1])
    assert written + lost == 5 * logs.WAITING_LINES
    process.communicate(timeout=60)
