"""What the tests at the doors share.

A real repository, a plan whose agents are scripted programs in real terminals, and the command line
as a user types it.
"""

import fcntl
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from actors.command_line.client import daemon
from bus import connection
from bus.client import Client
from bus.errors import Refused
from bus.subscriber import Subscriber

ROOT = Path(__file__).resolve().parents[2]
AGENT = ROOT / "examples" / "scripted_agent.py"
PYTHON = sys.executable

CLI = f"""
[cli.scripted]
command = [{json.dumps(PYTHON)}, {json.dumps(str(AGENT))}]
ready = '^> $'
busy = 'esc to interrupt'
"""


SHELL = """
[cli.shell]
command = ["bash", "--norc", "--noprofile"]
ready = '[$#] $'
env = { PS1 = "$ " }
"""


def shell_plan(repo: Path) -> str:
    """TOML of a plan whose one terminal is a shell."""
    return (
        f'name = "demo"\nrepo = {json.dumps(str(repo))}\ntest = ["true"]\n{SHELL}'
        '[[task]]\nid = "a"\nbranch = "feat/a"\n[[task.terminal]]\ncli = "shell"\n'
        'instruction = "true"\n'
    )


def coder(script: str, **more: Any) -> dict[str, Any]:
    """A terminal that carries out the `$ …` lines of its instruction."""
    return {"cli": "scripted", "instruction": script, **more}


def commit(file: str, text: str, message: str) -> str:
    """An instruction that writes one file and commits it."""
    return f"$<< cat > {file}\n{text}\n<<\n$ git add -A && git commit -q -m '{message}'\n"


def done(file: str, text: str = "x") -> dict[str, Any]:
    return coder(commit(file, text, f"write {file} #done"))


def plan_text(
    repo: Path,
    tasks: dict[str, list[dict[str, Any]]],
    head: str = "",
    tail: str = "",
    keys: dict[str, dict[str, Any]] | None = None,
) -> str:
    """TOML of a plan with one branch `feat/ID` for each task; `keys` are more keys of each."""
    lines = [f'name = "demo"\nrepo = {json.dumps(str(repo))}', head, CLI, tail]
    for id, terminals in tasks.items():
        lines.append(f'[[task]]\nid = "{id}"\nbranch = "feat/{id}"')
        lines += [f"{key} = {_toml(value)}" for key, value in (keys or {}).get(id, {}).items()]
        for terminal in terminals:
            lines.append("[[task.terminal]]")
            lines += [f"{key} = {_toml(value)}" for key, value in terminal.items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


Said = tuple[int, str, str]
"""Exit code, output, errors."""
Call = Callable[..., Said]


class Home:
    """One Callboard home, driven through `run.py` as a user would.

    `prefix` is put before each command (to enter a network namespace), `env` is the user's
    environment.
    """

    def __init__(
        self, path: Path, prefix: list[str] | None = None, env: dict[str, str] | None = None
    ) -> None:
        self.path = path
        self.prefix = prefix or []
        self.env = env
        self.served: subprocess.Popen[str] | None = None

    def run(
        self, *words: str, timeout: float = 90, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.prefix, PYTHON, str(ROOT / "run.py"), *words, "--home", str(self.path)],
            **{"env": self.env, **more},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def command(self, *words: str) -> str:
        """A command as the program prints it: spelled as `run` starts it."""
        return shlex.join([PYTHON, str(ROOT / "run.py"), *words, "--home", str(self.path)])

    def begin(self, *words: str) -> "subprocess.Popen[bytes]":
        """A command that goes on in the background."""
        null = subprocess.DEVNULL
        return subprocess.Popen(
            [*self.prefix, PYTHON, str(ROOT / "run.py"), *words, "--home", str(self.path)],
            stdout=null,
            stderr=null,
            env=self.env,
        )

    def ok(self, *words: str, **more: Any) -> str:
        done = self.run(*words, **more)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.ok(*words, "--json"))

    def serve(self, *words: str) -> "subprocess.Popen[str]":
        """A runtime in the background, with these options; returns when it serves."""
        self.served = subprocess.Popen(
            [*self.prefix, PYTHON, str(ROOT / "run.py"), "serve", *words, "--home", str(self.path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**(self.env or os.environ), "PYTHONUNBUFFERED": "1"},
        )
        assert self.served.stdout is not None
        if sys.platform == "linux":  # what it says further is read when it has ended, or never
            fcntl.fcntl(self.served.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)
        said = ""
        while "callboard serves" not in said:  # its log may come first
            line = self.served.stdout.readline()
            assert line, f"it does not serve: {said}"
            said += line
        return self.served

    def kill(self) -> None:
        """`kill -9` of the runtime."""
        assert self.served is not None
        self.served.kill()
        self.served.wait()

    def row(self, workflow: str = "demo") -> dict[str, Any]:
        """What `ps WORKFLOW --json` shows, without a process for it."""
        with Client(connection.read(self.path).requests) as client:
            found: dict[str, Any] = client.call("workflow.get", workflow=workflow)
            return found

    def status(self, workflow: str = "demo") -> str:
        return str(self.row(workflow)["status"])

    def until(
        self, is_true: Callable[[dict[str, Any]], Any], workflow: str = "demo", timeout: float = 60
    ) -> dict[str, Any]:
        """The workflow's row once `is_true(row)`.

        Looked at after every fact, and now and then for what no fact tells.
        """
        served = connection.read(self.path)
        end = time.monotonic() + timeout
        with Client(served.requests) as client:
            head = client.call("runtime.info")["head"]
            subscriber = Subscriber(served.feed, served.requests, head, workflow)
            try:
                while True:
                    row: dict[str, Any] = client.call("workflow.get", workflow=workflow)
                    if is_true(row):
                        return row
                    if time.monotonic() > end:
                        raise AssertionError(f"never true:\n{self._story(client, workflow)}")
                    subscriber.next(0.2)
            finally:
                subscriber.close()

    def _story(self, client: Client, workflow: str) -> str:
        page = client.call("events.replay", address=f"{workflow}/", limit=10_000)
        return "\n".join(json.dumps(fact)[:300] for fact in page["facts"])

    def facts(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("events", *words)
        return found

    def close(self) -> None:
        if self.prefix or self.env:
            self.run("down", "--terminals")
        else:
            with suppress(Refused):  # it is ending
                daemon.down(self.path, terminals=True)
        if self.served is not None:
            self.served.wait(30)
            if self.served.stdout is not None:
                self.served.stdout.close()


def types(facts: list[dict[str, Any]]) -> list[str]:
    return [fact["type"] for fact in facts]


def moves(facts: list[dict[str, Any]], address: str) -> list[str]:
    """The statuses one address went through, in order."""
    return [f["new"] for f in facts if f["address"] == address and f["type"].endswith(".status")]
