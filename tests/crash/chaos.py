"""Random, repeatable disaster.

Several workflows in one home while runtime, hosts, agents and test runs are killed with SIGKILL,
and everything is stopped and continued.

A seed gives the plan of kills; when exactly they strike is the machine's business.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec

from actors.command_line.client.daemon import down
from actors.platform import processes
from actors.pty import records, strays
from actors.pty.ending import end_all_terminals
from bus import connection, sockets
from bus.client import Client, NoAnswer
from bus.errors import Refused
from tests.crash.scene import FINAL
from tests.doors.kit import PYTHON, ROOT, coder, commit, plan_text
from tests.repositories import git, make_repo

OVER = FINAL | {"failed"}


class Chaos:
    """One home with `workflows` workflows, and one seed."""

    def __init__(self, place: Path, seed: int, workflows: int = 3) -> None:
        self.place = place
        self.home = place / "home"
        self.random = random.Random(seed)
        self.names = [f"w{number}" for number in range(workflows)]
        self.repos = {name: make_repo(place / name) for name in self.names}
        self.transcript = place / "transcript"
        self.transcript.touch()
        self.hurt: dict[str, set[str]] = {name: set() for name in self.names}
        self.retried: set[str] = set()
        self.did: list[str] = []
        self.runtime: subprocess.Popen[bytes] | None = None

    def _plan(self, name: str) -> str:
        # The words are input and no argument: a retried agent is shown its predecessor's
        # screen, and carries out what stands there after a `$`.
        note = f"$<< sed s/$/$CALLBOARD_TERMINAL/ >> {self.transcript}\n{name} \n<<\n"
        pause = f"@ sleep {self.random.choice((0, 0.2, 0.5))}\n"
        review = "$ git commit -q --allow-empty -m 'read it #done'\n"
        tasks: dict[str, list[dict[str, Any]]] = {
            "a": [
                coder(note + pause + commit("a", "one", "write a #review")),
                coder(note + pause + review, role="reviewer"),
            ],
            "b": [coder(note + pause + commit("b", "two", "write b #done"))],
        }
        test = 'test = ["sh", "-c", "sleep 0.4; test -e a && test -e b"]'
        text = plan_text(self.repos[name], tasks, head=test)
        return text.replace('name = "demo"', f'name = "{name}"', 1)

    # ---- the user -------------------------------------------------------------------------

    def serve(self) -> None:
        with (self.place / "runtime.log").open("ab") as log:
            self.runtime = subprocess.Popen(
                [PYTHON, str(ROOT / "run.py"), "serve", "--home", str(self.home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def log(self) -> str:
        return (self.place / "runtime.log").read_text(errors="replace")[-4_000:]

    def rows(self) -> dict[str, Any]:
        """The workflows by id, after giving what command it is time for.

        Empty while nobody answers.
        """
        try:
            served = connection.read(self.home)
            with Client(served.requests, timeout=2.0) as client:
                found = {row["id"]: row for row in client.call("workflow.list")}
                for name in self.names:
                    self._advance(client, name, found.get(name))
                return found
        except (connection.NoRuntime, NoAnswer, Refused):
            return {}

    def _advance(self, client: Client, name: str, row: dict[str, Any] | None) -> None:
        try:
            if row is None:
                client.call("plan.submit", timeout=10, plan=self._plan(name), base=str(self.place))
            elif row["status"] == "created":
                client.call("workflow.prepare", workflow=name)
            elif row["status"] == "ready":
                client.call("workflow.start", workflow=name)
            elif row["status"] == "failed" and name not in self.retried:
                self._retry(client, name, row)
        except Refused as refused:
            self.did.append(f"refused {name}: {refused}")

    def _retry(self, client: Client, name: str, row: dict[str, Any]) -> None:
        """Half of the failed ones get a second chance."""
        self.retried.add(name)
        for task in row["tasks"]:
            if task["status"] == "failed" and self.random.random() < 0.5:
                self.did.append(f"retry {task['address']}")
                client.call("task.retry", task=task["address"])

    # ---- disaster -------------------------------------------------------------------------

    def strike(self) -> None:
        what = self.random.choice(("runtime", "runtime", "runtime", "host", "program", "stop"))
        match what:
            case "runtime":
                self.kill_runtime()
            case "stop":
                self.stop_and_continue()
            case _:
                self._kill_one(what)

    def kill_runtime(self) -> None:
        assert self.runtime is not None
        self._must_be_alive()
        self.runtime.kill()
        self.runtime.wait()
        self.did.append("kill runtime")
        time.sleep(self.random.choice((0.0, 0.1, 0.7)))
        self.serve()

    def _must_be_alive(self) -> None:
        assert self.runtime is not None
        code = self.runtime.poll()
        assert code is None, f"the runtime ended by itself with {code}\n{self.log()}"

    def _living(self) -> list[records.FoundHost]:
        found = records.find_hosts(self.home / "terminals")
        return [each for each in found if each.alive and each.identity and not each.exit]

    def _kill_one(self, what: str) -> None:
        living = self._living()
        if not living:
            return
        victim = self.random.choice(living)
        identity = victim.identity
        assert identity is not None
        pid, start = (
            (identity.host_pid, identity.host_start)
            if what == "host"
            else (identity.program_pid, identity.program_start)
        )
        if processes.is_alive(pid, start):
            where = str(victim.directory.relative_to(self.home / "terminals"))
            name = next(n for n in self.names if n in where.split("/"))
            self.hurt[name].add(where)
            self.did.append(f"kill {what} {where}")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop_and_continue(self) -> None:
        """What a closed lid does: everything stops, and goes on later."""
        assert self.runtime is not None
        pids = [self.runtime.pid]
        for each in self._living():
            assert each.identity is not None
            pids += [each.identity.host_pid, each.identity.program_pid]
        for signo in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signo)
            time.sleep(0.5 if signo == signal.SIGSTOP else 0)
        self.did.append(f"stop and continue {len(pids)} processes")

    # ---- the course -------------------------------------------------------------------------

    def run(self, strikes: int, timeout: float = 120.0) -> dict[str, Any]:
        """Strike so often, then leave it alone until every workflow is over."""
        self.serve()
        deadline = time.monotonic() + timeout
        next_strike = time.monotonic() + 1.0
        while True:
            if strikes and time.monotonic() > next_strike:
                self.strike()
                strikes -= 1
                next_strike = time.monotonic() + self.random.uniform(0.05, 1.5)
            rows = self.rows()
            self._must_be_alive()
            if (
                not strikes
                and len(rows) == len(self.names)
                and all(map(self._is_over, rows.values()))
            ):
                return rows
            if time.monotonic() > deadline:
                states = {name: (row["status"], row["reason"]) for name, row in rows.items()}
                raise AssertionError(f"not over after {timeout:g} s: {states}\n{self.log()}")
            time.sleep(0.05)

    def _is_over(self, row: dict[str, Any]) -> bool:
        if row["status"] == "failed" and row["id"] not in self.retried:
            return False
        terminals = [t for task in row["tasks"] for t in task["terminals"]]
        return row["status"] in OVER and all(
            t["gone"] or t["status"] == "waiting" for t in terminals
        )

    # ---- what must hold ---------------------------------------------------------------------

    def check(self, rows: dict[str, Any]) -> None:
        facts = self.facts()
        assert [f["seq"] for f in facts] == list(range(1, len(facts) + 1)), "seq"
        for name in self.names:
            self._check_workflow(name, rows[name], facts)
        lines = self.transcript.read_text().split("\n")[:-1]
        assert len(lines) == len(set(lines)), f"an instruction was typed twice: {sorted(lines)}"
        sent = [
            (f["address"], f["incarnation"], f["step"])
            for f in facts
            if f["type"] == "instruction.sent"
        ]
        assert len(sent) == len(set(sent)), f"told twice: {sent}"

    def _check_workflow(self, name: str, row: dict[str, Any], facts: list[Any]) -> None:
        mine = [f for f in facts if f["address"].startswith(f"{name}/")]
        seen = [f["commit"] for f in mine if f["type"] == "commit.seen"]
        assert len(seen) == len(set(seen)), "a commit was told twice"
        repo = self.repos[name]
        stood = git(repo, "reflog", "show", "--format=%H", "main").split()
        first = git(repo, "rev-list", "--max-parents=0", "main")
        green = {f["commit"] for f in mine if f["type"] == "merge.tested" and f["passed"]}
        assert set(stood) <= green | {first}, (stood, green)
        assert git(repo, "status", "--porcelain") == ""
        if row["status"] == "completed":
            assert stood[0] in green
            assert (repo / "a").exists()
            assert (repo / "b").exists()
        else:
            assert row["status"] == "failed", row["status"]
            assert row["reason"], "failed without a reason"
            assert self.hurt[name], f"{name} failed, but nobody hurt it: {row['reason']}"

    def facts(self) -> list[dict[str, Any]]:
        import sqlite3

        database = sqlite3.connect(self.home / "callboard.db", timeout=10)
        try:
            found = database.execute("SELECT body FROM fact ORDER BY seq")
            return [msgspec.json.decode(body) for (body,) in found]
        finally:
            database.close()

    def end(self) -> None:
        """`down --terminals`, and then nothing is left."""
        down(self.home, terminals=True)
        assert self.runtime is not None
        assert self.runtime.wait(30) == 0, self.log()
        assert processes_of(self.home) == []

    def clean_up(self) -> None:
        if self.runtime is not None and self.runtime.poll() is None:
            self.runtime.kill()
            self.runtime.wait()
        end_all_terminals(self.home)
        shutil.rmtree(sockets.socket_directory(self.home), ignore_errors=True)


def processes_of(home: Path) -> list[str]:
    """Command lines of processes that have to do with a home.

    By arguments, directory, or the token of one of its terminals. Linux; elsewhere by token only.
    """
    tokens = {
        found.identity.token
        for found in records.find_hosts(home / "terminals")
        if found.identity is not None
    }
    left = [f"{pid} carries a token" for token in tokens for pid in strays.marked(token)]
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = str((entry / "cwd").readlink())
            if f"{home}/" in f"{words}{where}/" or words.endswith(f"{home} "):
                left.append(f"{entry.name} {words}")
    return left
