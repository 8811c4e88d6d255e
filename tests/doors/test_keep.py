"""A program that is kept while its work is judged: it waits stopped, and goes on where it was."""

import os
import signal
from pathlib import Path

from tests.doors.acting import Acting, cli, once, say, task, terminal
from tests.doors.kit import coder, commit, plan_text

WORK = "$ echo x >> work\n" + say("work #review")


def _keeper(tmp_path: Path) -> str:
    """`[cli.keeper]`, which notes its process and what it is told, works, and asks for a review."""
    note = f'$ echo $PPID >> {tmp_path}/pids; printf %s "$INSTRUCTION" > {tmp_path}/told\n'
    return cli("keeper", note + WORK)


def _kept(**more: object) -> dict[str, object]:
    return {"cli": "keeper", "instruction": "work", "keep": True, **more}


def _pids(tmp_path: Path) -> list[int]:
    return [int(pid) for pid in (tmp_path / "pids").read_text().split()]


def _state(pid: int) -> str:
    """The program's state as the system has it: `S`, `T` for stopped; "" if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return text.rpartition(")")[2].split()[0]


def _is_kept(acting: Acting) -> None:
    acting.until(lambda row: terminal(row, "a/1")["resting"])


def test_a_rejected_coder_goes_on_in_the_same_process(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Hazard 36. The reviewer works while every process of the coder is stopped."""
    seen = f"$ cut -d' ' -f3 /proc/$(head -1 {tmp_path}/pids)/stat >> {tmp_path}/states\n"
    no = "git commit -q --allow-empty -m 'no #fail' -m 'one line is not enough'"
    yes = "git commit -q --allow-empty -m 'yes #done'"
    judge = coder(seen + once(tmp_path / "judged", no, yes), role="reviewer")
    acting.begin(plan_text(repo, {"a": [_kept(), judge]}, tail=_keeper(tmp_path)))
    row = acting.status("completed")
    first, second = _pids(tmp_path)
    assert first == second
    assert (terminal(row, "a/1")["incarnation"], terminal(row, "a/1")["step"]) == (1, 2)
    told = (tmp_path / "told").read_text()
    assert "one line is not enough" in told
    assert "#review" in told
    assert (tmp_path / "states").read_text().split() == ["T", "T"]
    assert (repo / "work").read_text() == "x\nx\n"
    assert [fact["stopped"] for fact in acting.facts("terminal.kept")] == [True, True]
    assert _state(first) == ""


def test_without_a_second_place_it_is_ended_and_started_again(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    judge = coder(
        once(
            tmp_path / "judged",
            "git commit -q --allow-empty -m 'no #fail'",
            "git commit -q --allow-empty -m 'yes #done'",
        ),
        role="reviewer",
    )
    tasks = {"a": [_kept(), judge]}
    acting.begin(plan_text(repo, tasks, head="max_terminals = 1", tail=_keeper(tmp_path)))
    row = acting.status("completed")
    first, second = _pids(tmp_path)
    assert first != second
    assert terminal(row, "a/1")["incarnation"] == 2


def test_it_is_still_kept_after_a_crash_of_the_runtime(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    acting.begin(plan_text(repo, {"a": [_kept()]}, tail=_keeper(tmp_path)))
    _is_kept(acting)
    (pid,) = _pids(tmp_path)
    acting.again()
    acting.fact("terminal.adopted")
    assert _state(pid) == "T"
    refused = acting.home.run("send", "demo/a/1", "more")
    assert refused.returncode == 4
    assert "kept while its work is judged" in refused.stderr
    acting.home.ok("reject", "demo/a", "--reason", "once more")
    acting.until(
        lambda row: task(row, "a")["status"] == "review_pending" and task(row, "a")["rounds"]
    )
    _is_kept(acting)
    assert _pids(tmp_path) == [pid, pid]
    acting.home.ok("approve", "demo/a")
    acting.status("completed")
    assert _state(pid) == ""


def test_stop_ends_a_program_that_is_kept(acting: Acting, repo: Path, tmp_path: Path) -> None:
    acting.begin(plan_text(repo, {"a": [_kept()]}, tail=_keeper(tmp_path)))
    _is_kept(acting)
    (pid,) = _pids(tmp_path)
    acting.home.ok("stop", "demo")
    row = acting.until(lambda row: terminal(row, "a/1")["gone"])
    assert not terminal(row, "a/1")["kept"]
    assert _state(pid) == ""


def test_one_that_dies_while_it_is_kept_is_started_again(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    acting.begin(plan_text(repo, {"a": [_kept()]}, tail=_keeper(tmp_path)))
    _is_kept(acting)
    (pid,) = _pids(tmp_path)
    os.kill(pid, signal.SIGKILL)
    row = acting.until(
        lambda row: terminal(row, "a/1")["gone"] and not terminal(row, "a/1")["kept"]
    )
    assert task(row, "a")["status"] == "review_pending"
    acting.home.ok("reject", "demo/a", "--reason", "once more")
    row = acting.until(lambda row: task(row, "a")["rounds"] and terminal(row, "a/1")["resting"])
    assert terminal(row, "a/1")["incarnation"] == 2


def test_one_whose_turn_does_not_end_is_ended(acting: Acting, repo: Path) -> None:
    script = commit("work", "x", "work #review") + "@ sleep 600\n"
    acting.begin(plan_text(repo, {"a": [coder(script, keep=True)]}, head="idle_after = 0.5"))
    acting.until(lambda row: task(row, "a")["status"] == "review_pending")
    acting.until(lambda row: terminal(row, "a/1")["gone"])
    assert [fact["stopped"] for fact in acting.facts("terminal.kept")] == [False]
    acting.home.ok("approve", "demo/a")
    acting.status("completed")
