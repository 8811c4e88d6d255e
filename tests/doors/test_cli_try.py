"""`cli try` runs a program once, and says what of its profile holds."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from actors.host import family
from tests.doors.kit import PYTHON, Home
from tests.doors.working import until

AGENT = r"""
import json, os, subprocess, sys, tty, urllib.request
tty.setraw(0)
show = lambda text: os.write(1, b"\x1b[2J\x1b[H" + text.replace("\n", "\r\n").encode())
TOOL = {"name": "bash", "parameters": {"properties": {"command": {"type": "string"}}}}

def ask(messages):
    body = {"model": os.environ["MODEL"], "messages": messages}
    body["tools"] = [{"type": "function", "function": TOOL}]
    request = urllib.request.Request(os.environ["URL"] + "/chat/completions",
        json.dumps(body).encode(), {"authorization": "Bearer " + os.environ["KEY"]})
    return json.load(urllib.request.urlopen(request))["choices"][0]["message"]

os.write(1, b"\x1b[?2004h")
if "--login" in sys.argv:
    show("Sign in first")
    os.read(0, 1)
show("$ ready")
while True:
    given = b""
    while not given.endswith(b"\r"):
        given += os.read(0, 65536)
    text = given.decode().replace("\x1b[200~", "").replace("\x1b[201~", "").strip()
    if text == "/bye":
        sys.exit(0)
    show("working (esc to interrupt)")
    messages = [{"role": "user", "content": text}]
    call = ask(messages)["tool_calls"][0]["function"]
    if "--asks" in sys.argv:
        show("Run it?\n> 1. Yes\n  2. No")
        os.read(0, 1)
    subprocess.run(json.loads(call["arguments"])["command"], shell=True)
    ask([*messages, {"role": "assistant", "content": None}, {"role": "tool", "content": ""}])
    show("# done\n$ ready")
"""
PROVIDER = '{ env = { URL = "{base_url_v1}", KEY = "{key}", MODEL = "{model}" } }'
CLI: dict[str, Any] = {
    "command": [PYTHON, "-c", AGENT],
    "ready": r"^\$ ready",
    "busy": "esc to interrupt",
    "markers": ">",
    "ask_args": ["--asks"],
    "ready_timeout": 20,
}
TABLES = {"submit": '{ evidence = "^# .*" }', "exit": '{ text = "/bye" }', "provider": PROVIDER}
QUESTION = '[[cli.mine.prompts]]\nname = "run"\npattern = "Run it"\nanswer = "Yes"\n'


class Tried:
    """A plan with the profile `mine`, and what `cli try mine` says with some keys changed."""

    def __init__(self, home: Home, place: Path) -> None:
        self.home, self.plan = home, place / "plan.toml"

    def __call__(self, *words: str, tail: str = "", **changed: Any) -> tuple[int, dict[str, Any]]:
        keys = {key: json.dumps(value) for key, value in CLI.items()}
        keys = {key: value for key, value in {**keys, **TABLES, **changed}.items() if value}
        lines = [f"{key} = {value}" for key, value in keys.items()]
        self.plan.write_text("\n".join([HEAD, "[cli.mine]", *lines, tail]))
        ran = self.home.run("cli", "try", "mine", "--plan", str(self.plan), "--json", *words)
        said = json.loads(ran.stdout)
        said["states"] = {check["what"]: check["state"] for check in said["checks"]}
        return ran.returncode, said


HEAD = """\
name = "demo"
repo = "."
[[task]]
id = "a"
branch = "feat/a"
terminal = [{ cli = "mine", instruction = "x" }]
"""


@pytest.fixture
def tried(home: Home, tmp_path: Path) -> Tried:
    return Tried(home, tmp_path)


def check(said: dict[str, Any], what: str) -> dict[str, Any]:
    (found,) = [check for check in said["checks"] if check["what"] == what]
    return dict(found)


def test_a_profile_that_holds_is_said_to_hold(tried: Tried) -> None:
    code, said = tried()
    holds = ["ready", "delivered", "provider", "busy", "evidence", "work", "exit"]
    assert said["states"] == dict.fromkeys([*holds, "end of turn"], "ok"), said
    assert (code, said["ok"]) == (0, True)


def test_its_question_is_answered_by_label(tried: Tried) -> None:
    code, said = tried("--ask", tail=QUESTION)
    assert (code, said["states"]["work"]) == (0, "ok"), said
    assert check(said, "question")["text"] == "run, at the turn: answered with 'Yes'"


def test_a_pattern_that_does_not_match_is_named_with_the_screen(tried: Tried) -> None:
    code, said = tried(busy='"thinking"', submit='{ evidence = "^never" }')
    failed = [check["what"] for check in said["checks"] if check["state"] == "failed"]
    assert (code, failed) == (1, ["delivered", "busy", "evidence"]), said
    assert "neither `busy` nor `submit.evidence` matched" in check(said, "delivered")["text"]
    assert check(said, "busy")["screen"] == "# done\n$ ready"


def test_a_program_that_is_never_ready_gets_no_instruction(tried: Tried) -> None:
    command = json.dumps([*CLI["command"], "--login"])
    code, said = tried(command=command, ready_timeout="1")
    assert (code, said["states"]) == (1, {"ready": "failed"})
    assert check(said, "ready")["screen"] == "Sign in first"


def test_a_program_without_a_provider_is_not_asked_to_work(tried: Tried) -> None:
    code, said = tried(provider="")
    assert (code, said["states"]) == (0, {"ready": "ok", "turn": "untried", "exit": "ok"})


def test_the_report_is_for_people_and_names_the_screen(home: Home, tried: Tried) -> None:
    tried(provider="")
    ran = home.run("cli", "try", "mine", "--plan", str(tried.plan))
    assert ran.returncode == 0
    assert "ok      ready        `ready` matched" in ran.stdout
    assert "the profile holds" in ran.stdout


def test_the_doctor_tries_what_is_installed(home: Home, tmp_path: Path) -> None:
    config = tmp_path / "config"
    (config / "callboard").mkdir(parents=True)
    keys = {**{key: json.dumps(value) for key, value in CLI.items()}, **TABLES}
    own = {"sound": keys, "blind": {**keys, "ready": '"^never"', "ready_timeout": "1"}}
    lines = [
        f"[{name}]\n" + "\n".join(f"{k} = {v}" for k, v in t.items()) for name, t in own.items()
    ]
    (config / "callboard/profiles.toml").write_text("\n".join(lines))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(config)}
    ran = home.run("doctor", "--clis", "--json", env=env)
    found = {item["what"]: item for item in json.loads(ran.stdout)["items"]}
    (sound,) = [what for what in found if what.startswith("sound")]
    (blind,) = [what for what in found if what.startswith("blind")]
    assert sound.endswith(": its profile holds")
    assert blind.endswith(": its profile does not hold: ready")
    assert "cli try blind" in found[blind]["help"]


def test_an_unknown_profile_is_refused_with_the_known_ones(home: Home) -> None:
    ran = home.run("cli", "try", "clod")
    assert ran.returncode == 2
    assert "cli.clod: there is no such profile; there are: aider, claude" in ran.stderr


LEAVES = """
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
pids = [os.getppid(), os.getpid(), child.pid]
place = pathlib.Path(sys.argv[1])
place.with_suffix(".new").write_text(" ".join(map(str, pids)))
place.with_suffix(".new").rename(place)
time.sleep(600)
"""
"""A program that says the pids of its host, of itself and of what it started."""


@pytest.mark.parametrize("signo", ["SIGINT", "SIGHUP", "SIGTERM", "SIGKILL"])
def test_a_try_that_is_cut_leaves_nothing_running(
    signo: str, home: Home, tried: Tried, tmp_path: Path
) -> None:
    """Hazard 86."""
    pids = tmp_path / "pids"
    cli = {"command": [PYTHON, "-c", LEAVES, str(pids)], "ready": "^never", "ready_timeout": 90}
    keys = [f"{key} = {json.dumps(value)}" for key, value in cli.items()]
    tried.plan.write_text("\n".join([HEAD, "[cli.mine]", *keys]))
    with home.begin("cli", "try", "mine", "--plan", str(tried.plan)) as trying:
        until(pids.exists, "the program runs")
        started = {int(pid) for pid in pids.read_text().split()}
        trying.send_signal(getattr(signal, signo))
        trying.wait(30)
    until(lambda: not started & set(family.living()), "host, program and its child end")
