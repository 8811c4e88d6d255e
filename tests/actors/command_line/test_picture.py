"""The live view: it fits the screen, and what waits for a person stands on top."""

from datetime import UTC, datetime

import pytest

from actors.command_line.output.times import when
from actors.command_line.views.picture import Story, picture
from actors.command_line.views.tables import forecasts
from bus import facts
from bus.kinds import LimitKind, Role
from bus.rows import Forecast, Merge, Task, Terminal, Workflow
from bus.status import MergeStage, TaskStatus, TerminalStatus, WorkflowStatus

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


def at(minutes: float) -> str:
    return datetime.fromtimestamp(NOW.timestamp() - minutes * 60, UTC).isoformat()


def workflow(count: int, blocked: int = 0, status: str = "running") -> Workflow:
    tasks = []
    for number in range(count):
        address = f"demo/task-{number}/"
        terminal = Terminal(
            address=f"{address}1/",
            task=address,
            position=1,
            role=Role.CODER,
            cli="claude",
            status=TerminalStatus.RUNNING if number % 2 else TerminalStatus.COMPLETED,
            shall_run=bool(number % 2),
            gone=not number % 2,
            blocked="Go on? " + "x" * 100 if number < blocked * 2 and number % 2 else "",
            working_since=at(5),
        )
        done = TaskStatus.RUNNING if number % 2 else TaskStatus.COMPLETED
        task = Task(
            address=address,
            id=f"task-{number}",
            name="",
            position=number,
            branch=f"b{number}",
            status=done,
            terminals=[terminal],
        )
        tasks.append(task)
    return Workflow(
        id="demo",
        address="demo/",
        name="demo",
        repo="/r",
        git_dir="/r/.git",
        target="main",
        status=WorkflowStatus(status),
        created=at(10),
        tasks=tasks,
    )


def story(*told: facts.AnyFact) -> Story:
    made = Story()
    for fact in told:
        made.note(fact)
    return made


@pytest.mark.parametrize(("width", "height"), [(60, 19), (200, 59), (20, 5)])
@pytest.mark.parametrize(("count", "blocked"), [(1, 0), (3, 1), (60, 0), (60, 30)])
def test_it_fits_the_screen(width: int, height: int, count: int, blocked: int) -> None:
    told = [
        facts.RuntimeStopped(seq=n, at=at(1), address="demo/", reason="x" * 99) for n in range(99)
    ]
    lines = picture(workflow(count, blocked), story(*told), NOW, width, height)
    assert len(lines) <= height
    assert all(text.cell_len <= width for text in lines)


def test_what_waits_longest_comes_first_and_before_that_what_was_not_seen_to_begin() -> None:
    def asks(number: int, minutes: float) -> facts.TerminalBlocked:
        address = f"demo/task-{number}/1/"
        return facts.TerminalBlocked(
            at=at(minutes), address=address, incarnation=1, prompt="p", choices=[], text="Go on?"
        )

    found = story(asks(1, 2), asks(3, 9)).waits(workflow(6, 3))
    assert [wait.address for wait in found] == [f"demo/task-{n}/1/" for n in (5, 3, 1)]


def test_waits_come_first_then_what_runs_then_the_newest_facts() -> None:
    asked = facts.TerminalBlocked(
        seq=7, at=at(1), address="demo/task-1/1/", incarnation=1, prompt="x", choices=["Yes", "No"]
    )
    seen = facts.CommitSeen(
        seq=8, at=at(2), address="demo/task-3/", branch="b3", commit="c" * 40, subject="half"
    )
    lines = [t.plain for t in picture(workflow(4, 1), story(asked, seen), NOW, 100, 20)]
    assert lines[0] == "demo/ running · 2 of 4 completed · 10 min 0 s"
    assert lines[1] == "waits for you"
    assert lines[3:5] == [
        "    python run.py answer demo/task-1/1 Yes",
        "    python run.py answer demo/task-1/1 No",
    ]
    assert "  demo/task-3/1/ running claude 5 min 0 s · commit 2 min 0 s ago: half" in lines
    assert "  2 completed" in lines
    assert lines[-1].split()[0] == "8"


def test_a_long_command_is_wrapped_and_not_cut() -> None:
    row = workflow(0, status="ready")
    lines = [t.plain for t in picture(row, Story(), NOW, 20, 20)]
    assert "".join(lines[3:5]) == "    python run.py start demo"


def test_tests_that_run_and_a_program_that_has_ended() -> None:
    row = workflow(2, status="merging")
    row.merge = Merge(round=1)
    row.tasks[1].terminals[0].gone = True
    started = facts.MergeStarted(
        seq=9, at=at(0.5), address="demo/", target="main", base="b", commit="c", branches=[]
    )
    lines = [t.plain for t in picture(row, story(started), NOW, 100, 20)]
    assert "tests are running for 30 s" in lines[0]
    assert not any("demo/task-1/1/ running" in line for line in lines)


def test_a_conflict_and_a_repair_are_named_while_a_terminal_works_on_them() -> None:
    row = workflow(2, status="merging")
    row.reason = "every task has completed"
    assert row.reason in picture(row, story(), NOW, 100, 30)[0].plain
    row.merge = Merge(stage=MergeStage.CONFLICT, files=["src/a.py", "b"])
    assert "· a conflict in src/a.py, b ·" in picture(row, story(), NOW, 100, 30)[0].plain
    row.merge.stage = MergeStage.REPAIR
    assert "· its tests failed, and a repair is at work ·" in (
        picture(row, story(), NOW, 100, 30)[0].plain
    )


def test_sixty_branches_that_touch_one_file_are_one_line() -> None:
    row = workflow(0)
    names = [f"b{n}" for n in range(60)]
    row.forecast = [Forecast(branches=[a, b], files=["x"]) for a in names for b in names if a < b]
    assert forecasts(row) == ["60 branches (b0, b1, …) would conflict in x"]


@pytest.mark.parametrize(
    ("zone", "shown"), [("UTC", "12:00:00Z"), ("Asia/Kolkata", "17:30:00+05:30")]
)
def test_times_are_local_and_say_their_zone(
    monkeypatch: pytest.MonkeyPatch, zone: str, shown: str
) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert when("2026-11-29T12:00:00.123456Z", NOW) == shown
        assert when("2026-11-28T12:00:00.123456Z", NOW) == f"2026-11-28 {shown}"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_conflict_foreseen_for_more_pairs_is_one_of_the_newest_facts_once() -> None:
    pairs = [["b0", f"b{number}"] for number in range(1, 60)]
    told = [facts.MergeForecast(address="demo/", branches=pair, files=["f"]) for pair in pairs]
    other = facts.MergeForecast(address="demo/", branches=["b1", "b2"], files=["g"])
    assert story(*told, other, *told).newest == [told[0], other]


def test_a_narrow_screen_has_room_for_the_time_at_which_a_limited_terminal_goes_on() -> None:
    row = workflow(2)
    limited = row.tasks[1].terminals[0]
    limited.limited, limited.account = LimitKind.USAGE, "claude, its own login"
    limited.until = at(-127 / 60)
    for width in (60, 200):
        lines = [line.plain for line in picture(row, Story(), NOW, width, 20)]
        (shown,) = [line for line in lines if line.startswith("  demo/task-1/1/ ")]
        assert "in 2 min 7 s" in shown
        assert len(shown) <= width
