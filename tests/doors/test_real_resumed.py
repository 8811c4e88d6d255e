"""Real CLIs that are killed in the middle of a turn: the same conversation goes on."""

import os
import signal
from pathlib import Path

import pytest

from actors.pty.ending import running_hosts
from tests.doors.acting import Acting
from tests.doors.kit import Home
from tests.doors.real_plans import found, of, plan_for, user
from tests.doors.working import until
from tests.real_cli import Island

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

NAMES = ["claude", "codex", "gemini", "qwen", "opencode", "pi", "continue", "copilot", "cline"]
NAMES += ["kilo"]


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_cli_goes_on_in_its_conversation(name: str, tmp_path: Path, repo: Path) -> None:
    """The first request after it has the call that was cut, or what was told before beside it."""
    began, go = tmp_path / f"home/worktrees/demo/{name}/began", tmp_path / "go"
    made = f"echo {name} > {name}.txt && git add {name}.txt && git commit -qm '{name} #done'"
    begins = "for i in 1 2 3 4; do sleep 0.5; done; touch began"  # qwen refuses a sleep at once
    waits = f"{begins}; while ! test -e {go}; do sleep 0.2; done; rm began; {made}"
    with Island(waits, delay=0.5) as island:
        env = user(tmp_path, [name], found([name]))
        home = Home(tmp_path / "home", island.prefix, env)
        try:
            home.serve()
            acting = Acting(home)
            body = "Remember mark-before.\n"
            plan = plan_for(repo, [name], island.url, body=body).replace(f" RUN: true; {made}", "")
            acting.call("plan.submit", plan=plan, base=str(tmp_path))
            acting.call("workflow.prepare", workflow="demo")
            acting.status("ready", timeout=150)
            acting.call("workflow.start", workflow="demo")
            until(began.exists, "the first turn runs", timeout=90)
            (host,) = [each for each in running_hosts(home.path) if each.identity]
            assert host.identity is not None
            os.kill(host.identity.program_pid, signal.SIGKILL)
            acting.until(lambda row: row["tasks"][0]["status"] == "failed")
            before = len(of(island, name))
            go.touch()
            acting.call("task.retry", task=f"demo/{name}/")
            acting.status("completed", timeout=150)
            assert len(acting.facts("terminal.resumed_conversation")) == 1
            first = next(r for r in of(island, name)[before:] if r.get("step") == "tool")
            told = [
                text for text in first["texts"] if "mark-before" in text or "Read the file" in text
            ]
            assert first["calls"] or first["older"] or len(told) > 1, first
        finally:
            home.close()
