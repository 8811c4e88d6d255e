"""Databases of version 0.1.0 get this program's schema, and their workflows go on.

There is one in every status, and in each stage of a merge.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bus import requests
from bus.facts import RepairOffered
from bus.rows import Merge, Workflow
from bus.status import MergeStage, WorkflowStatus
from store.database import create_or_migrate
from store.reader import Reader
from tests.actors.workflow.decisions.decisions_world import World

OLD = Path(__file__).with_name("version_0_1_0")
SCENES = sorted(file.stem for file in OLD.glob("*_*.sql")) + [
    file.stem for file in OLD.glob("*.sql") if "_" not in file.stem and file.stem != "schema"
]
STAGES = {
    "merging_building": MergeStage.BUILDING,
    "merging_building_told": MergeStage.BUILDING,
    "merging_conflict_told": MergeStage.BUILDING,
    "merging_resolved": MergeStage.BUILDING,
    "merging_testing": MergeStage.TESTING,
    "merging_testing_again": MergeStage.TESTING,
    "merging_testing_told": MergeStage.TESTING,
    "merging_tested": MergeStage.TESTING,
    "merging_landing": MergeStage.LANDING,
    "merging_landing_told": MergeStage.LANDING,
    "merging_moved": MergeStage.LANDING,
    "merging_checkout": MergeStage.CHECKOUT,
    "merging_conflict": MergeStage.CONFLICT,
    "merging_resolving": MergeStage.CONFLICT,
    "merging_by_hand": MergeStage.BY_HAND,
    "merging_checking": MergeStage.CHECKING,
    "merging_checking_told": MergeStage.CHECKING,
    "merging_checking_repair": MergeStage.CHECKING,
    "merging_repair": MergeStage.REPAIR,
}
GO_ON: dict[str, requests.Command] = {
    "failed_prepare": requests.WorkflowPrepare(workflow="demo"),
    "failed_task": requests.TaskRetry(task="demo/a/"),
    "failed_tests": requests.WorkflowRepair(workflow="demo", cli="fixer"),
    "failed_merge": requests.MergeContinue(workflow="demo"),
}


def old_database(path: Path, scene: str) -> Path:
    """Make the database of a scene at `path`, as version 0.1.0 left it."""
    with closing(sqlite3.connect(path)) as database:
        for part in ("schema", scene):
            database.executescript((OLD / f"{part}.sql").read_text())
        database.commit()
    return path


def as_it_was(path: Path) -> dict[str, dict[str, object]]:
    """The rows of a database, by table and key, as they are stored."""
    keys = {"workflow": "id", "task": "address", "terminal": "address"}
    rows = {}
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        for table, key in keys.items():
            for row in database.execute(f"SELECT * FROM {table}"):
                rows[f"{table} {row[key]}"] = dict(row)
    return rows


def migrated(path: Path) -> Workflow:
    create_or_migrate(path)
    reader = Reader(path)
    try:
        workflow = reader.workflow("demo")
    finally:
        reader.close()
    assert workflow is not None
    return workflow


def world_of(path: Path) -> World:
    """The simulated world, in the state that the database is in."""
    reader = Reader(path)
    try:
        world = World(reader.plan("demo"))
        state = reader.workflow("demo")
        assert state is not None
        world.state, world.head = state, reader.head()
        world.queue = [*reader.unhandled("demo", state.handled)]
        told = reader.newest("demo/", 1_000)
        world.offer = next((f for f in told if isinstance(f, RepairOffered)), None)
    finally:
        reader.close()
    world.target = state.merge.base or world.target
    world.commits = 1_000  # other ids than those that are there
    world.green = {state.merge.commit}
    return world


def test_every_status_and_every_stage_has_a_database() -> None:
    assert {scene.split("_")[0] for scene in SCENES} == set(WorkflowStatus)
    assert set(STAGES.values()) | {MergeStage.IDLE} == set(MergeStage)
    assert set(STAGES) == {scene for scene in SCENES if scene.startswith("merging")}


@pytest.mark.parametrize("scene", SCENES)
def test_a_database_of_the_first_version_says_the_same(tmp_path: Path, scene: str) -> None:
    path = old_database(tmp_path / "callboard.db", scene)
    before = as_it_was(path)
    old = before["workflow demo"]
    merge = migrated(path).merge
    after = as_it_was(path)
    assert before.keys() == after.keys()
    for name, row in after.items():
        kept = {column: value for column, value in row.items() if column in before[name]}
        assert kept == {column: before[name][column] for column in kept}, name
    assert merge.stage == STAGES.get(scene, MergeStage.IDLE)
    assert (merge.base, merge.commit, merge.round) == (
        old["merge_base"],
        old["merge_commit"],
        old["merge_round"],
    )
    assert (merge.commit_time, merge.queued) == (old["merge_at"], old["merge_at"])
    assert merge.carried == old["merge_resolved"]
    assert bool(merge.repaired) == (scene == "merging_checking_repair")
    assert bool(merge.resolution) == (
        scene in ("merging_resolved", "merging_checking", "merging_checking_told")
    )


@pytest.mark.parametrize("scene", SCENES)
def test_its_workflow_goes_on_to_the_end(tmp_path: Path, scene: str) -> None:
    """Each step of the merger is told once: `World` refuses a second time."""
    path = old_database(tmp_path / "callboard.db", scene)
    before = migrated(path)
    world = world_of(path)
    if scene in GO_ON:
        assert world.order(GO_ON[scene])
    if scene == "cancelled":
        world.settle()
        assert world.status() == WorkflowStatus.CANCELLED
    else:
        world.finish(WorkflowStatus.COMPLETED)
    assert before.status == scene.split("_")[0]


@pytest.mark.parametrize("scene", [s for s in STAGES if s.endswith("_told")])
def test_a_step_that_was_told_is_not_told_again(tmp_path: Path, scene: str) -> None:
    merge = migrated(old_database(tmp_path / "callboard.db", scene)).merge
    told = {
        "merging_building_told": "MergeStarted",
        "merging_conflict_told": "MergeConflict",
        "merging_testing_told": "MergeTested",
        "merging_landing_told": "MergeLanded",
        "merging_checking_told": "ResolutionJudged",
    }
    assert merge.told == merge.step(told[scene])


def test_the_schema_is_that_of_a_new_database(tmp_path: Path) -> None:
    old = old_database(tmp_path / "old.db", "merging_conflict")
    create_or_migrate(old)
    create_or_migrate(tmp_path / "new.db")
    assert schema(old) == schema(tmp_path / "new.db")


def schema(path: Path) -> dict[str, object]:
    """Return columns, checks, foreign keys and indexes of each table.

    A column that was added later stands last, so their order does not count.
    """
    found: dict[str, object] = {}
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        for table, sql in tables.fetchall():
            columns = {row[1:] for row in database.execute(f"PRAGMA table_info('{table}')")}
            keys = {row[2:] for row in database.execute(f"PRAGMA foreign_key_list('{table}')")}
            flat = " ".join(sql.split())
            found[table] = (columns, keys, set(re.findall(r"CHECK \([^)]*\)\)", flat)))
        indexes = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
        found["indexes"] = set(indexes.fetchall())
        assert not database.execute("PRAGMA foreign_key_check").fetchall()
    return found


def test_a_word_that_no_stage_or_role_has_is_refused(tmp_path: Path) -> None:
    path = old_database(tmp_path / "callboard.db", "merging_conflict")
    migrated(path)
    with closing(sqlite3.connect(path)) as database:
        for statement in ("UPDATE merge SET stage = 'x'", "UPDATE terminal SET role = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
                database.execute(statement)
    assert Merge().stage == MergeStage.IDLE
