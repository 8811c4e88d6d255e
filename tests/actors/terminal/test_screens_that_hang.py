"""A profile's pattern that backtracks without end: its own terminal suffers, and says why."""

import json
from pathlib import Path

import pytest

from actors.clis import version
from actors.terminal import port, screens
from tests.actors.served import Served
from tests.doors.kit import AGENT, PYTHON, done, moves, plan_text
from tests.repositories import make_repo

SECONDS = 2.0
"""The processor time that a look at a screen may take."""
HOSTILE = f"""
[cli.hostile]
command = {json.dumps([PYTHON, "-c", "print('a' * 60 + '!', flush=True); input()"])}
ready = '^(a+)+$'
ready_timeout = 4
"""


def test_a_ready_pattern_without_end_fails_its_own_launch_and_holds_up_nobody_else(
    served: Served, tmp_path: Path
) -> None:
    served.runtime._stage.workers.screens._compute = SECONDS  # noqa: SLF001
    hostile = plan_text(
        make_repo(tmp_path / "hostile"), {"a": [{"cli": "hostile", "instruction": "x"}]},
        tail=HOSTILE,
    )  # fmt: skip
    first = served.client.call("plan.submit", plan=hostile)["id"]
    calm = plan_text(make_repo(tmp_path / "calm"), {"a": [done("a")]})
    second = served.client.call("plan.submit", plan=calm)["id"]
    for name in (first, second):
        served.client.call("workflow.prepare", workflow=name)
    served.until_status(first, "failed")
    served.run_to_the_end([second])
    facts = served.client.call("events.replay", after=0, limit=10_000)["facts"]
    blocked = [f for f in facts if f["type"] == "terminal.blocked"]
    failed = [f for f in facts if f["type"] == "terminal.launch_failed"]
    assert [f["prompt"] for f in blocked] == ["unreadable"]
    assert "judge computed for longer than 2 s" in blocked[0]["text"]
    assert ["`ready`" in f["reason"] for f in failed] == [True]
    assert moves(facts, f"{second}/")[-1] == "completed"
    assert not [f for f in facts if f["type"] == "actor.failed"]


def test_it_is_looked_at_again_after_a_while(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 96. A screen that could not be read in time only because the machine was busy."""
    monkeypatch.setattr(screens, "SLOW_SECONDS", 1.0)
    served.runtime._stage.workers.screens._limit = 0.001  # noqa: SLF001
    name = served.client.call(
        "plan.submit", plan=plan_text(make_repo(tmp_path / "repo"), {"a": [done("a")]})
    )["id"]
    served.client.call("workflow.prepare", workflow=name)
    served.until(name, lambda row: row["tasks"][0]["terminals"][0]["blocked"])
    served.runtime._stage.workers.screens._limit = 120.0  # noqa: SLF001
    served.run_to_the_end([name])
    assert served.client.call("workflow.get", workflow=name)["status"] == "completed"
    facts = served.client.call("events.replay", after=0, limit=10_000)["facts"]
    said = next(f["text"] for f in facts if f["type"] == "terminal.blocked")
    assert "the machine is too busy" in said
    assert "pattern" not in said


def test_a_version_pattern_without_end_finds_no_version_and_holds_up_nobody(
    served: Served, tmp_path: Path
) -> None:
    """F22: it is searched with in a worker process; the version is then unknown."""
    served.runtime._stage.workers.screens._compute = SECONDS  # noqa: SLF001
    program = tmp_path / "program"
    said = f'[ "$1" = --version ] && exec echo {"a" * 60}!'
    program.write_text(f'#!/bin/sh\n{said}\nexec {PYTHON} {AGENT} "$@"\n')
    program.chmod(0o755)
    tail = (
        f"[cli.odd]\ncommand = {json.dumps([str(program)])}\nready = '^> $'\n"
        "busy = 'esc to interrupt'\nversion = { pattern = '^(a+)+$', verified = [\"1\"] }\n"
    )
    plan = plan_text(make_repo(tmp_path / "repo"), {"a": [done("a") | {"cli": "odd"}]}, tail=tail)
    name = served.client.call("plan.submit", plan=plan)["id"]
    served.client.call("workflow.prepare", workflow=name)
    served.run_to_the_end([name])
    facts = served.client.call("events.replay", after=0, limit=10_000)["facts"]
    (unverified,) = [f for f in facts if f["type"] == "terminal.unverified"]
    assert unverified["version"] == ""
    assert not [f for f in facts if f["type"] == "actor.failed"]


def test_a_version_that_came_too_late_is_asked_again_while_a_question_stands(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the first answer takes too long; the terminal is not unknown for life."""
    monkeypatch.setattr(version, "SECONDS", 0.5)
    monkeypatch.setattr(port, "VERSION_SECONDS", 0.5)
    calm, program = tmp_path / "calm", tmp_path / "program"
    said = f'[ "$1" = --version ] && {{ test -e {calm} || exec sleep 60; exec echo 1.0.0; }}'
    program.write_text(f'#!/bin/sh\n{said}\nexec {PYTHON} {AGENT} --ask "$@"\n')
    program.chmod(0o755)
    tail = (
        f"[cli.late]\ncommand = {json.dumps([str(program)])}\nready = '^> $'\n"
        "busy = 'esc to interrupt'\nversion = { verified = [\"1.0.0\"] }\n"
        "prompts = [{ name = 'trust', pattern = 'trust this', answer = 'Yes' }]\n"
    )
    one = done("a") | {"cli": "late", "auto_confirm": "known"}
    plan = plan_text(make_repo(tmp_path / "repo"), {"a": [one]}, tail=tail)
    name = served.client.call("plan.submit", plan=plan)["id"]
    served.client.call("workflow.prepare", workflow=name)
    served.until(name, lambda row: row["tasks"][0]["terminals"][0]["blocked"])
    calm.touch()
    served.run_to_the_end([name])
    facts = served.client.call("events.replay", after=0, limit=10_000)["facts"]
    assert [f["version"] for f in facts if f["type"] == "terminal.unverified"] == [""]
    assert [f["by"] for f in facts if f["type"] == "terminal.answered"] == ["policy"]
