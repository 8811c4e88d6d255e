"""The OpenAPI document says what the door does: schemathesis tries to show that it does not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.actors.web.conftest import Web
from tests.doors.kit import ROOT, done, plan_text

CONFIG = """
[generation]
max-examples = 2
[checks]
positive_data_acceptance.expected-statuses = [200, 201, 304, 400, 403, 404, 409, 429]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
[parameters]
workflow = "demo"
task = "demo/a"
terminal = "demo/a/1"
address = "demo/a/"
[[operations]]
include-name = [
    "POST /api/workflows", "POST /api/plans/check", "POST /api/login",
    "POST /api/terminals/{terminal}/input", "POST /api/workflows/{workflow}/plan",
    "POST /api/workflows/{workflow}/tasks", "POST /api/tasks/{task}/terminals",
]
checks.positive_data_acceptance.enabled = false
[[operations]]
include-name = "GET /api/events"
request-timeout = 1.0
checks.positive_data_acceptance.enabled = false
"""
"""All checks. What a schema cannot say is left out: that a plan's repository is there, that a login
code was made, that there is something to type, which fact is the newest, and what a plan's tables
and programs are. 400 is a
state in which nobody may do that. 503 is the answer while a workflow is being ended."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "phases", ["fuzzing", pytest.param("coverage,fuzzing", marks=pytest.mark.long)]
)
def test_the_door_keeps_to_its_document(web: Web, repo: Path, tmp_path: Path, phases: str) -> None:
    plan = plan_text(repo, {"a": [done("a.txt")]}, head='test = ["true"]')
    kind = {"Content-Type": "application/toml"}
    assert web.client.post("/api/workflows", content=plan, headers=kind).status_code == 201
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    found = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run",
            f"{web.at.http}/api/openapi.json", "-H", f"Authorization: Bearer {web.at.token}",
            "--phases", phases, "--workers", "4", "--request-timeout", "20",
            "--no-color", "--generation-deterministic", "--suppress-health-check", "all",
        ],
        capture_output=True, text=True, timeout=500, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-60000:] + found.stderr[-2000:]
    assert "Tested: 0" not in found.stdout
    assert web.client.get("/api/runtime").status_code == 200


def test_every_route_of_the_table_of_the_protocol_is_in_the_document(shared: Web) -> None:
    document = shared.client.get("/api/openapi.json").json()
    shown = {f"{m.upper()} {path}" for path, by in document["paths"].items() for m in by}
    page = (ROOT / "docs" / "protocol.md").read_text()
    rows = page.split("| route | request | does |\n")[1].split("\n\n")[0].splitlines()[1:]
    named = {row.split("`")[1] for row in rows}
    assert shown == named
    assert json.dumps(document)
