"""A small real workflow that is run with and without a death of its runtime.

This module also says what must be the same both times.

Two tasks, one with a review; a merge, its tests, the landing. The agents are programs in
real terminals; each notes in a transcript what it was told to do, so that an instruction
that was typed twice stands there twice.
"""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from actors.pty.ending import end_all_terminals, running_hosts
from bus import connection, sockets
from bus.client import Client, NoAnswer
from bus.errors import Refused
from tests.doors.kit import PYTHON, coder, commit, plan_text
from tests.repositories import git, make_repo

HERE = Path(__file__).resolve().parent
FINAL = {"completed", "failed", "cancelled"}
DEPENDS_ON_CRASHES = ("runtime.", "terminal.adopted", "actor.")
"""Facts about the runtime itself; all others must be the same with and without a crash."""


class Scene:
    """One home, one repository, one workflow, and the runtime that is killed."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.home = place / "home"
        self.repo = make_repo(place / "repo")
        self.transcript = place / "transcript"
        self.trace = place / "trace"
        self.plan = plan_text(self.repo, self._tasks(), head=self._head(), keys=self._keys())
        self.runtime: subprocess.Popen[bytes] | None = None
        self.deaths = 0
        place.joinpath("bin").mkdir()
        shim = place / "bin" / "git"
        shim.write_text(f'#!/bin/sh\nexec {PYTHON} -IS {HERE / "shim_git.py"} "$@"\n')
        shim.chmod(0o755)

    def _note(self, who: str) -> str:
        return f"$ echo {who} >> {self.transcript}\n"

    def _tasks(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "a": [
                coder(self._note("a/1") + commit("a", "one", "write a #review")),
                coder(
                    self._note("a/2") + "$ git commit -q --allow-empty -m 'read it #done'\n",
                    role="reviewer",
                ),
            ],
            "b": [coder(self._note("b/1") + commit("b", "two", "write b #done"))],
        }

    def _keys(self) -> dict[str, dict[str, Any]]:
        """More keys of the tasks."""
        return {}

    def _head(self) -> str:
        return 'test = ["sh", "-c", "test -e a && test -e b"]'

    # ---- the runtime -----------------------------------------------------------------------

    def serve(self, doom: str = "") -> None:
        """Start a runtime that will die at the point `doom`."""
        env = {**os.environ, "DOOM": doom, "DOOM_TRACE": str(self.trace), "PYTHONFAULTHANDLER": "1"}
        env["CALLBOARD_GIT_ENV"] = "DOOM*, REAL_GIT"
        if doom.startswith("ref."):
            env["PATH"] = f"{self.place / 'bin'}:{env['PATH']}"
            env["REAL_GIT"] = shutil.which("git") or "git"
            env["DOOM_LOCK"] = str(self.home / "lock")
        with (self.place / "runtime.log").open("ab") as log:
            self.runtime = subprocess.Popen(
                [sys.executable, str(HERE / "doomed.py"), str(self.home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
            )

    def log(self) -> str:
        return (self.place / "runtime.log").read_text(errors="replace")[-6_000:]

    def _is_down(self) -> bool:
        assert self.runtime is not None
        if self.runtime.poll() is None:
            return False
        code = self.runtime.returncode
        assert code == -signal.SIGKILL, f"the runtime ended with {code}\n{self.log()}"
        self.deaths += 1
        return True

    def play(self, doom: str = "", timeout: float = 90.0) -> None:
        """Submit, prepare, start, wait for the end.

        Whenever the runtime is dead, start one that is not doomed.
        """
        self.serve(doom)
        deadline = time.monotonic() + timeout
        while not self._is_over():
            if self._is_down():
                self.serve()
            if time.monotonic() > deadline:
                raise AssertionError(f"not over after {timeout:g} s: {self.row()}\n{self.log()}")

    def _is_over(self) -> bool:
        """One step of the user: look, and give the next command if it is time for one."""
        try:
            served = connection.read(self.home)
        except connection.NoRuntime:
            time.sleep(0.02)
            return False
        with Client(served.requests, timeout=0.5) as client:
            try:
                return self._advance(client)
            except (NoAnswer, Refused):
                return False

    def _advance(self, client: Client) -> bool:
        found = client.call("workflow.list")
        if not found:
            # A worker process checks the plan. An impatient user would submit it twice.
            client.call("plan.submit", timeout=10, plan=self.plan, base=str(self.place))
            return False
        if found[0]["status"] in ("created", "ready"):
            verb = "prepare" if found[0]["status"] == "created" else "start"
            client.call(f"workflow.{verb}", workflow=found[0]["id"])
        if found[0]["status"] in FINAL and self.row().get("tidied"):
            return True
        time.sleep(0.03)
        return False

    def end(self) -> None:
        """A clean stop, which must be one."""
        assert self.runtime is not None
        self.runtime.terminate()
        code = self.runtime.wait(30)
        if code == -signal.SIGKILL:  # its point came only now
            self.deaths += 1
        else:
            assert code == 0, self.log()

    def clean_up(self) -> None:
        """Leave nothing running, whatever happened."""
        if self.runtime is not None and self.runtime.poll() is None:
            self.runtime.kill()
            self.runtime.wait()
        end_all_terminals(self.home)
        place = sockets.socket_directory(self.home)
        shutil.rmtree(place, ignore_errors=True)

    # ---- what is there at the end -------------------------------------------------------------

    def query(self, sql: str) -> list[dict[str, Any]]:
        database = sqlite3.connect(self.home / "callboard.db", timeout=10)
        database.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in database.execute(sql)]
        except sqlite3.OperationalError:
            return []
        finally:
            database.close()

    def row(self) -> dict[str, Any]:
        return next(iter(self.query("SELECT * FROM workflow")), {})

    def facts(self) -> list[dict[str, Any]]:
        rows = self.query("SELECT seq, body FROM fact ORDER BY seq")
        facts = [msgspec.json.decode(row["body"]) for row in rows]
        assert [f["seq"] for f in facts] == list(range(1, len(facts) + 1)), "seq has a gap"
        assert [f["seq"] for f in facts] == [row["seq"] for row in rows]
        return facts

    def result(self) -> dict[str, Any]:
        """Everything that must not depend on crashes, without times and object ids."""
        facts = self.facts()
        seen = [f["commit"] for f in facts if f["type"] == "commit.seen"]
        assert len(seen) == len(set(seen)), f"a commit was told twice: {seen}"
        _check_landing(facts, git(self.repo, "rev-parse", "main"))
        return {
            "rows": self._rows(),
            "moves": _moves(facts),
            "facts": _kinds(facts),
            "instructions": sorted(
                (f["address"], f["incarnation"], f["step"])
                for f in facts
                if f["type"] == "instruction.sent"
            ),
            "transcript": sorted(self.transcript.read_text().split()),
            "tree": git(self.repo, "rev-parse", "main^{tree}"),
            "refs": git(self.repo, "for-each-ref", "--format=%(refname)").split(),
            "subjects": sorted(git(self.repo, "log", "--format=%s", "main").split("\n")),
            "checkout": git(self.repo, "status", "--porcelain"),
            "files": sorted(p.name for p in self.repo.iterdir()),
            "worktrees": len(git(self.repo, "worktree", "list").split("\n")),
            "left": [repr(found) for found in running_hosts(self.home)],
        }

    def _rows(self) -> dict[str, Any]:
        """The rows' columns, but for those that name times, ids and this directory."""
        rows = {}
        keys = {"workflow": "id", "merge": "workflow", "task": "address", "terminal": "address"}
        for table, key in keys.items():
            for row in self.query(f"SELECT * FROM {table}"):
                kept = {name: _plain(value) for name, value in row.items() if name not in _VARY}
                rows[f"{table} {row[key]}"] = kept
        return rows


_VARY = {"repo", "git_dir", "plan", "handled", "created", "queued", "commit_time"} | {
    "worktree", "token", "instruction", "working_since", "working_clock", "base", "tip",
}  # fmt: skip


def _plain(value: Any) -> Any:
    return re.sub(r"\b[0-9a-f]{7,40}\b", "OID", value) if isinstance(value, str) else value


def _moves(facts: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The statuses each address went through, in order."""
    moves: dict[str, list[str]] = {}
    for fact in facts:
        if fact["type"].endswith(".status"):
            moves.setdefault(fact["address"], []).append(fact["new"])
    return moves


def _kinds(facts: list[dict[str, Any]]) -> dict[str, int]:
    """How often each kind of fact was told of each address."""
    kept = [f for f in facts if not f["type"].startswith(DEPENDS_ON_CRASHES)]
    return dict(sorted(Counter(f"{f['address']} {f['type']}" for f in kept).items()))


def _check_landing(facts: list[dict[str, Any]], main: str) -> None:
    """What is on the target was tested, exactly."""
    green = {f["commit"] for f in facts if f["type"] == "merge.tested" and f["passed"]}
    landed = [f["new"] for f in facts if f["type"] == "merge.landed"]
    assert len(landed) == 1, landed
    assert landed[0] == main, (landed, main)
    assert main in green, (main, green)
