"""The main job: from `created` to landed, tested work, through the command line."""

import json
import subprocess
from pathlib import Path

from tests.doors.kit import PYTHON, ROOT, Home, coder, commit, done, moves, plan_text, types
from tests.doors.terminal_kit import Window
from tests.repositories import git


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return str(path)


def test_the_demo_lands(tmp_path: Path) -> None:
    ran = subprocess.run(
        [PYTHON, str(ROOT / "run.py"), "demo", "--dir", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    sample = tmp_path / "demo" / "sample"
    assert {"greet.py", "farewell.py"} <= {p.name for p in sample.iterdir()}
    assert git(sample, "status", "--porcelain") == ""
    merges = git(sample, "log", "--merges", "--format=%s", "main").splitlines()
    assert len(merges) == 2


def test_up_lands_two_parallel_tasks_and_says_so(home: Home, repo: Path, tmp_path: Path) -> None:
    """Hazards 15, 45."""
    test = f"test = [{json.dumps(PYTHON)}, \"-c\", \"open('a'); open('b')\"]"
    plan = write(tmp_path, plan_text(repo, {"a": [done("a")], "b": [done("b")]}, head=test))
    ran = home.run("up", plan)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (repo / "a").exists()
    assert (repo / "b").exists()
    facts = home.facts()
    assert [f["seq"] for f in facts] == list(range(1, len(facts) + 1))
    assert moves(facts, "demo/") == [
        "created", "starting", "ready", "running", "merging", "completed",
    ]  # fmt: skip
    starts = [f["address"] for f in facts if f.get("new") == "starting" and "/1/" in f["address"]]
    assert starts == ["demo/a/1/", "demo/b/1/"]
    tested = next(f for f in facts if f["type"] == "merge.tested")
    landed = next(f for f in facts if f["type"] == "merge.landed")
    assert tested["passed"]
    assert landed["new"] == tested["commit"] == git(repo, "rev-parse", "main")


def test_two_branches_green_alone_and_red_together_do_not_land(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """Hazard 45."""
    check = "import os,sys; sys.exit(os.path.exists('a') and os.path.exists('b'))"
    test = f'test = [{json.dumps(PYTHON)}, "-c", {json.dumps(check)}]'
    before = git(repo, "rev-parse", "main")
    plan = write(tmp_path, plan_text(repo, {"a": [done("a")], "b": [done("b")]}, head=test))
    ran = home.run("up", plan)
    assert ran.returncode == 1, ran.stdout
    assert git(repo, "rev-parse", "main") == before
    facts = home.facts()
    assert moves(facts, "demo/")[-1] == "failed"
    assert "repair.offered" in types(facts)
    assert "merge.landed" not in types(facts)


def test_a_conflict_is_named_with_its_files(home: Home, repo: Path, tmp_path: Path) -> None:
    plan = write(
        tmp_path, plan_text(repo, {"a": [done("same", "one")], "b": [done("same", "two")]})
    )
    ran = home.run("up", plan)
    assert ran.returncode == 1, ran.stdout
    conflict = next(f for f in home.facts() if f["type"] == "merge.conflict")
    assert conflict["files"] == ["same"]
    assert Path(conflict["worktree"], "same").read_text().startswith("<<<<<<<")


def test_a_step_that_is_not_allowed_now_is_refused_and_changes_nothing(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    home.serve()
    plan = write(tmp_path, plan_text(repo, {"a": [done("a")]}))
    assert home.json("submit", plan)["id"] == "demo"
    refused = home.run("start", "demo")
    assert refused.returncode == 4
    assert "created" in refused.stderr
    assert home.status() == "created"
    home.ok("prepare", "demo")
    assert home.status() == "ready"
    home.ok("start", "demo")
    home.until(lambda row: row["status"] == "completed")


def test_a_review_that_rejects_sends_the_work_back_to_the_coder(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    work = "$ echo x >> work && git add -A && git commit -q -m 'work #review'\n"
    judge = (
        "$ test $(wc -l < work) -ge 2 && git commit -q --allow-empty -m 'good #done'"
        " || git commit -q --allow-empty -m 'too short #fail' -m 'write a second line'\n"
    )
    tasks = {"a": [coder(work), coder(judge, role="reviewer")]}
    ran = home.run("up", write(tmp_path, plan_text(repo, tasks)))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert moves(home.facts(), "demo/a/") == [
        "pending", "running", "review_pending", "running", "review_pending", "completed",
    ]  # fmt: skip
    assert (repo / "work").read_text() == "x\nx\n"


def test_the_target_checked_out_with_changed_files_in_the_way_is_left_alone(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    plan = write(tmp_path, plan_text(repo, {"a": [coder(commit("README", "new", "r #done"))]}))
    (repo / "README").write_text("mine, not committed\n")
    ran = home.run("up", plan)
    assert ran.returncode == 1, ran.stdout
    refused = next(f for f in home.facts() if f["type"] == "merge.refused")
    assert refused["files"] == ["README"]
    assert (repo / "README").read_text() == "mine, not committed\n"


def test_a_demo_that_is_left_goes_on(tmp_path: Path) -> None:
    """Its runtime ends only with its workflow."""
    home = Home(tmp_path / "demo" / "home")
    window = Window(home, "demo", "--dir", str(tmp_path / "demo"))
    while not any("demo/greet/1/" in line for line in window.screen()):
        assert window.read()
    window.type("q")
    assert window.end() == 1
    try:
        home.until(lambda row: row["status"] == "completed")
    finally:
        home.close()
