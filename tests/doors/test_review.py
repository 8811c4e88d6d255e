"""Review by a person: what waits is shown, and both answers go on."""

from pathlib import Path

from tests.doors.acting import Acting, say, task, terminal
from tests.doors.kit import coder, done, moves, plan_text
from tests.repositories import git

WORK = "$ echo x >> work\n" + say("work #review")


def test_a_person_rejects_with_issues_and_then_approves(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    script = f'$ printf %s "$INSTRUCTION" > {told}\n' + WORK
    acting.begin(plan_text(repo, {"a": [coder(script), done("after")]}))
    acting.until(lambda row: task(row, "a")["status"] == "review_pending")
    shown = acting.home.ok("ps")
    assert "waits for you" in shown.splitlines()[0]
    assert "approve demo/a" in shown
    acting.until(lambda row: terminal(row, "a/1")["gone"])
    acting.home.ok("reject", "demo/a", "--reason", "one line is not enough")
    acting.fact("commit.seen", 2)
    row = acting.until(lambda row: task(row, "a")["status"] == "review_pending")
    assert task(row, "a")["rounds"] == 1
    assert "one line is not enough" in told.read_text()
    acting.home.ok("approve", "demo/a")
    acting.status("completed")
    assert (repo / "work").read_text() == "x\nx\n"
    assert (repo / "after").exists()
    assert moves(acting.facts(), "demo/a/") == [
        "pending", "running", "review_pending", "running", "review_pending", "running",
        "completed",
    ]  # fmt: skip


def test_what_waits_longest_is_shown_first(acting: Acting, repo: Path, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    later = f"$ while ! test -e {flag}; do sleep 0.05; done\n" + WORK
    acting.begin(plan_text(repo, {"a": [coder(later)], "b": [coder(WORK)]}))
    acting.until(lambda row: task(row, "b")["status"] == "review_pending")
    flag.touch()
    acting.until(lambda row: task(row, "a")["status"] == "review_pending")
    lines = acting.home.ok("ps").splitlines()
    assert [line.split()[0] for line in lines[1:5:2]] == ["demo/b", "demo/a"]


def test_rounds_are_limited_and_retry_begins_them_again(acting: Acting, repo: Path) -> None:
    judge = say("no #fail", "the second line is missing")
    tasks = {"a": [coder(WORK), coder(judge, role="reviewer")]}
    acting.begin(plan_text(repo, tasks, head="max_review_rounds = 2"))
    row = acting.status("failed", timeout=90)
    assert "rejected in review 2 times, which is the limit" in task(row, "a")["reason"]
    assert "the second line is missing" in task(row, "a")["issues"]
    acting.again()
    acting.home.ok("retry", "demo/a")
    row = acting.until(lambda row: task(row, "a")["rounds"] == 1)
    assert row["status"] == "running"


def test_the_reviewer_gets_the_range_and_the_words(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    judge = f'$ printf %s "$INSTRUCTION" > {told}\n' + say("good #done")
    acting.begin(plan_text(repo, {"a": [coder(WORK), coder(judge, role="reviewer")]}))
    acting.status("completed")
    text = told.read_text()
    base, tip = (git(repo, "rev-parse", name) for name in ("feat/a~2", "feat/a~1"))
    assert f"git diff {base[:12]}..{tip[:12]}" in text
    assert "#done" in text
    assert "#fail" in text


def test_answers_where_no_review_is_asked_are_refused(acting: Acting, repo: Path) -> None:
    acting.begin(plan_text(repo, {"a": [coder("@ sleep 600\n")]}))
    for words in (("approve", "demo/a"), ("reject", "demo/a", "--reason", "no")):
        refused = acting.home.run(*words)
        assert refused.returncode == 4
        assert "running" in refused.stderr
    assert acting.row()["status"] == "running"
