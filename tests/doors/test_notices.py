"""A person is told what waits, what is over and what is in trouble: each fact once."""

import hmac
import json
import os
import select
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from actors.pty import records
from tests.doors.acting import Acting, say
from tests.doors.kit import PYTHON, Call, Home, coder, done, plan_text

NOTIFIER = "runtime/notifier/"

KEEPS = """
import json, os, sys, time
from pathlib import Path
place = Path(sys.argv[1])
notice = json.load(sys.stdin)
with open(place / "begun", "a") as begun:
    print(notice["id"], file=begun)
while not (place / "may-go-on").exists():
    time.sleep(0.02)
if not (place / "may-succeed").exists():
    sys.exit("the phone is off")
(place / "environment").write_text("\\0".join(os.environ))
with open(place / "told", "a") as told:
    print(json.dumps(notice), file=told)
"""


class Phone:
    """A program that is told, and what it was told."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "program.py").write_text(KEEPS)
        self.allow("may-go-on", "may-succeed")

    def allow(self, *names: str) -> None:
        for name in names:
            (self.place / name).touch()

    def forbid(self, name: str) -> None:
        (self.place / name).unlink()

    def table(self, **more: Any) -> str:
        command = [PYTHON, str(self.place / "program.py"), str(self.place)]
        return table_of(command=command, **{"every": 0.05, **more})

    def lines(self, name: str) -> list[str]:
        path = self.place / name
        return path.read_text().splitlines() if path.exists() else []

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines("told")]


def table_of(**keys: Any) -> str:
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in keys.items()]
    return "[notify]\n" + "".join(lines)


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    place = tmp_path / "phone"
    place.mkdir()
    return Phone(place)


def of_notifier(acting: Acting, type: str) -> list[dict[str, Any]]:
    found = acting.call("events.replay", address=NOTIFIER, limit=10_000)["facts"]
    return [fact for fact in found if fact["type"] == type]


def until_told(acting: Acting, seq: int) -> list[dict[str, Any]]:
    """Wait until the fact with this seq was told; return all `notice.sent`."""
    sent: list[dict[str, Any]] = []

    def told(_: Any) -> bool:
        sent[:] = of_notifier(acting, "notice.sent")
        return any(seq in fact["seqs"] for fact in sent)

    acting.until(told)
    return sent


def the_end(acting: Acting) -> int:
    """Wait until the workflow is completed; return the seq of the fact that says so."""
    acting.status("completed")
    return int(acting.facts("workflow.status")[-1]["seq"])


def until_file(acting: Acting, phone: Phone, name: str, lines: int = 1) -> list[str]:
    """Wait until the program has written so many lines into a file."""
    acting.until(lambda _: len(phone.lines(name)) >= lines)
    return phone.lines(name)


class Host:
    """The host of the notice that is being sent."""

    def __init__(self, pid: int) -> None:
        self.pidfd = os.pidfd_open(pid)

    def wait(self) -> None:
        select.select([self.pidfd], [], [])
        os.close(self.pidfd)

    def kill(self) -> None:
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        self.wait()


def host_of_notice(acting: Acting) -> Host:
    top = acting.home.path / "terminals" / NOTIFIER
    (directory,) = top.glob("*/*")
    identity = records.read_identity(directory)
    assert identity is not None
    return Host(identity.host_pid)


def told_seqs(phone: Phone) -> list[int]:
    return [fact["seq"] for notice in phone.told() for fact in notice["facts"]]


def test_what_a_person_wants_to_know_is_told_once_and_with_no_key(
    home: Home, phone: Phone, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"ANTHROPIC_API_KEY", "ODD_NAME", "WANTED_BY_TESTS_TOKEN"}
    for name in keys:
        monkeypatch.setenv(name, "a key")
    home.serve()
    acting = Acting(home)
    provider = '[provider.odd]\nbase_url = "http://127.0.0.1:9"\napi_key_env = "ODD_NAME"\n'
    head = 'test_env = ["WANTED_BY_TESTS_TOKEN"]\n'
    tasks = {"a": [done("a")], "b": [coder(say("I cannot #fail"))]}
    acting.begin(plan_text(repo, tasks, head, phone.table() + provider))
    acting.status("failed")
    acting.call("task.cancel", task="demo/b/")
    sent = until_told(acting, the_end(acting))
    facts = [fact for notice in phone.told() for fact in notice["facts"]]
    assert [(fact["type"], fact.get("new")) for fact in facts] == [
        ("task.status", "failed"),
        ("workflow.status", "failed"),
        ("merge.landed", facts[2]["new"]),
        ("workflow.status", "completed"),
    ]
    assert all(fact in acting.facts() for fact in facts)
    assert [seq for fact in sent for seq in fact["seqs"]] == told_seqs(phone)
    assert {fact["to"] for fact in sent} == {PYTHON}
    assert phone.told()[0]["text"].startswith("demo/b/ is failed: ")
    assert phone.told()[0]["home"] == str(acting.home.path)
    assert [notice["id"] for notice in phone.told()] == [fact["id"] for fact in sent]
    names = set((phone.place / "environment").read_text().split("\0"))
    assert {"PATH", "CALLBOARD_NOTICE"} <= names
    assert not keys & names


def test_a_notice_that_is_being_sent_goes_on_while_the_runtime_is_killed(
    acting: Acting, phone: Phone, repo: Path
) -> None:
    phone.forbid("may-go-on")
    acting.begin(plan_text(repo, {"a": [done("a")]}, tail=phone.table(timeout=900)))
    until_file(acting, phone, "begun")
    end = the_end(acting)
    acting.again()
    phone.allow("may-go-on")
    until_told(acting, end)
    assert len(phone.lines("begun")) == len(phone.told())
    assert told_seqs(phone) == sorted(set(told_seqs(phone)))
    assert end in told_seqs(phone)


def test_what_was_sent_while_no_runtime_was_there_is_not_sent_again(
    acting: Acting, phone: Phone, repo: Path
) -> None:
    phone.forbid("may-go-on")
    acting.begin(plan_text(repo, {"a": [done("a")]}, tail=phone.table(every=3600, timeout=900)))
    until_file(acting, phone, "begun")
    acting.status("completed")
    acting.home.kill()
    phone.allow("may-go-on")
    host_of_notice(acting).wait()
    assert len(phone.told()) == 1
    acting.home.serve()
    until_told(acting, told_seqs(phone)[0])
    assert len(phone.lines("begun")) == 1


def test_one_whose_host_is_killed_is_given_up_because_nobody_knows(
    acting: Acting, phone: Phone, repo: Path
) -> None:
    phone.forbid("may-go-on")
    acting.begin(plan_text(repo, {"a": [done("a")]}, tail=phone.table(timeout=900)))
    until_file(acting, phone, "begun")
    end = the_end(acting)
    acting.home.kill()
    host_of_notice(acting).kill()
    phone.allow("may-go-on")
    acting.home.serve()
    acting.until(lambda _: of_notifier(acting, "notice.failed"))
    (failed,) = of_notifier(acting, "notice.failed")
    assert failed["given_up"]
    assert "unknown" in failed["reason"]
    if end not in failed["seqs"]:
        until_told(acting, end)
    assert not set(failed["seqs"]) & set(told_seqs(phone))


def test_one_that_is_not_sent_is_tried_again_and_that_is_said(
    acting: Acting, phone: Phone, repo: Path
) -> None:
    phone.forbid("may-succeed")
    acting.begin(plan_text(repo, {"a": [done("a")]}, tail=phone.table()))
    acting.until(lambda _: of_notifier(acting, "notice.failed"))
    failed = of_notifier(acting, "notice.failed")[0]
    assert (failed["tries"], failed["given_up"]) == (3, False)
    assert failed["reason"] == "it ended with status 1: the phone is off"
    phone.allow("may-succeed")
    until_told(acting, the_end(acting))
    assert phone.told()[0]["id"] == failed["id"]
    assert set(phone.lines("begun")[:4]) == {failed["id"]}
    assert [fact["seq"] for fact in phone.told()[0]["facts"]] == failed["seqs"]


def test_one_that_hangs_is_ended(acting: Acting, phone: Phone, repo: Path) -> None:
    phone.forbid("may-go-on")
    acting.begin(plan_text(repo, {"a": [done("a")]}, tail=phone.table(timeout=0.2)))
    acting.until(lambda _: of_notifier(acting, "notice.failed"))
    reason = of_notifier(acting, "notice.failed")[0]["reason"]
    assert reason == "it took longer than 0.2 s and was ended"
    assert phone.told() == []


def test_what_comes_soon_after_a_notice_is_told_with_the_next(
    acting: Acting, phone: Phone, repo: Path
) -> None:
    tasks = {name: [coder(say("I cannot #fail"))] for name in "abc"}
    acting.begin(plan_text(repo, tasks, tail=phone.table(every=3600)))
    acting.until(lambda row: all(task["status"] == "failed" for task in row["tasks"]))
    failed = [fact["seq"] for fact in acting.facts("task.status") if fact["new"] == "failed"]
    until_told(acting, failed[0])
    assert len(phone.told()) == 1
    acting.again()
    until_told(acting, failed[-1])
    assert len(phone.told()) <= 2


# ---- a web address -----------------------------------------------------------------------


class Server:
    """A web server that keeps what is posted, and answers with the statuses it is given."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.speaks_nonsense = False
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.posted.append((self.path, dict(self.headers), body))
                if kept.speaks_nonsense:
                    self.wfile.write(b"nonsense\r\n\r\n")
                    return
                self.send_response(kept.answers.pop(0) if kept.answers else 204)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/hook"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.thread.join()
    server.http.server_close()


def test_a_web_address_gets_it_signed_and_again_until_it_takes_it(
    home: Home, server: Server, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "a long secret")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    home.serve()
    acting = Acting(home)
    server.answers += [503, 302]
    table = table_of(url=server.url, secret_env="HOOK_SECRET", every=0.05)
    acting.begin(plan_text(repo, {"a": [done("a")]}, tail=table))
    sent = until_told(acting, the_end(acting))
    assert {path for path, _, _ in server.posted} == {"/hook"}
    ids = [headers["Callboard-Notice"] for _, headers, _ in server.posted]
    assert ids[:3] == [ids[0]] * 3
    for _, headers, body in server.posted:
        at = headers["Callboard-Timestamp"]
        right = hmac.new(b"a long secret", at.encode() + b"." + body, "sha256").hexdigest()
        assert headers["Callboard-Signature"] == f"sha256={right}"
    taken = [json.loads(body) for _, _, body in server.posted[2:]]
    assert [notice["id"] for notice in taken] == [fact["id"] for fact in sent]
    assert sent[0]["to"] == "127.0.0.1"


def test_a_server_that_speaks_nonsense_is_named(acting: Acting, server: Server, repo: Path) -> None:
    server.speaks_nonsense = True
    acting.begin(plan_text(repo, {"a": [done("a")]}, tail=table_of(url=server.url, every=0.05)))
    acting.until(lambda _: of_notifier(acting, "notice.failed"))
    reason = of_notifier(acting, "notice.failed")[0]["reason"]
    said = f"{server.url} does not answer as a web server does: nonsense"
    assert reason == f"it ended with status 1: {said}"


def test_without_its_key_nothing_is_sent_and_that_is_said(
    acting: Acting, server: Server, repo: Path
) -> None:
    table = table_of(url=server.url, secret_env="NO_SUCH_KEY", every=0.05)
    acting.begin(plan_text(repo, {"a": [done("a")]}, tail=table))
    acting.until(lambda _: of_notifier(acting, "notice.failed"))
    assert "NO_SUCH_KEY is not set" in of_notifier(acting, "notice.failed")[0]["reason"]
    assert server.posted == []


# ---- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "path", "rule"),
    [
        ({}, "notify.command", "or `url` must be there"),
        ({"command": []}, "notify.command", "must not be empty"),
        ({"command": ["no-such-program"]}, "notify.command[0]", "no program"),
        ({"url": "ftp://a/b"}, "notify.url", "http"),
        ({"url": "https://me:word@a/b"}, "notify.url", "password"),
        ({"command": ["true"], "secret_env": "A"}, "notify.secret_env", "there is no `url`"),
        ({"url": "https://a/b", "secret_env": "s e"}, "notify.secret_env", "name of a variable"),
        ({"url": "https://a/b", "every": 0}, "notify.every", "0"),
        ({"commnd": ["true"]}, "notify.commnd", "command"),
    ],
)
def test_a_table_at_fault_is_refused(
    call: Call, repo: Path, tmp_path: Path, keys: dict[str, Any], path: str, rule: str
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}, tail=table_of(**keys)))
    code, _, err = call("check", str(plan))
    assert code == 2
    assert f"{path}: " in err
    assert rule in err


def test_check_says_who_is_told(call: Call, repo: Path, tmp_path: Path) -> None:
    (tmp_path / "tell").write_text("#!/bin/sh\n")
    (tmp_path / "tell").chmod(0o700)
    table = table_of(command=["./tell", "me"], url="https://example.com/a", secret_env="NO_KEY")
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}, tail=table))
    code, out, _ = call("check", str(plan), "--json")
    checked = json.loads(out)
    assert code == 0
    assert checked["notify"] == [f"{tmp_path}/tell me", "https://example.com/a"]
    assert any("NO_KEY is not set" in warning for warning in checked["warnings"])


def test_the_users_own_table_counts_for_a_plan_without_one(
    call: Call, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    users = tmp_path / "config" / "callboard" / "config.toml"
    users.parent.mkdir(parents=True)
    users.write_text('[defaults.notify]\nurl = "https://example.com/mine"\n')
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}))
    assert json.loads(call("check", str(plan), "--json")[1])["notify"] == [
        "https://example.com/mine"
    ]
    assert "https://example.com/mine" in call("config", "show")[1]
    users.write_text('[defaults.notify]\nurl = "nowhere"\n')
    code, _, err = call("check", str(plan))
    assert code == 2
    assert f"{users}: defaults.notify.url: " in err
