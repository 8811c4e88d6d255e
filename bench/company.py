"""A large company at rest: real repositories, rows, hosts and programs.

Launching hundreds of CLIs one after another would take minutes, so the rows are written as a launch
leaves them: workflows `ready`, terminals `waiting`, each program alive under its host.
"""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pygit2

from actors.platform import processes
from actors.pty import records
from actors.pty.ending import end_all_terminals
from actors.pty.spawn import await_ready, spawn
from actors.system.paths import Paths
from bus import address, clock, connection, sockets
from bus.client import Client
from bus.plan import Plan, TaskPlan, TerminalPlan
from bus.status import TerminalStatus, WorkflowStatus
from store.change import Move, Operation, Update
from store.database import create_or_migrate
from store.journal import Journal
from store.submission import submission

ROOT = Path(__file__).resolve().parents[1]
TASKS = 3
"""How many tasks each workflow has. Each task has one terminal."""
WORKFLOWS_OF_A_REPOSITORY = 10
ENV = {"PATH": os.environ["PATH"], "TERM": "xterm-256color"}
USERS_ENV = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
"""A user's environment: compiled modules are kept, which build machines often forbid."""
WHO = pygit2.Signature("A", "a@b", 1, 0)


def repository(path: Path) -> str:
    """Make a repository with a commit on `main`; return its git directory."""
    repo = pygit2.init_repository(str(path), initial_head="main")
    blob = repo.create_blob(b"text\n")
    tree = repo.TreeBuilder()
    tree.insert("file", blob, pygit2.GIT_FILEMODE_BLOB)
    repo.create_commit("refs/heads/main", WHO, WHO, "first", tree.write(), [])
    repo.config["user.name"], repo.config["user.email"] = "A", "a@b"
    return str(Path(repo.path))


class Company:
    """One home with its workflows and running terminals. `close` ends them all."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.root = root
        self.home.mkdir(mode=0o700, parents=True)
        self.ids: list[str] = []
        self.terminals: list[str] = []
        self.hosts: list[subprocess.Popen[bytes]] = []
        self.served: subprocess.Popen[str] | None = None
        self._paths = Paths(self.home, sockets.socket_directory(self.home))
        create_or_migrate(self.home / "callboard.db")

    def hire(
        self, workflows: int, argv: list[str], status: WorkflowStatus = WorkflowStatus.READY
    ) -> None:
        """Add this many workflows, with their terminals started. No runtime may serve meanwhile."""
        journal = Journal(self.home / "callboard.db", lambda _: None, lambda _: None)
        fresh = []
        for number in range(len(self.ids), len(self.ids) + workflows):
            change, started = self._workflow(f"w{number}", number, argv, status)
            journal.commit(change)
            fresh += started
        journal.close()
        for host in fresh:
            await_ready(host, 300.0)
        self.hosts += fresh

    def _workflow(
        self, id: str, number: int, argv: list[str], status: WorkflowStatus
    ) -> tuple[list[Operation], list[subprocess.Popen[bytes]]]:
        path = self.root / f"repo{number // WORKFLOWS_OF_A_REPOSITORY}"
        git_dir = str(path / ".git") if path.exists() else repository(path)
        repo = pygit2.Repository(git_dir)
        main = repo.revparse_single("main").peel(pygit2.Commit)
        plan = Plan(
            name=id,
            repo=str(path),
            max_terminals=10_000,
            cli={"waiter": {"command": argv, "ready": ".*"}},
            task=[
                TaskPlan(
                    id=f"t{task}",
                    branch=f"{id}/t{task}",
                    terminal=[TerminalPlan(cli="waiter", instruction="wait")],
                )
                for task in range(TASKS)
            ],
        )
        change = submission(id, plan, clock.stamp(), git_dir)
        W, T = WorkflowStatus, TerminalStatus  # noqa: N806
        steps = [W.CREATED, W.STARTING, W.READY, W.RUNNING]
        for old, new in itertools.pairwise(steps[: steps.index(status) + 1]):
            change.append(Move("workflow", address.workflow(id), old, new))
        started = []
        for task in plan.task:
            repo.branches.local.create(task.branch, main)
            where, at = address.task(id, task.id), address.terminal(id, task.id, 1)
            worktree = str(self.home / "worktrees" / where.strip("/"))
            Path(worktree).parent.mkdir(parents=True, exist_ok=True)
            branch = repo.references[f"refs/heads/{task.branch}"]
            repo.add_worktree(task.branch.replace("/", "-"), worktree, branch)
            sets = {"base": str(main.id), "tip": str(main.id), "worktree": worktree}
            token = os.urandom(16).hex()
            begun = {"incarnation": 1, "token": token, "shall_run": 1, "gone": 0}
            change += [
                Update("task", where, sets),
                Move("terminal", at, T.NOT_STARTED, T.STARTING, sets=begun),
                Move("terminal", at, T.STARTING, T.WAITING, sets={"launch_over": 1}),
            ]
            started.append(self._host(at, token, argv))
            self.terminals.append(at)
        self.ids.append(id)
        return change, started

    def _host(self, at: str, token: str, argv: list[str]) -> subprocess.Popen[bytes]:
        return spawn(
            self.home / "terminals" / at.strip("/") / "1",
            socket=self._paths.socket(at, 1),
            token=token,
            incarnation=1,
            argv=argv,
            env=ENV,
            cwd=self.root,
            rows=40,
            columns=120,
        )

    # ---- the runtime -------------------------------------------------------------------

    def serve(self, *under: str, options: Sequence[str] = ()) -> int:
        """Start a runtime as a process, below the command `under`; return its pid when it serves.

        `options` are those of `serve`.
        """
        run = [*under, sys.executable, str(ROOT / "run.py")]
        self.served = subprocess.Popen(
            [*run, "serve", "--home", str(self.home), *options],
            stdout=subprocess.PIPE,
            stderr=(self.root / "serve.err").open("a"),
            text=True,
            env={**USERS_ENV, "PYTHONUNBUFFERED": "1"},
        )
        assert self.served.stdout is not None
        first = self.served.stdout.readline()
        if "serves" not in first:
            raise RuntimeError((self.root / "serve.err").read_text())
        return connection.read(self.home).pid

    def client(self) -> Client:
        """Return a client of the runtime."""
        return Client(connection.read(self.home).requests, timeout=120.0)

    def kill(self) -> None:
        """Kill the runtime with `kill -9`."""
        assert self.served is not None
        self.served.kill()
        self.served.communicate()
        self.served = None

    def program(self, at: str) -> records.Identity:
        """Return the identity of the terminal's program and its host."""
        found = records.read_identity(self.home / "terminals" / at.strip("/") / "1")
        assert found is not None
        return found

    def close(self) -> None:
        """End the runtime, the programs and the hosts."""
        if self.served is not None:
            self.kill()
        for at in self.terminals:
            identity = self.program(at)
            if processes.is_alive(identity.program_pid, identity.program_start):
                os.kill(identity.program_pid, 9)
        end_all_terminals(self.home)
        for host in self.hosts:
            host.communicate()

    def __enter__(self) -> "Company":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def cpu_seconds(pid: int, waited: bool = False) -> float:
    """Return the CPU seconds of all threads of a process so far.

    With `waited`, those of the ended children that it has waited for are added.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if waited else 13])) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid: int, what: str = "VmRSS") -> int:
    """Return the memory of a process in kB: `VmRSS`, or `Pss`, which divides shared pages."""
    name = "status" if what.startswith("Vm") else "smaps_rollup"
    for line in Path(f"/proc/{pid}/{name}").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1])
    raise LookupError(what)


def context_switches(pid: int) -> int:
    """Return the voluntary context switches of all threads of a process.

    That is how often a thread slept and was woken.
    """
    return sum(
        int(line.split()[1])
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
        if line.startswith("voluntary_ctxt")
    )


if __name__ == "__main__":  # for use by hand: `python -m bench.company DIRECTORY WORKFLOWS`
    company = Company(Path(sys.argv[1]))
    company.hire(int(sys.argv[2]), ["cat"])
    print(json.dumps({"home": str(company.home), "hosts": [h.pid for h in company.hosts]}))
