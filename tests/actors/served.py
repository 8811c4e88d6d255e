"""A runtime in the process of the test: asked through its sockets, hurt from within."""

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from actors.host import family
from actors.runtime.runtime import Runtime
from bus import connection
from bus.client import Client
from bus.facts import WorkflowMoved
from bus.subscriber import Subscriber


class Poison:
    """A message that no actor has a handler for."""


class Served:
    """A runtime in this process, asked through its sockets."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.runtime = Runtime(home)
        self.runtime.start()
        self.at = connection.read(home)
        self.client = Client(self.at.requests)
        self.failed = 0

    def poison(self, address: str) -> bool:
        return self.runtime._directory.deliver(address, Poison())  # noqa: SLF001

    def close(self) -> None:
        self.client.close()
        self.runtime.end_terminals = True
        self.runtime.stop()

    def picture(self, names: set[str]) -> str:
        """What stands still, for the message of a failure."""
        rows = [self.client.call("workflow.get", workflow=name) for name in sorted(names)]
        lines = [
            f"{t['address']} {t['status']} shall_run={t['shall_run']}"
            f" launch_over={t['launch_over']} gone={t['gone']} step={t['step']} sent={t['sent']}"
            for row in rows
            for task in row["tasks"]
            for t in task["terminals"]
        ]
        lines += [f"{row['address']} {row['status']} {row['merge']}" for row in rows]
        facts = self.client.call("events.replay", after=0, limit=10_000)["facts"][-40:]
        lines += [json.dumps(fact)[:300] for fact in facts]
        lines += [json.dumps(node) for node in flat(self.client.call("tree.inspect"))]
        return "\n".join(lines)

    def until_status(self, name: str, *wanted: str) -> None:
        """Until a workflow is one of these."""
        self.until(name, lambda row: row["status"] in wanted)

    def until(self, name: str, is_true: Callable[[dict[str, Any]], Any]) -> None:
        """Until a workflow's row is so."""
        subscriber = Subscriber(self.at.feed, self.at.requests, address=f"{name}/")
        try:
            while not is_true(self.client.call("workflow.get", workflow=name)):
                assert subscriber.next(60) is not None, self.picture({name})
        finally:
            subscriber.close()

    def sql(self, statement: str) -> None:
        """As another program that opened the database would."""
        path = self.home / "callboard.db"
        with closing(sqlite3.connect(path, timeout=20)) as database, database:
            database.execute(statement)

    def until_fact(self, type: str, address: str) -> None:
        """Until there is a fact of this type at this address."""
        subscriber = Subscriber(self.at.feed, self.at.requests, address=address)
        try:
            while not any(fact["address"] == address for fact in facts(self, type)):
                assert subscriber.next(60) is not None, f"{type} never came at {address}"
        finally:
            subscriber.close()

    def run_to_the_end(self, names: list[str]) -> list[dict[str, Any]]:
        """Start each when it is ready; return when all are over."""
        subscriber = Subscriber(self.at.feed, self.at.requests)
        open_ones = set(names)
        try:
            while open_ones:
                fact = subscriber.next(60)
                assert fact is not None, self.picture(open_ones)
                name = fact.address.rstrip("/")
                if isinstance(fact, WorkflowMoved) and name in open_ones:
                    if fact.new == "ready":
                        self.client.call("workflow.start", workflow=name)
                    elif fact.new in ("completed", "failed", "cancelled"):
                        open_ones.discard(name)
        finally:
            subscriber.close()
        page = self.client.call("events.replay", after=0, limit=10_000)
        facts: list[dict[str, Any]] = page["facts"]
        return facts


def flat(node: dict[str, Any]) -> list[dict[str, Any]]:
    below = [each for child in node.pop("children") for each in flat(child)]
    return [node, *below]


def lives(pid: int) -> bool:
    """Whether a process is there, and more than a zombie."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"


def until(is_true: Callable[[], Any], seconds: float = 60) -> None:
    """For what no fact tells: the state of processes."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.02)


def submit(served: Served, plan: str) -> str:
    name: str = served.client.call("plan.submit", plan=plan)["id"]
    served.client.call("workflow.prepare", workflow=name)
    return name


def facts(served: Served, type: str) -> list[dict[str, Any]]:
    found = served.client.call("events.replay", after=0, limit=10_000)["facts"]
    return [fact for fact in found if fact["type"] == type]


def workers(name: str) -> list[int]:
    """The worker processes of this runtime whose name begins so."""
    found, me = [], str(os.getpid())
    for pid in [pid for pid, fields in family.living().items() if fields[1] == me]:
        with suppress(FileNotFoundError):
            if f"\0{name}".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found
