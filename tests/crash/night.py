"""A night in which nobody looks, by a seed: agents that stop for all kinds of reasons.

Six tasks and three kinds of program: one is limited for some seconds, one forgets to commit, one
asks in prose, one is killed, the provider of one fails for a while, one just works. Meanwhile the
runtime is killed twice and everything stands still once. In the morning five tasks have landed, one
waits for a person, and every number adds up.
"""

import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.models import said
from actors.pty.ending import end_all_terminals
from bus import connection
from bus.client import Client, NoAnswer
from bus.errors import Refused
from tests.crash.chaos import processes_of
from tests.crash.sleepless import QUESTION
from tests.doors.kit import PYTHON, Home
from tests.repositories import git, make_repo
from tests.scripted_model import Asked, Said, ScriptedModel, refusal

Row = dict[str, Any]

AGENT: Final = Path(__file__).with_name("sleepless.py")
HASTY: Final = Path(__file__).with_name("hasty.py")
KINDS: Final = ("limited", "forgetful", "dying", "modelled", "good")
"""The tasks that land."""
LOOKS: Final = {
    "box": (">", "esc to interrupt"),
    "chevron": ("›", "Working, ctrl+c to stop"),
    "gated": ("%", "thinking"),
}
CLI_OF: Final = {
    "limited": "chevron",
    "asking": "chevron",
    "forgetful": "box",
    "dying": "box",
    "modelled": "gated",
    "good": "gated",
}
MOMENTS: Final = (
    ("terminal.ready", 6),
    ("instruction.sent", 7),
    ("instruction.delivered", 5),
    ("terminal.limited", 2),
    ("terminal.limit_over", 1),
    ("provider.failed", 1),
    ("turn.ended", 2),
    ("turn.without_commit", 2),
    ("terminal.exited", 4),
    ("commit.seen", 5),
    ("terminal.idle", 1),
    ("merge.started", 2),
    ("merge.tested", 2),
)
"""Facts of nearly every night, and up to which of them one waits."""


class Night:
    """One home, one repository, and one seed."""

    def __init__(self, place: Path, seed: int) -> None:
        self.place = place
        self.random = random.Random(seed)
        self.repo = make_repo(place / "repo")
        self.notes = place / "notes"
        self.notes.mkdir(parents=True)
        env = {**os.environ, "NIGHT_KEY": "sk-night"}
        self.home = Home(place / "home", prefix=[PYTHON, str(HASTY)], env=env)
        self.did: list[str] = []
        self.log: list[str] = []
        self._fails = self.random.uniform(2, 5)
        """Seconds for which the provider fails, from its first request."""
        self._first = 0.0
        self.answered = 0
        kinds = self.random.sample(KINDS, len(KINDS))
        cut = self.random.randint(1, len(kinds) - 1)
        self.plans = {"one": kinds[:cut], "two": kinds[cut:], "three": ["asking"]}
        moments = self.random.sample(MOMENTS, 3)
        self.strikes = [(name, self.random.randint(1, most)) for name, most in moments]

    # ---- the plans --------------------------------------------------------------------------

    def _plan(self, name: str, url: str) -> str:
        lines = [
            f'name = "{name}"\nrepo = {json.dumps(str(self.repo))}',
            "idle_after = 0.5\nnudges = 1\nmax_terminals = 5",
            'test = ["sh", "-c", "sleep 0.2; test -e README"]',
            '[error]\ncli = "box"',
            f'[provider.p]\nbase_url = "{url}"\nmodel = "m"\napi_key_env = "NIGHT_KEY"',
        ]
        for kind in self.plans[name]:
            cli = CLI_OF[kind]
            seconds = self.random.uniform(2, 5) if kind == "limited" else self.random.random()
            lines.append(f'[[task]]\nid = "{kind}"\nbranch = "feat/{kind}"\n[[task.terminal]]')
            lines.append(f'cli = "{cli}"\ninstruction = "be {kind} with {kind} for {seconds:.2f}"')
            lines += ['provider = "p"'] if cli == "gated" else []
        for cli, (prompt, busy) in LOOKS.items():
            command = [PYTHON, str(AGENT), str(self.notes), prompt, busy]
            lines.append(f"[cli.{cli}]\ncommand = {json.dumps(command, ensure_ascii=False)}")
            lines.append(f"ready = '^{prompt} $'\nbusy = '{busy.replace('+', '.')}'")
            lines.append("submit = { evidence = '^turn \\d+' }")
        lines.append('[cli.gated.provider.env]\nMODEL_URL = "{base_url_root}"\nMODEL_KEY = "{key}"')
        lines.append("[[cli.gated.limits]]\nby = 'overload'\npattern = '^■ high demand'")
        lines.append("[[cli.chevron.limits]]\nby = 'usage'")
        lines.append("pattern = '''^■ You've hit your usage limit.*at=(?P<epoch>\\d+)$'''")
        return "\n".join(lines) + "\n"

    def _says(self, _asked: Asked) -> Said:
        """Answer as the provider: it fails for a while, and says for how long."""
        now = time.monotonic()
        self._first = self._first or now
        left = self._first + self._fails - now
        if left > 0:
            return refusal(529, "Overloaded", retry_after=str(int(left) + 1))
        self.answered += 1
        return "well"

    # ---- the course -------------------------------------------------------------------------

    def run(self, timeout: float = 300.0) -> dict[str, Row]:
        """Begin, strike at the moments of the seed, and return the rows of the morning."""
        with ScriptedModel(self._says) as model:
            self._serve()
            plans = {name: self._plan(name, model.url) for name in self.plans}
            deadline = time.monotonic() + timeout
            faults = [self.kill_runtime, self.kill_runtime, self.stand_still]
            self.random.shuffle(faults)
            waiting = dict(zip(self.strikes, faults, strict=True))
            rows: dict[str, Row] = {}
            while waiting or not self._is_morning(rows):
                counts = Counter(fact["type"] for fact in self.facts())
                is_late = self._is_morning(rows)  # some moments do not come in each night
                for moment in [m for m in waiting if is_late or counts[m[0]] >= m[1]]:
                    time.sleep(self.random.choice((0.0, 0.05, 0.3)))
                    self.did.append(f"{moment[0]} {moment[1]}:")
                    waiting.pop(moment)()
                rows = self._rows(plans)
                if time.monotonic() > deadline:
                    states = {name: (row["status"], row["reason"]) for name, row in rows.items()}
                    raise AssertionError(
                        f"no morning: {states}, waits for {list(waiting)}\n{''.join(self.log)}"
                    )
                time.sleep(0.05)
        return rows

    def _rows(self, plans: dict[str, str]) -> dict[str, Row]:
        """Return the workflows by id, after giving what command it is time for."""
        with Client(connection.read(self.home.path).requests) as client:
            found = {row["id"]: row for row in client.call("workflow.list")}
            for name, plan in plans.items():
                status = found.get(name, {}).get("status")
                if status is None:
                    client.call("plan.submit", plan=plan, base=str(self.place))
                elif status in ("created", "ready"):
                    what = "prepare" if status == "created" else "start"
                    with contextlib.suppress(Refused, NoAnswer):  # it has begun meanwhile
                        client.call(f"workflow.{what}", workflow=name)
            return found

    def _is_morning(self, rows: dict[str, Row]) -> bool:
        if set(rows) != set(self.plans):
            return False
        over = all(rows[name]["status"] in ("completed", "failed") for name in ("one", "two"))
        gone = all(each["gone"] for name in ("one", "two") for each in terminals(rows[name]))
        return over and gone and bool(terminals(rows["three"])[0]["idle"])

    def kill_runtime(self) -> None:
        """`kill -9` of the runtime, and another one."""
        assert self.home.served is not None
        assert self.home.served.poll() is None, "the runtime ended by itself"
        self.did.append("kill runtime")
        self.home.kill()
        time.sleep(self.random.choice((0.0, 0.2, 1.0)))
        self._serve()

    def _serve(self) -> None:
        """Start a runtime, and read what it says, so that it never waits for a reader."""
        said = self.home.serve().stdout
        assert said is not None
        threading.Thread(target=self.log.extend, args=(said,), daemon=True).start()

    def stand_still(self) -> None:
        """What a closed lid does: everything stops, and goes on later."""
        assert self.home.served is not None
        pids = {self.home.served.pid, *(int(each.split()[0]) for each in self._processes())}
        gateway = said.read_place(self.home.path)
        pids |= {gateway.pid} if gateway is not None else set()
        self.did.append(f"stop {len(pids)} processes")
        for signo in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signo)
            time.sleep(self.random.uniform(0.5, 2) if signo == signal.SIGSTOP else 0)

    def _processes(self) -> list[str]:
        return [
            each for each in processes_of(self.home.path) if str(os.getpid()) != each.split()[0]
        ]

    def facts(self) -> list[Row]:
        """Read all facts from the database, also while no runtime serves."""
        with contextlib.closing(sqlite3.connect(self.home.path / "callboard.db", timeout=10)) as at:
            found = at.execute("SELECT body FROM fact ORDER BY seq").fetchall()
        return [msgspec.json.decode(body) for (body,) in found]

    def close(self) -> None:
        """End the home, and all that it started."""
        self.home.close()
        end_all_terminals(self.home.path)

    # ---- the morning --------------------------------------------------------------------------

    def check(self, rows: dict[str, Row]) -> None:
        """Hold the morning's rows, facts, repository and words against each other."""
        facts = self.facts()
        assert [f["seq"] for f in facts] == list(range(1, len(facts) + 1)), "seq"
        states = {name: (row["status"], row["reason"]) for name, row in rows.items()}
        assert [rows[name]["status"] for name in ("one", "two")] == ["completed"] * 2, states
        assert rows["three"]["status"] == "running"
        self._check_repository(facts)
        self._check_statuses(rows, facts)
        self._check_once(facts)
        self._check_limits(facts)
        self._check_use(rows, facts)
        self._check_question(facts)

    def _check_repository(self, facts: list[Row]) -> None:
        assert all((self.repo / kind).exists() for kind in KINDS)
        assert not (self.repo / "asking").exists()
        assert git(self.repo, "status", "--porcelain") == ""
        landed = [f["new"] for f in facts if f["type"] == "merge.landed"]
        assert len(landed) == 2
        assert git(self.repo, "rev-parse", "main") == landed[-1]
        seen = [f["commit"] for f in facts if f["type"] == "commit.seen"]
        assert len(seen) == len(set(seen)), "a commit was told twice"
        counts = Counter(f["address"] for f in facts if f["type"] == "commit.seen" and f["verdict"])
        assert set(counts.values()) == {1}, f"more than one completion: {counts}"
        assert len(counts) == len(KINDS)

    def _check_statuses(self, rows: dict[str, Row], facts: list[Row]) -> None:
        """Each status follows from the one before, and the last is that of the row."""
        last: dict[str, str] = {}
        for fact in facts:
            if fact["type"].endswith(".status"):
                assert last.get(fact["address"]) == fact["old"] or fact["address"] not in last, fact
                last[fact["address"]] = fact["new"]
        for name, row in rows.items():
            shown = {f"{name}/": row, **{each["address"]: each for each in row["tasks"]}}
            shown |= {each["address"]: each for each in terminals(row)}
            for address, each in shown.items():
                assert last.get(address, each["status"]) == each["status"], address

    def _check_once(self, facts: list[Row]) -> None:
        """Each instruction was typed once, and got by the program if that lived on."""
        sent = [
            (f["address"], f["incarnation"], f["step"])
            for f in facts
            if f["type"] == "instruction.sent"
        ]
        assert len(sent) == len(set(sent)), f"told twice: {sent}"
        unsure = {f["address"] for f in facts if f["type"] == "instruction.unconfirmed"}
        assert {each.split("/")[1] for each in unsure} <= {"dying"}, unsure
        lines = (self.notes / "told").read_text().splitlines()
        told = Counter(json.loads(line)[0] for line in lines)
        known = Counter(address.split("/")[1] for address, _, _ in sent)
        # Of one that was killed while no runtime was there, nobody can say what it was told.
        assert told == known + Counter(each.split("/")[1] for each in unsure), lines
        nudges = [f for f in facts if f["type"] == "turn.without_commit"]
        assert not any("new commits" in each["missing"] for each in nudges), nudges
        without = [each["address"] for each in nudges]
        assert len(without) == len(set(without)), f"nudged twice: {without}"
        assert {each.split("/")[1] for each in without} == {"forgetful", "asking"}

    def _check_limits(self, facts: list[Row]) -> None:
        """Each limit was told once, and ended once."""
        open_: dict[str, Row] = {}
        met = set()
        for fact in facts:
            of = str(fact.get("account")) if fact["address"] == "runtime/" else fact["address"]
            match fact["type"]:
                case "terminal.limited" | "provider.limited" | "provider.failed":
                    before = open_.get(of)
                    over = before and of == fact.get("account") and fact["at"] >= before["until"]
                    assert before is None or over, f"told twice: {before} {fact}"
                    open_[of] = fact
                    met.add(of)
                case "terminal.limit_over" | "provider.recovered":
                    assert open_.pop(of, None), f"ended twice: {fact}"
        story = [fact for fact in facts if fact["address"] in open_]
        assert not open_, f"never over: {open_}\n{story}"
        kinds = {each.split("/")[1] for each in met if each.count("/") == 4}
        assert {"limited", "modelled"} <= kinds | {
            each.split("/")[1] for each in met if "/" in each
        }

    def _check_use(self, rows: dict[str, Row], facts: list[Row]) -> None:
        used = [f for f in facts if f["type"] == "usage.counted"]
        assert all(f["exact"] for f in used)
        assert sum(f["requests"] for f in used) == self.answered
        tokens = sum(f["input"] + f["output"] for f in used)
        shown = sum(each["tokens"] for row in rows.values() for each in terminals(row))
        assert tokens == shown == 20 * self.answered

    def _check_question(self, facts: list[Row]) -> None:
        idle = [f for f in facts if f["type"] == "terminal.idle"]
        assert [f["address"] for f in idle] == ["three/asking/1/"]
        assert QUESTION in idle[0]["screen"]
        waits = self.home.ok("ps").partition("waits for you\n")[2].partition("\n\n")[0]
        assert re.findall(r"^  (\S+) has stopped, and no commit counts: ", waits, re.MULTILINE) == [
            "three/asking/1"
        ]
        assert not re.search(r"^  (one|two)/", waits, re.MULTILINE), waits
        assert f'It asks: "{QUESTION.partition("?")[0]}?"' in waits
        assert QUESTION in " ".join(self.home.ok("why", "three/asking/1").split())


def terminals(row: Row) -> list[Row]:
    """Return the terminals of a workflow's tasks, with those that repair."""
    return [each for task in row["tasks"] for each in task["terminals"]]
