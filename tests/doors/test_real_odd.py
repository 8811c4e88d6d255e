"""Real CLIs and the runtime where something is out of the ordinary.

Another version, first-run dialogs, hostile instructions, programs left behind.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors.acting import Acting
from tests.doors.kit import Home
from tests.doors.real_plans import check_landed, found, lands, plan_for, user
from tests.real_cli import Island

pytestmark = pytest.mark.timeout(400)

LONG = pytest.mark.long
THREE = ["claude", "codex", "gemini"]


class Scene:
    """A runtime, and a plan for one CLI that is prepared."""

    def __init__(self, tmp_path: Path, repo: Path) -> None:
        self.tmp_path, self.repo = tmp_path, repo
        self.island = Island("true", delay=0.5)
        self.home: Home | None = None

    def prepare(self, name: str, tail: str, auto_confirm: str) -> Acting:
        env = user(self.tmp_path, [name], found([name]))
        self.home = Home(self.tmp_path / "home", self.island.prefix, env)
        self.home.serve()
        acting = Acting(self.home)
        plan = plan_for(self.repo, [name], self.island.url, tail, auto_confirm=auto_confirm)
        (self.tmp_path / "plan.toml").write_text(plan)
        acting.call("plan.submit", plan=plan, base=str(self.tmp_path))
        acting.call("workflow.prepare", workflow="demo")
        return acting

    def close(self) -> None:
        if self.home is not None:
            self.home.close()
        self.island.__exit__()


@pytest.fixture
def scene(tmp_path: Path, repo: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path, repo)
    yield scene
    scene.close()


@pytest.mark.parametrize("name", ["codex", *(pytest.param(n, marks=LONG) for n in THREE[::2])])
def test_another_version_is_said_and_a_person_answers(name: str, scene: Scene) -> None:
    tail = f'[cli.{name}.version]\nverified = ["0.0.1"]\n'
    acting = scene.prepare(name, tail, "known")
    acting.status("ready")
    said = acting.fact("terminal.unverified")
    assert (said["cli"], said["verified"]) == (name, ["0.0.1"])
    assert said["version"][0].isdigit()
    acting.call("workflow.start", workflow="demo")
    blocked = acting.fact("terminal.blocked")
    assert acting.facts("terminal.answered") == []
    label = next(choice for choice in blocked["choices"] if choice.startswith(("Yes", "Allow")))
    acting.call("terminal.answer", terminal=f"demo/{name}/1/", choice=label)
    acting.status("completed")
    assert {fact["by"] for fact in acting.facts("terminal.answered")} == {"person"}
    check_landed(scene.island, scene.repo, [name], acting.facts())


DIALOGS = {
    "claude": {
        "theme": "Dark mode",
        "security-notes": "Enter",
        "trust": "Yes",
    },
    "codex": {"trust": "Trust and continue"},
}


@LONG
@pytest.mark.parametrize("name", DIALOGS)
def test_first_run_dialogs_the_seed_does_not_prevent_are_answered_by_label(
    name: str, scene: Scene
) -> None:
    acting = scene.prepare(name, f"[cli.{name}.seed]\nset = []\n", "known")
    acting.fact("terminal.answered", len(DIALOGS[name]))
    acting.status("ready")
    answered = [fact["choice"] for fact in acting.facts("terminal.answered")]
    assert [choice.partition(",")[0] for choice in answered] == list(DIALOGS[name].values())
    acting.call("workflow.start", workflow="demo")
    acting.status("completed")
    check_landed(scene.island, scene.repo, [name], acting.facts())


@LONG
@pytest.mark.parametrize("name", DIALOGS)
def test_first_run_dialogs_ask_a_person_where_nothing_may_be_answered(
    name: str, scene: Scene
) -> None:
    acting = scene.prepare(name, f"[cli.{name}.seed]\nset = []\n", "never")
    for number, (prompt, label) in enumerate(DIALOGS[name].items(), 1):
        blocked = acting.fact("terminal.blocked", number)
        assert blocked["prompt"] == prompt, json.dumps(blocked)
        acting.call("terminal.answer", terminal=f"demo/{name}/1/", choice=label)
    acting.status("ready")
    assert {fact["by"] for fact in acting.facts("terminal.answered")} == {"person"}


@LONG
def test_long_and_hostile_instructions_arrive_intact_through_the_runtime(
    tmp_path: Path, repo: Path
) -> None:
    lines = [f"line {n}: 漢字と絵文字 🎉 {'word ' * 5}." for n in range(400)]
    body = "\n".join(["out: \x1b[201~\r\x03 \x1b[31mred \x1b]0;title\x07", *lines, ""])
    assert len(body.encode()) > 20_000
    lands(tmp_path, repo, [*THREE, "qwen", "opencode"], body=body)


@LONG
def test_what_a_cli_leaves_running_is_ended_and_counted(tmp_path: Path, repo: Path) -> None:
    """Shell tools run in sessions of their own and outlive their CLI; this one ignores TERM."""
    pids = tmp_path / "pids"
    pids.mkdir()
    stubborn = tmp_path / "stubborn"
    stubborn.write_text(f"trap '' TERM HUP; echo x > {pids}/$$; while :; do sleep 1; done\n")
    left = f"(setsid sh {stubborn} >/dev/null 2>&1 &)"
    facts = lands(tmp_path, repo, THREE, also=left, sandbox="off")
    started = [int(path.name) for path in pids.iterdir()]
    assert len(started) == len(THREE)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    left_over = [fact["leftovers"] for fact in facts if fact["type"] == "terminal.exited"]
    assert len(left_over) == len(THREE)
    assert all(left_over)
