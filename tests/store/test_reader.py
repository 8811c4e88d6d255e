"""The reader's queries and the rows of a submission."""

import threading
from pathlib import Path

import pytest

from bus import plan as plans
from bus.facts import (
    CommitSeen,
    RuntimeStarted,
    TaskMoved,
    TerminalMoved,
    WorkflowMoved,
    decode_fact,
)
from bus.plan import HelperPlan, Plan
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from store.change import Insert, Move, Operation, Update, update_merge
from store.compaction import compact
from store.journal import Journal
from store.reader import Reader
from store.submission import helper_plan, submission, terminal_rows


@pytest.fixture
def two(journal: Journal, plan: Plan) -> Journal:
    """Two workflows, `demo` and `demo-2`; facts 1 to 8."""
    journal.commit(submission("demo", plan, "then", "/git"))
    journal.commit(submission("demo-2", plan, "now", "/git"))
    return journal


def cancel(id: str) -> list[Operation]:
    created, cancelled = WorkflowStatus.CREATED, WorkflowStatus.CANCELLED
    return [Move("workflow", f"{id}/", created, cancelled, sets={"tidied": True})]


@pytest.mark.usefixtures("two")
def test_a_submission_is_rows_and_one_fact_for_each_first_status(
    plan: Plan, reader: Reader
) -> None:
    row = reader.workflow("demo")
    assert row is not None
    assert (row.address, row.status, row.created, row.git_dir) == (
        "demo/", WorkflowStatus.CREATED, "then", "/git",
    )  # fmt: skip
    (task,) = row.tasks
    assert (task.address, task.status, task.name) == ("demo/login/", TaskStatus.PENDING, "login")
    assert [t.role for t in task.terminals] == ["coder", "reviewer"]
    assert {t.status for t in task.terminals} == {TerminalStatus.NOT_STARTED}
    assert all(t.gone and not t.shall_run and not t.wanted for t in task.terminals)
    kinds = [type(f) for f in reversed(reader.newest("demo/", 10))]
    assert kinds == [WorkflowMoved, TaskMoved, TerminalMoved, TerminalMoved]
    assert reader.terminal_plan("demo/login/2/") == plan.task[0].terminal[1]


@pytest.mark.usefixtures("journal", "plan")
def test_a_helper_s_terminal_is_made_from_its_table() -> None:
    helper = HelperPlan(cli="claude", model="m", attempts=3, timeout=5)
    made = helper_plan(helper, "mend it")
    assert (made.cli, made.model, made.instruction, made.timeout) == ("claude", "m", "mend it", 5)
    assert made.role == "coder"


def test_an_error_and_a_merge_terminal_stand_apart_from_the_line(
    two: Journal, reader: Reader
) -> None:
    asked = plans.TerminalPlan(cli="c", instruction="i")
    two.commit(terminal_rows("demo/login/error/", "demo", "demo/login/", 3, asked))
    two.commit(terminal_rows("demo/merge/", "demo", None, 0, asked))
    row = reader.workflow("demo")
    assert row is not None
    assert [t.name for t in row.tasks[0].line] == ["1", "2"]
    assert row.tasks[0].error is not None
    assert row.merge_terminal is not None
    assert [t.address for t in row.terminals()][-1] == "demo/merge/"


@pytest.mark.usefixtures("two")
def test_what_is_not_there_is_none(reader: Reader) -> None:
    assert reader.workflow("nobody") is None
    assert reader.terminal("demo/login/9/") is None
    assert reader.actor_state("demo/") is None
    assert reader.cursors("demo") == {}
    assert reader.bodies(0, 10, "nobody/") == []


def test_ids_are_listed_oldest_first_and_finished_ones_apart(two: Journal, reader: Reader) -> None:
    assert reader.workflow_ids() == reader.unfinished_ids() == ["demo", "demo-2"]
    assert reader.over_ids() == []
    two.commit(cancel("demo"))
    assert reader.unfinished_ids() == ["demo-2"]
    assert reader.over_ids() == ["demo"]


def test_one_that_is_over_and_not_cleaned_up_is_unfinished(two: Journal, reader: Reader) -> None:
    two.commit([*cancel("demo"), Update("workflow", "demo", {"tidied": False})])
    assert reader.unfinished_ids() == ["demo", "demo-2"]


@pytest.mark.usefixtures("two")
def test_facts_are_read_by_seq_limit_and_address(reader: Reader) -> None:
    def seqs(address: str, after: int = 0, limit: int = 100) -> list[int]:
        return [decode_fact(b).seq for b in reader.bodies(after, limit, address)]

    assert seqs("") == list(range(1, 9))
    assert seqs("demo/") == [1, 2, 3, 4]
    assert seqs("demo-2/") == [5, 6, 7, 8]
    assert seqs("demo/login/") == [2, 3, 4]
    assert seqs("demo/login/1/") == [3]
    assert seqs("", after=6) == [7, 8]
    assert seqs("demo-2/", after=5, limit=1) == [6]
    assert [seq for seq, _, _ in reader.facts_after(3, 2)] == [4, 5]
    assert [f.seq for f in reader.newest("demo/", 2)] == [4, 3]


@pytest.mark.parametrize(
    ("address", "types", "among", "seq"),
    [
        ("demo/login/", {"task.status"}, 9, 10),
        ("demo/login/", {"commit.seen", "task.status"}, 1, 11),
        ("demo/login/", {"task.status"}, 1, None),
        ("demo/login/", {"terminal.status"}, 9, None),
        ("demo/", {"task.status"}, 9, None),
        ("nobody/", {"task.status"}, 9, None),
    ],
)
def test_the_last_fact_of_some_types_is_that_of_exactly_an_address(
    two: Journal, reader: Reader, address: str, types: set[str], among: int, seq: int | None
) -> None:
    moved = TaskMoved(address="demo/login/", old=None, new=TaskStatus.PENDING)
    seen = [CommitSeen(address="demo/login/", branch="b", commit=c) for c in "cd"]
    assert two.commit([seen[0], moved, seen[1]]) == [9, 10, 11]
    found = reader.last(address, types, among)
    assert (found and decode_fact(found).seq) == seq


@pytest.mark.usefixtures("two")
def test_an_address_is_no_pattern(reader: Reader) -> None:
    for address in ("%", "demo%/", "_emo/", "demo/%/", "demo/' OR 1 --/"):
        assert reader.bodies(0, 10, address) == []


def test_only_observations_wait_for_the_workflow_actor(two: Journal, reader: Reader) -> None:
    seen = CommitSeen(address="demo/login/", branch="b", commit="c")
    (seq,) = two.commit([seen])
    assert [f.seq for f in reader.unhandled("demo", 0)] == [seq]
    assert reader.unhandled("demo", seq) == []
    assert reader.unhandled("demo-2", 0) == []


def test_what_is_starting_and_watched_is_read_from_the_rows(two: Journal, reader: Reader) -> None:
    assert (reader.starting_terminals(), reader.watched("demo")) == ([], [])
    not_started, starting = TerminalStatus.NOT_STARTED, TerminalStatus.STARTING
    two.commit([Move("terminal", "demo/login/1/", not_started, starting)])
    two.commit([Update("task", "demo/login/", {"base": "b", "worktree": "/w"})])
    two.commit([update_merge("demo", worktree="/m", start="s")])
    assert reader.starting_terminals() == ["demo/login/1/"]
    assert reader.watched("demo") == [
        ("demo/login/", "feat/login", "b", "/w"),
        ("demo/merge/", "", "s", "/m"),
    ]
    assert reader.repository("demo") == ("/git", "main")


def test_cursors_and_commits_are_a_workflow_s_own(two: Journal, reader: Reader) -> None:
    two.commit([Insert("cursor", {"workflow": "demo", "ref": "r", "commit": "c"}, replace=True)])
    two.commit([Insert("cursor", {"workflow": "demo", "ref": "r", "commit": "d"}, replace=True)])
    two.commit([Insert("commit", {"workflow": "demo", "commit": "c"})])
    assert reader.cursors("demo") == {"r": "d"}
    assert reader.cursors("demo-2") == {}
    assert reader.seen_commits("demo", ["c", "d"]) == {"c"}
    assert reader.seen_commits("demo-2", ["c"]) == set()


def test_compaction_forgets_only_what_is_over_and_seq_goes_on(two: Journal, reader: Reader) -> None:
    assert compact(two, reader) == 0
    two.commit(cancel("demo"))
    assert compact(two, reader) == 5
    assert reader.compacted() == reader.head() == 9
    assert reader.bodies(0, 100, "demo/") == []
    assert len(reader.bodies(0, 100, "demo-2/")) == 4
    assert two.commit([RuntimeStarted(address="runtime/", pid=1, version="")]) == [10]


def test_one_state_is_one_state_though_others_write(two: Journal, reader: Reader) -> None:
    fact = RuntimeStarted(address="runtime/", pid=1, version="")
    with reader.one_state():
        before = reader.head()
        writer = threading.Thread(target=lambda: two.commit([fact]))
        writer.start()
        writer.join()
        assert reader.head() == before == reader.count_facts()
    assert reader.head() == before + 1


@pytest.mark.usefixtures("two")
def test_reading_changes_nothing(reader: Reader) -> None:
    """Hazard 19."""
    before = reader._sql("PRAGMA data_version")  # noqa: SLF001
    for id in reader.workflow_ids():
        reader.workflow(id)
        reader.plan(id)
        reader.newest(f"{id}/", 10)
    assert reader._sql("PRAGMA data_version") == before  # noqa: SLF001
    assert reader.head() == 8


ANY_TEXT = [
    "", "\0", "a\0b", "\x01\x1f\x7f", '"\\/', "json(null)", "[1]", "'; DROP TABLE fact; --",
    "\u2028 \ud7ff \ue000 \uffff 𝄞", "x" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("text", ANY_TEXT, ids=range(len(ANY_TEXT)))
def test_any_text_is_read_as_it_was_written(two: Journal, reader: Reader, text: str) -> None:
    two.commit(
        [
            Update("workflow", "demo", {"reason": text}),
            update_merge("demo", problem=text),
            Update("task", "demo/login/", {"issues": text}, {}),
            Update("terminal", "demo/login/1/", {"instruction": text}, {}),
        ]
    )
    row = reader.workflow("demo")
    assert row is not None
    assert (row.reason, row.merge.problem, row.tasks[0].issues) == (text, text, text)
    assert row.tasks[0].terminals[0].instruction == text
    assert row.tasks[0].terminals[0] == reader.terminal("demo/login/1/")


def test_a_terminal_is_fenced_where_its_plan_gives_it_a_sandbox(
    journal: Journal, plan: Plan, reader: Reader
) -> None:
    plan.task[0].terminal[0].sandbox = "worktree"
    journal.commit(submission("demo", plan, "now", "/git"))
    row = reader.workflow("demo")
    assert row is not None
    found = {terminal.address: terminal.fenced for terminal in row.terminals()}
    assert found.pop("demo/login/1/") is True
    assert found
    assert not any(found.values())


@pytest.mark.parametrize("moment", [0.0, 1 / 3, 24143.005481427, 1e9 + 1e-7, 2.0**52 + 0.5, 1e-9])
def test_a_moment_is_read_to_its_last_digit(two: Journal, reader: Reader, moment: float) -> None:
    two.commit([Update("terminal", "demo/login/1/", {"working_clock": moment}, {})])
    terminal = reader.terminal("demo/login/1/")
    assert terminal is not None
    assert terminal.working_clock == moment


def test_compaction_gives_the_space_on_the_disk_back(
    two: Journal, reader: Reader, database: Path
) -> None:
    """That of the database, and that of its log."""

    def size() -> int:
        return sum(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))

    for start in range(0, 4_000, 500):
        numbers = range(start, start + 500)
        seen = [
            CommitSeen(address="demo/login/", branch="b", commit=f"{n:040x}", subject="x" * 900)
            for n in numbers
        ]
        two.commit(seen)
    before = size()
    two.commit(cancel("demo"))
    assert compact(two, reader) > 4_000
    assert size() < before / 4
