"""A model's server that refuses: told, waited for, gone round, or left to a person.

The programs show what the real CLIs show (`tests/actors/clis/screens/*-limit-*`). Hazard 68.
"""

import contextlib
import json
import sqlite3
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from actors.clis import limits as screens
from actors.terminal import limits, looks
from bus import clock
from bus.kinds import LimitKind
from tests.actors.served import Served, facts, submit, until
from tests.actors.terminal.test_turns import program
from tests.doors.acting import terminal
from tests.doors.kit import PYTHON, plan_text
from tests.refused import USAGE, refused_cli
from tests.repositories import make_repo


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(limits, "AGAIN", 0.5)


class Scene:
    """A workflow whose agents are refused until `flag` is there."""

    def __init__(self, served: Served, place: Path) -> None:
        self.served = served
        self.flag = place / "serves"
        self._place = place
        self._home = served.home
        self.name = ""

    def cli(self, refusal: str, seconds: float, **more: Any) -> str:
        return refused_cli(self.flag, refusal, seconds, **more)

    def begin(
        self, refusal: str, seconds: float = 2, tasks: int = 1, tail: str = "", **step: Any
    ) -> None:
        repo = make_repo(self._place / "repo")
        steps = {f"t{n}": [{"cli": "refused", "instruction": "work", **step}] for n in range(tasks)}
        keys = {"compact": step.pop("compact")} if "compact" in step else {}
        steps = {
            name: [{k: v for k, v in s[0].items() if k != "compact"}] for name, s in steps.items()
        }
        text = plan_text(
            repo, steps, head="idle_after = 0.5", tail=self.cli(refusal, seconds, **keys) + tail
        )
        self.name = submit(self.served, text)
        self.served.until_status(self.name, "ready")
        self.served.client.call("workflow.start", workflow=self.name)

    def row(self, task: str = "t0") -> dict[str, Any]:
        found = self.served.client.call("workflow.get", workflow=self.name)
        return terminal(found, f"{task}/1")

    def until_limited(self, task: str = "t0") -> None:
        self.served.until(self.name, lambda row: terminal(row, f"{task}/1")["limited"])

    def told(self) -> list[str]:
        text = Path(f"{self.flag}.told").read_text(errors="replace")
        return [each.strip() for each in text.split("\n--\n") if each.strip()]


@pytest.fixture
def scene(served: Served, tmp_path: Path) -> Scene:
    return Scene(served, tmp_path)


def test_a_usage_limit_is_waited_for_and_the_work_goes_on(scene: Scene) -> None:
    scene.begin(USAGE, seconds=3)
    scene.until_limited()
    row = scene.row()
    assert (row["limited"], row["estimated"], row["status"]) == ("usage", False, "running")
    assert row["until"]
    scene.flag.touch()
    scene.served.until_status(scene.name, "completed")
    (limited,) = facts(scene.served, "terminal.limited")
    assert (limited["by"], limited["exact"], limited["until"]) == ("usage", True, row["until"])
    (over,) = facts(scene.served, "terminal.limit_over")
    assert over["at"] >= limited["until"]
    assert len(scene.told()) == 2
    assert "Go on with your task where you stopped." in scene.told()[1]
    assert facts(scene.served, "turn.without_commit") == facts(scene.served, "terminal.idle") == []


def test_a_time_on_the_screen_is_that_of_the_program_s_zone(scene: Scene) -> None:
    """The runtime runs elsewhere, or was started by a machine without one. Hazard 101."""
    tokyo = timezone(timedelta(hours=9))
    said = f"{datetime.now(tokyo) + timedelta(hours=2):%H:%M}"
    rule = "[[cli.refused.limits]]\nby = 'usage'\npattern = '^■ resets (?P<time>[0-9:]+)$'\n"
    scene.begin(f"■ resets {said}", tail=f'{rule}[environment]\nTZ = "Asia/Tokyo"\n')
    scene.until_limited()
    until = datetime.fromisoformat(scene.row()["until"])
    assert f"{until.astimezone(tokyo):%H:%M}" == said
    assert until - datetime.now(tokyo) < timedelta(hours=3)


def test_one_limit_holds_for_all_terminals_of_an_account(scene: Scene) -> None:
    """The second has its turn later, and is not refused itself: it types nothing meanwhile."""
    other = make_repo(scene.flag.parent / "other")
    steps = {"t0": [{"cli": "refused", "instruction": "work"}]}
    text = plan_text(other, steps, tail=scene.cli(USAGE, 600)).replace('"demo"', '"later"')
    later = submit(scene.served, text)  # its program stands at its prompt before the limit
    scene.served.until_status(later, "ready")
    scene.begin(USAGE, seconds=6, tasks=1)
    scene.until_limited()
    scene.served.client.call("workflow.start", workflow=later)
    scene.served.until(later, lambda row: row["tasks"][0]["terminals"][0]["limited"])
    assert len(scene.told()) == 1
    scene.flag.touch()
    scene.served.until_status(later, "completed")
    scene.served.until_status(scene.name, "completed")
    assert len(facts(scene.served, "provider.limited")) == 1
    assert len(scene.told()) == 3


@pytest.mark.parametrize("shows_time", [True, False])
def test_the_end_of_a_limit_is_known_to_the_second_from_the_gateway(
    scene: Scene, tmp_path: Path, shows_time: bool
) -> None:
    """A screen shows no time, or its minute; the gateway says `rate` of a short one. Hazard 68."""
    minute = clock.wall().replace(second=0, microsecond=0) + timedelta(minutes=30)
    flag = tmp_path / "refused"
    until = f" until {int(minute.timestamp())}" if shows_time else ""
    shown = f"turn 1\\nNo more{until}\\n> "
    body = f'show("{shown}" if os.path.exists("{flag}") else "* Working (esc to interrupt)")'
    tail = program("cut", f"{body}; time.sleep(0.2)")
    tail += "[[cli.cut.limits]]\nby = 'usage'\npattern = '^No more( until (?P<epoch>[0-9]+))?$'\n"
    scene.begin("", tail=tail, cli="cut")
    scene.served.until(scene.name, lambda row: terminal(row, "t0/1")["delivered"])
    until = clock.text(minute + timedelta(seconds=41))
    scene.served.sql(f"INSERT INTO account VALUES ('cut, its own login', 'rate', '{until}', '')")
    flag.touch()
    scene.until_limited()
    (limited,) = facts(scene.served, "terminal.limited")
    assert (limited["until"], limited["exact"]) == (until, shows_time)


FALLBACK = """
[provider.one]
base_url = "http://127.0.0.1:1/one"
[provider.two]
base_url = "http://127.0.0.1:1/two"
"""


def test_the_next_provider_goes_on_in_the_same_worktree(scene: Scene) -> None:
    scene.begin(
        "■ Quota exceeded. Check your plan.", tail=FALLBACK, provider="one", fallback=["two"]
    )
    scene.served.until(scene.name, lambda row: terminal(row, "t0/1")["incarnation"] == 2)
    scene.flag.touch()
    scene.served.until_status(scene.name, "completed")
    first, *_, last = scene.told()
    assert first.startswith("http://127.0.0.1:1/one: ")
    assert last.startswith("http://127.0.0.1:1/two: ")
    assert "This work was begun before." in last
    limited = facts(scene.served, "terminal.limited")
    assert limited[0]["account"] == "one at http://127.0.0.1:1/one"
    assert scene.row()["fallbacks"] == 1


def test_what_only_a_person_can_mend_waits_for_a_person(scene: Scene) -> None:
    scene.begin("■ Quota exceeded. Check your plan.")
    scene.until_limited()
    assert scene.row()["until"] == ""
    scene.flag.touch()
    at = f"{scene.name}/t0/1/"
    scene.served.client.call("terminal.send", terminal=at, text="go on")
    scene.served.until_status(scene.name, "completed")
    assert facts(scene.served, "terminal.idle") == []


def test_a_login_page_in_a_turn_is_told_as_a_lost_login_and_nothing_else(scene: Scene) -> None:
    """It stands in the place of the prompt, and offers choices, as those of codex and gemini do."""
    page = "Sign in to go on\\n> 1. With an account\\n  2. With a key\\n"
    tail = program("page", f'show("{page}"); time.sleep(600)')
    tail += "[[cli.page.limits]]\nby = 'login'\npattern = '^Sign in to go on'\n"
    scene.begin("", tail=tail, cli="page")
    scene.until_limited()
    (limited,) = facts(scene.served, "terminal.limited")
    assert (limited["by"], limited["until"]) == ("login", "")
    at = f"{scene.name}/t0/1/"
    scene.served.client.call("terminal.send", terminal=at, text="go on")
    scene.served.until(scene.name, lambda row: terminal(row, "t0/1")["blocked"])
    assert facts(scene.served, "terminal.idle") == []
    (blocked,) = facts(scene.served, "terminal.blocked")
    (said,) = facts(scene.served, "provider.recovered")
    assert blocked["seq"] > said["seq"]


def test_the_policy_ask_leaves_every_limit_to_a_person(scene: Scene) -> None:
    scene.begin(USAGE, seconds=1, limited="ask")
    scene.until_limited()
    assert scene.row()["until"] == ""
    assert facts(scene.served, "terminal.limited")[0]["until"]
    scene.flag.touch()
    scene.served.client.call("task.retry", task=f"{scene.name}/t0/")
    scene.served.until_status(scene.name, "completed")
    assert facts(scene.served, "terminal.limit_over") == []


def test_a_full_conversation_is_compacted_once_and_then_begun_anew(scene: Scene) -> None:
    scene.begin("■ Codex ran out of room in the model's context window.", compact="/compact")
    scene.served.until(scene.name, lambda row: terminal(row, "t0/1")["incarnation"] == 2)
    scene.flag.touch()
    scene.served.until_status(scene.name, "completed")
    told = scene.told()
    assert "/compact" in told[1]
    assert "This work was begun before." in told[2]


def test_a_new_conversation_that_is_full_at_once_waits_for_a_person(scene: Scene) -> None:
    scene.begin("■ Codex ran out of room in the model's context window.", compact="/compact")
    scene.served.until(
        scene.name,
        lambda row: (t := terminal(row, "t0/1"))["incarnation"] == 2 and t["limits"] == 2,
    )
    scene.flag.touch()
    at = f"{scene.name}/t0/1/"
    scene.served.client.call("terminal.send", terminal=at, text="go on")
    scene.served.until_status(scene.name, "completed")
    assert scene.row()["incarnation"] == 2
    assert len(scene.told()) == 5
    compacts = [fact["compact"] for fact in facts(scene.served, "terminal.limited")]
    assert compacts == ["/compact", "", "/compact", ""]


def test_an_overload_is_tried_again_later_and_told_as_recovered(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = dict.fromkeys([LimitKind.OVERLOAD], timedelta(seconds=1))
    monkeypatch.setattr(screens, "_ESTIMATES", soon)
    scene.begin("■ high demand")
    scene.until_limited()
    assert scene.row()["estimated"]
    scene.flag.touch()
    scene.served.until_status(scene.name, "completed")
    assert len(facts(scene.served, "provider.failed")) == 1


def test_one_terminal_alone_asks_a_provider_that_failed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = dict.fromkeys([LimitKind.OVERLOAD], timedelta(seconds=1))
    monkeypatch.setattr(screens, "_ESTIMATES", soon)
    monkeypatch.setattr(limits, "PROBE", 3600.0)
    scene.begin("■ high demand", tasks=3)
    for task in ("t0", "t1", "t2"):
        scene.until_limited(task)
    scene.flag.touch()
    scene.served.until_status(scene.name, "completed")
    asking = ""
    for fact in scene.served.client.call("events.replay", limit=10_000)["facts"]:
        match fact["type"], fact["address"]:
            case "provider.recovered", _:
                break
            case "terminal.limit_over", address:
                assert asking in ("", address)
                asking = address
            case "terminal.limited", address if address == asking:
                asking = ""  # it was refused again
    assert asking
    assert len(facts(scene.served, "terminal.limit_over")) >= 3


def test_who_only_heard_of_a_failure_goes_on_when_it_is_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is to ask for an hour; another begins then, and the account serves a moment later."""
    monkeypatch.setattr(limits, "PROBE", 3600.0)
    soon = dict.fromkeys([LimitKind.OVERLOAD], timedelta(seconds=1))
    monkeypatch.setattr(screens, "_ESTIMATES", soon)
    other = make_repo(scene.flag.parent / "other")
    steps = {"t0": [{"cli": "refused", "instruction": "work"}]}
    text = plan_text(other, steps, tail=scene.cli("■ high demand", 1)).replace('"demo"', '"later"')
    later = submit(scene.served, text)  # its program stands at its prompt before the failure
    scene.served.until_status(later, "ready")
    scene.begin("■ high demand")
    scene.until_limited()
    with contextlib.closing(sqlite3.connect(scene.served.home / "callboard.db", timeout=10)) as db:
        while not db.execute("SELECT 1 FROM account WHERE probe != ''").fetchall():
            time.sleep(0.05)
    scene.served.client.call("workflow.start", workflow=later)
    scene.served.until(later, lambda row: row["tasks"][0]["terminals"][0]["limited"])
    scene.flag.touch()
    scene.served.until_status(later, "completed")
    scene.served.until_status(scene.name, "completed")


SLOW_ENTER = r"""
import os, sys, tty, select, subprocess, pathlib
place, given, turn = pathlib.Path(sys.argv[1]), b"", 0
tty.setraw(0)
os.write(1, b"\x1b[?2004h")
for n in range(10**6):
    os.write(1, b"\x1b[2J\x1b[Hturn %d\r\n%s\r\n> " % (turn, b"+-"[n % 2 :][:1]))
    if not select.select([0], [], [], 0.1)[0]:
        continue
    given += os.read(0, 65536)
    (place / "text").touch()
    if b"\r" in given and not turn:
        turn = 1
        subprocess.run("echo x > work; git add -A; git commit -qm 'work #done'", shell=True)
"""


def test_a_limit_that_comes_while_an_instruction_is_typed_is_not_taken_over(
    served: Served, tmp_path: Path
) -> None:
    """It is asked all the same, so its own screen tells what comes of it. Hazard 68."""
    keys = {"command": [PYTHON, "-c", SLOW_ENTER, str(tmp_path)], "ready": "^> $", "busy": "never"}
    tail = "[cli.slow]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in keys.items())
    tail += "\nsubmit = { evidence = '^turn 1$', enter_delay_ms = 4000 }\n[provider.p]\n"
    tail += 'base_url = "http://127.0.0.1:1"\n[cli.slow.provider.env]\nMODEL_URL = "{base_url}"\n'
    steps = {"a": [{"cli": "slow", "instruction": "work", "provider": "p"}]}
    name = submit(served, plan_text(make_repo(tmp_path / "repo"), steps, tail=tail))
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    until((tmp_path / "text").exists)
    served.sql(
        "INSERT INTO account (name, by, until, probe) VALUES"
        " ('p at http://127.0.0.1:1', 'usage', '2999-01-01T00:00:00.000000Z', '')"
    )
    served.until_status(name, "completed")
    assert facts(served, "terminal.limited") == []
    assert len(facts(served, "instruction.sent")) == 1


RETRIER = r"""
import os, sys, tty, subprocess, pathlib, time
flag, given, tries = pathlib.Path(sys.argv[1]), b"", 0
tty.setraw(0)
os.set_blocking(0, False)
show = lambda text: os.write(1, b"\x1b[2J\x1b[H" + text.replace("\n", "\r\n").encode())
os.write(1, b"\x1b[?2004h")
show("> ")
while True:
    try:
        given += os.read(0, 65536)
    except BlockingIOError:
        pass
    pathlib.Path(str(flag) + ".told").write_bytes(given)
    if given.count(b"\r") and not flag.exists():
        tries += 1
        said = "Gave up" if pathlib.Path(str(flag) + ".up").exists() else "Retrying in 1s, attempt"
        show("turn 1\n# %s %d\n> " % (said, tries))
    elif given.count(b"\r"):
        subprocess.run("echo x > work; git add -A; git commit -qm 'work #done'", shell=True)
        show("turn 1\ndone\n> ")
        time.sleep(600)
    time.sleep(0.2)
"""


def begin_retrier(served: Served, place: Path) -> str:
    """Begin a workflow whose program tries again by itself. It gives up when `serves.up` is there.

    Return the name when three of its tries were told.
    """
    command = [PYTHON, "-c", RETRIER, str(place / "serves")]
    tail = f"[cli.retrier]\ncommand = {json.dumps(command)}\nready = '^> $'\nbusy = 'Working'\n"
    tail += "submit = { evidence = '^turn [0-9]+$' }\n[[cli.retrier.limits]]\nby = 'overload'\n"
    tail += "pattern = '^# Retrying in (?P<seconds>\\d+)s, attempt \\d+$'\nretries = true\n"
    tail += "[[cli.retrier.limits]]\nby = 'overload'\npattern = '^# Gave up \\d+$'\n"
    steps = {"a": [{"cli": "retrier", "instruction": "work"}]}
    name = submit(served, plan_text(make_repo(place / "repo"), steps, tail=tail))
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    served.until(name, lambda _: len(facts(served, "terminal.limited")) == 3)
    return name


def test_a_program_that_tries_again_by_itself_is_told_nothing(
    served: Served, tmp_path: Path
) -> None:
    """The time of each try passes, and nothing is typed: its turn goes on. Seen with claude."""
    name = begin_retrier(served, tmp_path)
    assert terminal(served.client.call("workflow.get", workflow=name), "a/1")["step"] == 1
    (tmp_path / "serves").touch()
    served.until_status(name, "completed")
    assert len(facts(served, "instruction.sent")) == 1
    assert facts(served, "terminal.limit_over") == []
    assert all(fact["retries"] for fact in facts(served, "terminal.limited"))


def test_after_a_program_gave_up_the_wait_is_no_longer_for_each_try(
    served: Served, tmp_path: Path
) -> None:
    """Ten tries of claude in three minutes were an hour's wait. Hazard 68."""
    name = begin_retrier(served, tmp_path)
    (tmp_path / "serves.up").touch()
    served.until(name, lambda _: not facts(served, "terminal.limited")[-1]["retries"])
    told = facts(served, "terminal.limited")[-1]
    at, until = (datetime.fromisoformat(told[name]) for name in ("at", "until"))
    assert until - at < timedelta(minutes=3)
