"""A disk that can lose its power: an ext4 file system in a file, shut down without its journal.

`EXT4_IOC_SHUTDOWN` with `NOLOGFLUSH` is what the file system's own tests use: from then on nothing
reaches the disk, and what was not synced before is gone when it is mounted again. The runtime and
all that it has started are killed right after it. Root is needed.
"""

import fcntl
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec

from actors.host import family
from bus import connection, sockets
from bus.client import Client, NoAnswer
from bus.errors import Refused
from bus.subscriber import Subscriber
from tests.doors.kit import Home, coder, commit, plan_text
from tests.repositories import git, make_repo

_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
_NOLOGFLUSH = 2
MOMENTS = (
    *("workflow.status", "task.status", "instruction.sent", "commit.seen", "terminal.exited"),
    *("merge.started", "merge.tested", "merge.landed", "merge.landed", "merge.landed"),
)
"""The kinds of fact after which the power may go; a landing is tried most often."""


def why_not() -> str:
    """What is missing for a power cut on this machine; empty when nothing is."""
    if os.geteuid() != 0:
        return "only root may mount a disk and cut its power"
    tools = ("mkfs.ext4", "mount", "losetup")
    missing = [name for name in tools if shutil.which(name) is None]
    if missing:
        return f"there is no {missing[0]}"
    return "" if Path("/dev/loop-control").exists() else "there is no loop device"


def kill_below(leader: int) -> None:
    """SIGKILL for all that descends from a process which lives: they stay its descendants.

    First they are stopped, so that none begins another in between.
    """
    for signo in (signal.SIGSTOP, signal.SIGSTOP, signal.SIGKILL):
        for member in family.members(leader, leader):
            family.send(member, signo)


class Disk:
    """One file system in a file, mounted at `path`."""

    def __init__(self, place: Path) -> None:
        self._image = place / "disk.img"
        self.path = place / "disk"
        self.path.mkdir()
        with self._image.open("wb") as file:
            file.truncate(192 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self._image)], check=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self._image), str(self.path)], check=True)

    def cut(self) -> None:
        """The power goes: nothing that is written from here on reaches the disk."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NOLOGFLUSH))
        finally:
            os.close(fd)

    def unmount(self) -> None:
        """Return when the file system is gone.

        A mount while a process that was killed still has a file of it open would find it as it was
        in memory.
        """
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)
        for _ in range(400):
            loops = subprocess.run(
                ["losetup", "-j", str(self._image)], capture_output=True, check=True
            )
            if not loops.stdout:
                return
            time.sleep(0.05)
        raise AssertionError(f"{self.path} is still in use")


class PowerCut:
    """A small workflow on such a disk: two tasks, a review, a merge, its tests, the landing."""

    def __init__(self, place: Path, seed: int) -> None:
        self._random = random.Random(seed)
        self.disk = Disk(place)
        self.repo = make_repo(self.disk.path / "repo", {"README": "a sample\n", "a": "old\n"})
        os.sync()
        self.home = Home(self.disk.path / "home")
        review = coder("$ git commit -q --allow-empty -m 'read it #done'\n", role="reviewer")
        tasks = {
            "a": [coder(commit("a", "one", "write a #review")), review],
            "b": [coder(commit("b", "two", "write b #done"))],
        }
        head = 'test = ["sh", "-c", "grep -q one a && test -e b"]'
        self._plan = plan_text(self.repo, tasks, head=head)
        self.told: list[dict[str, Any]] = []
        self.moment = ""

    # ---- until the power goes --------------------------------------------------------------

    def run(self) -> None:
        """Work until a moment that the seed chooses, and cut the power there."""
        kind = self._random.choice(MOMENTS)
        number = self._random.randint(1, 4) if kind not in MOMENTS[5:] else 1
        delay = self._random.choice((0.0, 0.0, self._random.uniform(0.0, 0.5)))
        self.moment = f"{delay:.2f} s after {kind} {number}"
        self.home.serve()
        served = connection.read(self.home.path)
        subscriber = Subscriber(served.feed, served.requests, 0, "")
        with Client(served.requests) as client:
            client.call("plan.submit", plan=self._plan, base=str(self.disk.path))
            client.call("workflow.prepare", workflow="demo")
            started, left = False, number
            deadline = time.monotonic() + 60
            while left and time.monotonic() < deadline:
                said = subscriber.next(0.2)
                if said is None:
                    continue
                fact = msgspec.json.decode(msgspec.json.encode(said))
                self.told.append(fact)
                left -= fact["type"] == kind
                if fact["type"] == "workflow.status" and fact["new"] == "ready" and not started:
                    started = True
                    client.call("workflow.start", workflow="demo")
        time.sleep(delay)
        self.cut()
        subscriber.close()

    def cut(self) -> None:
        """The power goes, all programs are gone, and it comes back."""
        assert self.home.served is not None
        self.disk.cut()
        kill_below(self.home.served.pid)
        self.home.kill()
        if self.home.served.stdout is not None:
            self.home.served.stdout.close()
        self.disk.unmount()
        self.disk.mount()

    # ---- after it ----------------------------------------------------------------------------

    def check(self) -> None:
        """What was told is there, and the target can be read whole."""
        facts = self.facts()
        lost = [fact for fact in self.told if fact not in facts]
        assert not lost, f"facts that were told are gone: {lost}"
        self._check_target(facts)

    def _check_target(self, facts: list[dict[str, Any]]) -> None:
        git(self.repo, "rev-list", "--objects", "main")
        git(self.repo, "fsck", "--no-dangling", "--no-reflogs", "main")
        for fact in facts:
            if fact["type"] == "commit.seen" and fact["verdict"]:
                git(self.repo, "rev-list", "--objects", fact["commit"])
            if fact["type"] == "merge.landed":
                assert git(self.repo, "rev-parse", "main") == fact["new"]
                assert git(self.repo, "status", "--porcelain") == ""
                git(self.repo, "reflog", "main")

    def finish(self) -> None:
        """Serve again and go on with the commands a person has: it must come to its end."""
        self.home.serve()
        deadline = time.monotonic() + 90
        with Client(connection.read(self.home.path).requests, timeout=5) as client:
            while not self._advance(client):
                time.sleep(0.1)
                assert time.monotonic() < deadline, self._story()
        self._check_target(self.facts())
        assert (self.repo / "a").read_text() == "one\n"
        git(self.repo, "fsck", "--no-dangling")

    def _advance(self, client: Client) -> bool:
        found = client.call("workflow.list")
        if not found:  # the power went before it was stored
            client.call("plan.submit", plan=self._plan, base=str(self.disk.path))
            return False
        row = client.call("workflow.get", workflow="demo")
        try:
            if row["status"] in ("created", "ready"):
                verb = "prepare" if row["status"] == "created" else "start"
                client.call(f"workflow.{verb}", workflow="demo")
            elif row["status"] == "failed":
                self._retry(client, row)
        except (NoAnswer, Refused):
            pass
        return bool(row["status"] == "completed" and row["tidied"])

    @staticmethod
    def _retry(client: Client, row: dict[str, Any]) -> None:
        failed = [task["address"] for task in row["tasks"] if task["status"] == "failed"]
        for address in failed:
            client.call("task.retry", task=address)
        if not failed:
            client.call("workflow.repair", workflow="demo")

    def facts(self) -> list[dict[str, Any]]:
        database = sqlite3.connect(self.home.path / "callboard.db", timeout=10)
        try:
            rows = database.execute("SELECT body FROM fact ORDER BY seq").fetchall()
        finally:
            database.close()
        return [msgspec.json.decode(body) for (body,) in rows]

    def _story(self) -> str:
        return "never at its end:\n" + "\n".join(str(fact)[:300] for fact in self.facts()[-40:])

    def close(self) -> None:
        if self.home.served is not None:
            kill_below(self.home.served.pid)
            self.home.kill()
            if self.home.served.stdout is not None:
                self.home.served.stdout.close()
        self.disk.unmount()
        shutil.rmtree(sockets.socket_directory(self.home.path), ignore_errors=True)
