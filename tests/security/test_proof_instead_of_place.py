"""F1a, F12: a record is believed for the token in it, and not for where it lies."""

import json
import os
from pathlib import Path

import pytest

from bus import address
from tests.doors.acting import Acting, Row, say, task
from tests.doors.kit import Home, coder, done, plan_text
from tests.repositories import git

EXIT = {
    "kind": "exited", "status": 0, "at": 1.0, "offset": 0, "leftovers": 0, "survivors": 0,
    "told": False, "clock": 1.0, "token": "0" * 32,
}  # fmt: skip
IDENTITY = {
    "host_pid": 1, "host_start": "", "program_pid": 1, "program_start": "", "incarnation": 1001,
    "token": "0" * 32, "socket": "/nowhere", "started_at": 1.0, "started": 1.0,
}  # fmt: skip

RED = 'test = ["sh", "-c", "exit 1"]'


def planting(place: Path, *commands: str) -> str:
    """Lines by which an agent makes `place` look like a finished run."""
    lines = [f"$ mkdir -p {place}/out; touch {place}/lock\n"]
    for name, content in (("host.json", IDENTITY), ("exit.json", EXIT)):
        lines.append(f"$<< cat > {place}/{name}\n{json.dumps(content)}\n<<\n")
    return "".join((*lines, *commands))


def first_run(home: Home) -> Path:
    return home.path / "terminals" / address.merger("demo").strip("/") / "tests" / "1001"


@pytest.mark.parametrize("more", ["", "$ rm {place}/host.json\n", "$ rm {place}/exit.json\n"])
def test_a_planted_record_of_the_tests_lands_nothing(acting: Acting, repo: Path, more: str) -> None:
    """Hazard 56."""
    place = first_run(acting.home)
    script = planting(place, more.format(place=place)) + "$ echo x > a\n" + say("a #done")
    acting.begin(plan_text(repo, {"a": [coder(script)]}, head=RED))
    row: Row = acting.status("failed", "completed")
    assert row["status"] == "failed"
    tested = acting.facts("merge.tested")
    assert [fact["passed"] for fact in tested] == [False]
    assert "a" not in git(repo, "ls-tree", "--name-only", "main").split()
    assert (place.parent / "1001.foreign-1").is_dir()


@pytest.mark.parametrize("special", ["fifo", "link to /dev/zero", "directory", "deep", "link"])
def test_nothing_planted_stops_the_tests_from_running(
    acting: Acting, repo: Path, tmp_path: Path, special: str
) -> None:
    """Hazard 56."""
    place = first_run(acting.home)
    plant = {
        "fifo": f"mkdir -p {place}; for f in host.json exit.json lock; do mkfifo {place}/$f; done",
        "link to /dev/zero": f"mkdir -p {place}; ln -s /dev/zero {place}/exit.json",
        "directory": f"mkdir -p {place}/host.json {place}/exit.json",
        "deep": f"mkdir -p {place}; printf '[%.0s' $(seq 5000) > {place}/exit.json",
        "link": f"mkdir -p {place.parent} {tmp_path}/x; ln -s {tmp_path}/x {place}",
    }[special]
    script = f"$ {plant}\n$ echo x > a\n" + say("a #done")
    head = 'test = ["sh", "-c", "test -e a"]'
    acting.begin(plan_text(repo, {"a": [coder(script)]}, head=head))
    acting.status("completed")
    assert git(repo, "show", "main:a") == "x"


def test_a_record_planted_for_another_terminal_does_not_end_it(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Hazard 56."""
    place = acting.home.path / "terminals" / "demo" / "b" / "1" / "1"
    gate = tmp_path / "gate"
    script = planting(place, f"$ touch {gate}\n$ echo x > a\n") + say("a #done")
    plan = plan_text(repo, {"a": [coder(script)], "b": [done("b")]}, head="max_terminals = 1")
    acting.begin(plan)
    row = acting.status("completed", "failed")
    assert row["status"] == "completed", task(row, "b")["reason"]
    assert git(repo, "show", "main:b") == "x"


def test_a_home_that_others_could_enter_is_closed_or_refused(home: Home) -> None:
    home.path.mkdir(mode=0o755)
    home.path.chmod(0o755)
    home.serve()
    assert home.path.stat().st_mode & 0o077 == 0


def test_what_another_user_put_into_an_open_home_is_refused(home: Home) -> None:
    if os.getuid():
        pytest.skip("only root can make a file of another user")
    home.path.mkdir()
    (home.path / "terminals").mkdir()
    os.chown(home.path / "terminals", 12345, 12345)
    refused = home.run("serve")
    assert refused.returncode == 3
    assert "12345" in refused.stderr


def test_a_branch_that_an_agent_made_for_another_task_is_not_taken_for_its_work(
    acting: Acting, repo: Path
) -> None:
    """Hazard 56. The base is known to everybody: it is the target's tip."""
    evil = git(repo, "commit-tree", "-p", "main", "-m", "evil", "main^{tree}")
    plan = plan_text(repo, {"a": [done("a")]})
    acting.call("plan.submit", plan=plan, base="/")
    git(repo, "update-ref", "refs/heads/feat/a", evil)
    git(repo, "update-ref", "refs/callboard/demo/base/feat/a", "main")
    acting.call("workflow.prepare", workflow="demo")
    row = acting.status("failed")
    assert "feat/a" in task(row, "a")["terminals"][0]["reason"]
    assert git(repo, "rev-parse", "feat/a") == evil
