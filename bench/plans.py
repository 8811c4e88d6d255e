"""Whole plans with quick programs, submitted to a runtime as a user submits them."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench.company import Company, cpu_seconds, repository
from bus import connection
from bus.facts import AnyFact
from bus.subscriber import Subscriber

AGENT = r"""
printf '> '
while read -r line; do
  printf '* esc to interrupt'
  echo "$line" > "${PWD##*/}"
  git add -A && git commit -q -m "$line #done"
  printf '\033[2J\033[H> '
done
"""
"""An agent in `sh`: it writes a file, commits it, and takes the next line."""

CLI = f"""
[cli.quick]
command = ["sh", "-c", {json.dumps(AGENT)}]
ready = '^> $'
busy = 'esc to interrupt'
"""


def plan_text(name: str, repo: Path, tasks: int, head: str = "") -> str:
    """Return a plan of this many tasks, each with one quick terminal."""
    lines = [f'name = "{name}"\nrepo = {json.dumps(str(repo))}\n{head}', CLI]
    for number in range(tasks):
        lines.append(
            f'[[task]]\nid = "t{number}"\nbranch = "{name}/t{number}"\n'
            '[[task.terminal]]\ncli = "quick"\ninstruction = "work"\n'
        )
    return "\n".join(lines)


class Office:
    """A runtime that serves a new home, beside one repository. `close` ends it with its hosts."""

    def __init__(self, root: Path) -> None:
        self.company = Company(root)
        self.repo = root / "repo"
        self.git_dir = repository(self.repo)
        self.pid = self.company.serve()

    def submit(self, text: str) -> str:
        """Submit a plan; return the workflow's id."""
        with self.company.client() as client:
            return str(client.call("plan.submit", plan=text)["workflow"])

    def call(self, type: str, **fields: Any) -> Any:
        """Send a request; return its result."""
        with self.company.client() as client:
            return client.call(type, **fields)

    def until(self, is_true: Callable[[AnyFact], bool], seconds: float = 300.0) -> AnyFact:
        """Return the first fact of the whole journal for which `is_true`."""
        for fact in self.facts(seconds):
            if is_true(fact):
                return fact
        raise AssertionError("the facts end with an error")

    def facts(self, seconds: float = 300.0) -> Iterable[AnyFact]:
        """Yield all facts from the first on. Raise `TimeoutError` after so long a silence."""
        served = connection.read(self.company.home)
        subscriber = Subscriber(served.feed, served.requests)
        try:
            while (fact := subscriber.next(seconds)) is not None:
                yield fact
        finally:
            subscriber.close()
        raise TimeoutError("no fact came")

    def cpu(self) -> float:
        """Return the CPU seconds of the runtime, its workers, and the children that have ended."""
        return cpu_of_family(self.pid)

    def close(self) -> None:
        """End the runtime and every program."""
        self.company.close()

    def __enter__(self) -> "Office":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def cpu_of_family(pid: int) -> float:
    """Return the CPU seconds of a process, its children, and those that it has waited for."""
    total = 0.0
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            try:
                total += cpu_seconds(int(child))
            except OSError:
                continue  # it has ended, and is counted with those waited for
    return total + cpu_seconds(pid, waited=True)


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def wait_for(is_true: Callable[[], bool], seconds: float) -> None:
    """Look every 50 ms until something is true."""
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)
