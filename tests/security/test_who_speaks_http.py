"""An agent that has read `connection.json` is still no person, over HTTP either."""

import json
import sys
from pathlib import Path

import pytest

from bus import connection
from tests.doors.acting import Acting, say, task
from tests.doors.kit import PYTHON, Home, coder, plan_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

ASK = """
import json, os, sys, urllib.error, urllib.request
home, out = sys.argv[1:3]
served = json.load(open(home + "/connection.json"))
token = {"Authorization": "Bearer " + served["token"]}
found = []
for line in sys.argv[3:]:
    method, path = line.split()
    asked = urllib.request.Request(served["http"] + path, method=method, headers=token)
    try:
        found.append(urllib.request.urlopen(asked, timeout=20).status)
    except urllib.error.HTTPError as refused:
        found.append([refused.code, json.load(refused)["error"]["message"]])
json.dump(found, open(out + ".new", "w"))
os.rename(out + ".new", out)
"""

ASKED = [
    "POST /api/tasks/demo/a/approve",
    "GET /api/snapshot",
    "GET /api/events?after=0",
    "POST /api/login-codes",
    "GET /metrics",
]


@pytest.fixture
def acting(home: Home) -> Acting:
    home.serve("--http")
    return Acting(home)


@pytest.mark.parametrize("way", ["{}", "setsid -w env -i {}"])
def test_an_agent_with_the_user_s_token_is_refused_over_http(
    acting: Acting, repo: Path, tmp_path: Path, way: str
) -> None:
    script, out = tmp_path / "ask.py", tmp_path / "reply"
    script.write_text(ASK)
    words = " ".join(f"'{line}'" for line in ASKED)
    attack = way.format(f"{PYTHON} {script} {acting.home.path} {out} {words}")
    evil = f"$ {attack}\n" + say("evil #review")
    acting.begin(plan_text(repo, {"a": [coder(evil)]}))
    acting.until(lambda row: task(row, "a")["status"] == "review_pending")
    found = json.loads(out.read_text())
    assert [reply[0] for reply in found] == [403] * len(ASKED)
    assert "demo/a/1/" in found[0][1]
    assert task(acting.row(), "a")["status"] == "review_pending"


def test_a_person_s_process_is_named_in_the_fact(acting: Acting, repo: Path) -> None:
    import os

    import httpx

    served = connection.read(acting.home.path)
    plan = plan_text(repo, {"a": [coder("x")]})
    kind = {
        "Content-Type": "application/toml",
        "Authorization": f"Bearer {served.token}",
        "X-Forwarded-For": "10.1.2.3",  # no proxy is believed
    }
    with httpx.Client(base_url=served.http, headers=kind, trust_env=False) as client:
        for _ in range(2):  # the second one on the same connection
            assert client.post("/api/workflows", content=plan).status_code == 201
    facts = acting.call("events.replay")["facts"]
    created = [fact for fact in facts if fact.get("new") == "created"]
    assert [fact["by"] for fact in created] == ["person"] * 2
    assert [fact["peer"] for fact in created] == [f"uid={os.getuid()} pid={os.getpid()}"] * 2
