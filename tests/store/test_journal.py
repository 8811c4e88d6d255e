"""The journal: durable, atomic, gapless, one writer."""

import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bus import clock
from bus.facts import RuntimeStarted, WorkflowMoved
from bus.kinds import LimitKind
from bus.plan import Plan
from bus.status import TerminalStatus, WorkflowStatus
from store import accounts
from store.change import AccountNews, Insert, Move, Operation, Update
from store.errors import Duplicate, IllegalTransition, LostRace, StoreError, Unwritable
from store.journal import Journal, Stored
from store.reader import Reader
from store.submission import submission


def started(pid: int = 1) -> RuntimeStarted:
    return RuntimeStarted(address="runtime/", pid=pid, version="0")


def prepare() -> Move:
    return Move("workflow", "demo/", WorkflowStatus.CREATED, WorkflowStatus.STARTING, "asked")


def test_a_submission_is_stored_whole_with_a_fact_for_each_status(
    journal: Journal, reader: Reader, plan: Plan, published: list[Stored]
) -> None:
    seqs = journal.commit(submission("demo", plan, "now"))
    assert seqs == [1, 2, 3, 4]
    workflow = reader.workflow("demo")
    assert workflow is not None
    assert [t.address for t in workflow.terminals()] == ["demo/login/1/", "demo/login/2/"]
    assert [s.fact.seq for s in published] == seqs
    assert reader.bodies(0, 10) == [s.body for s in published]
    assert reader.plan("demo") == plan


@pytest.mark.usefixtures("reader")
def test_a_transition_is_a_compare_and_swap_with_its_fact(
    journal: Journal, plan: Plan, published: list[Stored]
) -> None:
    """Hazard 14."""
    journal.commit(submission("demo", plan, "now"))
    journal.commit([prepare()])
    fact = published[-1].fact
    assert isinstance(fact, WorkflowMoved)
    assert (fact.old, fact.new, fact.reason) == ("created", "starting", "asked")
    with pytest.raises(LostRace):
        journal.commit([prepare()])
    assert journal.head == fact.seq


def test_an_illegal_transition_is_an_error_and_changes_nothing(
    journal: Journal, reader: Reader, plan: Plan
) -> None:
    """Hazard 14."""
    journal.commit(submission("demo", plan, "now"))
    head = journal.head
    jump = Move("workflow", "demo/", WorkflowStatus.CREATED, WorkflowStatus.COMPLETED)
    with pytest.raises(IllegalTransition):
        journal.commit([started(), jump])
    assert journal.head == head == reader.head()


def test_a_change_is_stored_whole_or_not_at_all(
    journal: Journal, reader: Reader, plan: Plan
) -> None:
    journal.commit(submission("demo", plan, "now"))
    half: list[Operation] = [
        prepare(),
        Update("terminal", "demo/login/1/", {"sent": 1}, {"incarnation": 99}),
    ]
    with pytest.raises(LostRace):
        journal.commit(half)
    workflow = reader.workflow("demo")
    assert workflow is not None
    assert workflow.status == WorkflowStatus.CREATED


@pytest.mark.usefixtures("reader")
def test_an_abandoned_incarnation_writes_nothing(journal: Journal, plan: Plan) -> None:
    """Hazard 9."""
    journal.commit(submission("demo", plan, "now"))
    start = Move(
        "terminal",
        "demo/login/1/",
        TerminalStatus.NOT_STARTED,
        TerminalStatus.STARTING,
        sets={"incarnation": 2},
    )
    journal.commit([start])
    with pytest.raises(LostRace):
        journal.commit([Update("terminal", "demo/login/1/", {"sent": 1}, {"incarnation": 1})])


@pytest.mark.usefixtures("reader")
def test_one_failing_change_in_a_group_fails_alone(journal: Journal, plan: Plan) -> None:
    journal.commit(submission("demo", plan, "now"))
    futures = [journal.submit([started(n)]) for n in range(50)]
    wrong = journal.submit([Insert("workflow", {"id": "demo"})])
    more = [journal.submit([started(n)]) for n in range(50)]
    seqs = [seq for future in futures + more for seq in future.result()]
    assert seqs == list(range(5, 105))
    with pytest.raises(StoreError):
        wrong.result()


def test_seq_has_no_gap_and_no_repeat_with_many_writers_and_across_reopening(
    open_journal: Callable[[], Journal], reader: Reader
) -> None:
    journal = open_journal()

    def write() -> None:
        for n in range(50):
            journal.commit([started(n), started(n)])

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    journal.close()
    again = open_journal()
    assert again.commit([started()]) == [801]
    assert len(reader.bodies(0, 10_000)) == 801


def test_a_duplicate_key_is_its_own_error(journal: Journal, plan: Plan) -> None:
    journal.commit(submission("demo", plan, "now"))
    with pytest.raises(Duplicate):
        journal.commit(submission("demo", plan, "now"))


def test_a_limit_of_an_account_is_told_once_and_its_end_once(
    journal: Journal, reader: Reader
) -> None:
    """Several terminals and the model gateway find out the same."""
    later, passed = "2999-01-01T00:00:00.000000Z", "2001-01-01T00:00:00.000000Z"

    def refused(until: str, by: LimitKind = LimitKind.USAGE) -> AccountNews:
        return accounts.refused("x", by, until, exact=True, terminal="demo/a/1/")

    again = accounts.serves_again("x", "demo/a/1/")
    assert journal.commit([again]) == []
    assert len(journal.commit([refused(later), refused(later)])) == 1
    assert (reader.account("x").by, reader.account("x").until) == ("usage", later)
    assert len(journal.commit([refused(later, LimitKind.OVERLOAD)])) == 1
    assert len(journal.commit([again, again])) == 1
    assert reader.account("x").by == ""
    assert len(journal.commit([refused(passed), refused(later)])) == 2
    assert len(journal.commit([refused(""), refused("")])) == 0
    assert reader.account("x").until == ""


def test_tries_that_are_refused_one_after_the_other_are_told_once(
    journal: Journal, reader: Reader
) -> None:
    """Each try names its time, which has passed when the next is refused. Hazard 97."""

    def refused(seconds: float, by: LimitKind = LimitKind.OVERLOAD) -> int:
        until = clock.text(clock.wall() + timedelta(seconds=seconds))
        news = accounts.refused("x", by, until, exact=False, terminal="demo/a/1/")
        told = len(journal.commit([news]))
        assert reader.account("x").until == until
        return told

    assert [refused(seconds) for seconds in (-30, -5, -1, 20)] == [1, 0, 0, 0]
    assert refused(-3600, LimitKind.RATE) == 1
    assert refused(-1, LimitKind.RATE) == 1, "the last is over for an hour"
    assert refused(3600, LimitKind.RATE) == 1, "it ends only in an hour"


def test_a_fact_that_cannot_be_encoded_harms_only_its_own_change(journal: Journal) -> None:
    bad = journal.submit([RuntimeStarted(address="runtime/", pid=1, version="\udc80")])
    good = journal.submit([started()])
    with pytest.raises(StoreError):
        bad.result()
    assert good.result() == [1]


def test_a_status_that_is_no_word_is_refused_by_the_database(
    database: Path, journal: Journal, plan: Plan
) -> None:
    journal.commit(submission("demo", plan, "now"))
    stranger = sqlite3.connect(database, isolation_level=None)
    stranger.execute("PRAGMA foreign_keys = 1")
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        stranger.execute("UPDATE terminal SET status = 'notstarted'")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        stranger.execute("INSERT INTO cursor VALUES ('nobody', 'r', 'c')")
    stranger.close()


@pytest.mark.usefixtures("database")
def test_a_full_disk_is_said_takes_nothing_back_and_ends_when_there_is_room(
    journal: Journal, reader: Reader
) -> None:
    journal.commit([started()])
    journal._connection.execute("PRAGMA max_page_count = 1")  # noqa: SLF001
    pages = journal._connection.execute("PRAGMA max_page_count").fetchone()[0]  # noqa: SLF001
    big = RuntimeStarted(address="runtime/", pid=1, version="x" * 4096 * (pages + 50))
    with pytest.raises(Unwritable, match="full"):
        journal.commit([big])
    assert reader.head() == 1
    journal._connection.execute("PRAGMA max_page_count = 1000000")  # noqa: SLF001
    assert journal.commit([big]) == [2]


def test_a_closed_journal_answers(journal: Journal) -> None:
    journal.close()
    with pytest.raises(Unwritable):
        journal.commit([started()])


@pytest.mark.parametrize("closes_after", [0.0, 0.02, 0.05, None])
def test_every_change_is_stored_or_refused_whoever_writes_it_and_when_it_closes(
    database: Path, closes_after: float | None
) -> None:
    told: list[int] = []
    journal = Journal(
        database, lambda stored: told.extend(s.fact.seq for s in stored), lambda _: told.append(0)
    )
    seqs: list[int] = []
    refused: list[StoreError] = []

    def write(number: int) -> None:
        for turn in range(40):
            try:
                if turn % 3:
                    seqs.extend(journal.commit([started(number)]))
                else:
                    seqs.extend(journal.submit([started(number)]).result(30))
            except StoreError as error:
                refused.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(12)]
        for thread in threads:
            thread.start()
        if closes_after is not None:
            time.sleep(closes_after)  # in the middle of it, wherever that is
            journal.close()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(before)
    journal.close()
    assert not any(thread.is_alive() for thread in threads), "a change was never answered"
    assert sorted(seqs) == told == list(range(1, len(told) + 1))
    assert len(seqs) + len(refused) == 12 * 40


def test_facts_are_told_only_after_their_commit(database: Path) -> None:
    """Hazard 18."""
    reader = Reader(database)
    told: list[bool] = []

    def on_commit(_stored: object) -> None:
        told.append(reader.head() == 1)

    journal = Journal(database, on_commit, lambda _: None)
    journal.commit([started()])
    journal.close()
    reader.close()
    assert told == [True]
