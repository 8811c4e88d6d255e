"""Make the databases of version 0.1.0 beside this file, as SQL, with the code of that version.

`python -m tests.store.version_0_1_0.make` in a clone that has the commit. The workflows are played
by the simulated world of that version's tests; each change goes into a real journal.
"""

import io
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

VERSION = "e3a0b3a"
HERE = Path(__file__).resolve().parent
WORLD = "tests/actors/decisions"


def main() -> None:
    """Unpack the old version, and run this file there."""
    for old in HERE.glob("*.sql"):
        old.unlink()
    packed = subprocess.run(
        ["git", "archive", VERSION], cwd=HERE.parents[2], check=True, capture_output=True
    ).stdout
    with tempfile.TemporaryDirectory() as place:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(place, filter="data")
        script = Path(place, "make_old.py")
        script.write_bytes(Path(__file__).read_bytes())
        subprocess.run(
            [sys.executable, str(script), str(HERE)],
            cwd=place,
            env={"PYTHONPATH": f"{place}:{Path(place, WORLD)}"},
            check=True,
        )


def inside(directory: Path) -> None:
    """Play each scene with the code of the old version, and dump its database."""
    for name, scene in _scenes().items():
        with tempfile.TemporaryDirectory() as place:
            path = Path(place, "callboard.db")
            _play(path, scene)
            schema, rows = _dump(path)
        directory.joinpath("schema.sql").write_text(schema)
        directory.joinpath(f"{name}.sql").write_text(rows)


def _dump(path: Path) -> tuple[str, str]:
    """Return the statements that make the schema, and those that fill it.

    Bytes, all of them JSON here, are written as text.
    """
    with closing(sqlite3.connect(path)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        made = database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        schema = [f"{sql};" for (sql,) in made] + [f"PRAGMA user_version = {version};", ""]
        rows = [
            f"INSERT INTO {table} VALUES ({', '.join(map(_literal, row))});"
            for table in ("workflow", "task", "terminal", "fact")
            for row in database.execute(f"SELECT * FROM {table} ORDER BY rowid")
        ]
    return "\n".join(schema), "\n".join([*rows, ""])


def _literal(value: object) -> str:
    if isinstance(value, bytes):
        return f"CAST({_literal(value.decode())} AS BLOB)"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "NULL" if value is None else repr(value)


def _play(path: Path, scene: Callable[[], object]) -> None:
    import decisions_scene  # type: ignore[import-not-found]
    import decisions_world  # type: ignore[import-not-found]

    from store.database import create_or_migrate
    from store.journal import Journal

    create_or_migrate(path)
    journal = Journal(path, lambda _stored: None, lambda _why: None)
    decisions_scene.World = lambda plan: decisions_world.World(plan, journal.commit)
    try:
        scene()
    finally:
        journal.close()


def _scenes() -> dict[str, Callable[[], object]]:
    """Return a workflow in each status, and a merge in each of its stages.

    `…_told` ends with a fact of the merger on which nobody has decided yet.
    """
    import decisions_scene as s

    status = s.WorkflowStatus

    def finished(last: Any, *lines: str, **settings: Any) -> Any:
        world = s.created(*(lines or ("coder",)), **settings)
        world.finish(last)
        return world

    def ordered(world: Any, command: Any) -> Any:
        assert world.order(command)
        return world

    def observed(world: Any, *steps: str, told: str = "") -> Any:
        for step in steps:
            s.observes(world, step)
        if told:
            dict(world.merger_steps())[told]()
        return world

    def said(world: Any, task: str, verdict: str) -> Any:
        s.says(world, task, verdict)
        return world

    def spoken(world: Any) -> Any:
        s.merge_says(world, "done")
        return world

    def merging(*steps: str, told: str = "", **settings: Any) -> Any:
        return observed(s.merging("coder", **settings), *steps, told=told)

    def landing(**how: str) -> Any:
        world = merging("builds", "tests green")
        world.store([s_update("merge_waits", "landing")])
        return observed(world, **how)

    def s_update(column: str, value: str) -> Any:
        from store.change import Update

        return Update("workflow", "demo", {column: value})

    def rolled_back() -> Any:
        world = s.created("coder")
        assert world.order(s.PREPARE)
        world.fail_launch(world.find("demo/a/1/"))
        world.settle(merger=False)
        return world

    def resolved() -> Any:
        return observed(spoken(s.resolving()), "accepts the resolution")

    def repairing() -> Any:
        return ordered(merging("builds", "tests red", error=s.ERROR), s.REPAIR)

    def mended() -> Any:
        world = repairing()
        world.settle(merger=False)
        return spoken(world)

    return {
        "created": lambda: s.created("coder"),
        "starting": lambda: ordered(s.created("coder"), s.PREPARE),
        "ready": lambda: finished(status.READY),
        "running": lambda: s.running("coder reviewer", "coder"),
        "running_review": lambda: said(s.running("coder reviewer"), "a", "review"),
        "running_told": lambda: s.running("coder").commit("demo/a/", "done"),
        "paused": lambda: ordered(s.running("coder"), s.PAUSE),
        "completed": lambda: finished(status.COMPLETED),
        "cancelled": lambda: ordered(s.running("coder"), s.STOP),
        "failed_prepare": rolled_back,
        "failed_task": lambda: said(s.running("coder"), "a", "fail"),
        "failed_tests": lambda: merging("builds", "tests red"),
        "failed_merge": lambda: ordered(merging("finds a conflict"), s.ABORT),
        "merging_building": merging,
        "merging_building_told": lambda: merging(told="builds"),
        "merging_conflict_told": lambda: merging(told="finds a conflict"),
        "merging_testing": lambda: merging("builds"),
        "merging_testing_again": lambda: merging("builds", "tests red", test_retries=1),
        "merging_testing_told": lambda: merging("builds", told="tests green"),
        "merging_tested": lambda: merging("builds", "tests green"),
        "merging_landing": landing,
        "merging_landing_told": lambda: landing(told="lands"),
        "merging_moved": lambda: landing(told="target moved"),
        "merging_checkout": lambda: merging("builds", "tests green", "lands but for a checkout"),
        "merging_conflict": lambda: merging("finds a conflict"),
        "merging_by_hand": lambda: ordered(merging("finds a conflict"), s.CONTINUE),
        "merging_resolving": s.resolving,
        "merging_checking": lambda: spoken(s.resolving()),
        "merging_checking_told": lambda: observed(
            spoken(s.resolving()), told="accepts the resolution"
        ),
        "merging_resolved": resolved,
        "merging_repair": repairing,
        "merging_checking_repair": mended,
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        inside(Path(sys.argv[1]))
    else:
        main()
