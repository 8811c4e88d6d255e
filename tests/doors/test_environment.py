"""The PATH and the toolchain of the shell that submits count; of others a difference is said."""

import json
import os
import signal
from pathlib import Path

import pytest

from bus.errors import Refused
from tests.doors.acting import Acting, task
from tests.doors.kit import Home, coder, done, plan_text
from tests.repositories import git


def test_a_variable_that_is_not_brought_is_said_to_differ(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """No value of such a variable is told, sent or stored."""
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}, 'test = ["true"]'))
    home.serve()
    same = home.run("submit", str(plan))
    assert "shell" not in same.stdout
    other = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NPM_TOKEN": "secret-token"}
    said = home.run("submit", str(plan), env={**os.environ, **other})
    assert said.returncode == 0
    assert "the runtime's count, and these differ: NPM_TOKEN (" in said.stdout
    assert "secret-token" not in said.stdout
    home.ok("down")
    database = b"".join(path.read_bytes() for path in home.path.glob("callboard.db*"))
    assert b"secret-token" not in database


def ignored_and_blocked() -> None:
    signals = (signal.SIGCHLD, signal.SIGALRM, signal.SIGPIPE, signal.SIGINT, signal.SIGHUP)
    for number in signals:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def test_how_a_child_ended_is_known_whatever_the_starter_did_to_signals(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """Where SIGCHLD is ignored, each git would seem to have succeeded. Hazard 62."""
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}, 'test = ["true"]'))
    home.ok("up", str(plan), preexec_fn=ignored_and_blocked)
    said = home.ok("down", preexec_fn=ignored_and_blocked)
    assert "stopped" in said


def test_python_may_be_told_to_look_in_no_directory_of_a_script(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}, 'test = ["true"]'))
    home.ok("up", str(plan), env={**os.environ, "PYTHONSAFEPATH": "1"})


def tool(directory: Path, name: str, says: str) -> Path:
    """A program that only one PATH finds; it says which one it is, and its virtual environment."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\necho {says} venv=${{VIRTUAL_ENV-none}} >> $1\n")
    path.chmod(0o755)
    return path


def test_the_second_shells_programs_are_used_by_terminals_setup_and_test(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """The runtime was started by a shell that has another `tool`, in a virtual environment.

    The second shell has none, and that counts too. After a crash of the runtime, and a start from
    a third shell, it is the same.
    """
    seen, old, new = tmp_path / "seen", tmp_path / "old", tmp_path / "new"
    tool(old, "tool", "old")
    tool(new, "tool", "new")
    mine = os.environ["PATH"]
    home.env = {**os.environ, "PATH": f"{old}:{mine}", "VIRTUAL_ENV": "/first"}
    home.serve()
    go = tmp_path / "go"
    head = (
        f"setup = {json.dumps(['tool', str(seen) + '-setup'])}\n"
        f"test = {json.dumps(['tool', str(seen) + '-test'])}\n"
    )
    script = f"$ while [ ! -e {go} ]; do sleep 0.1; done\n$ tool {seen}-terminal\n"
    script += (
        "$ git commit -q --allow-empty -m 'x'; echo y > y; git add -A; git commit -q -m 'y #done'\n"
    )
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder(script)]}, head))
    shell = {**os.environ, "PATH": f"{new}:{mine}"}
    shell.pop("VIRTUAL_ENV", None)
    home.ok("submit", str(plan), env=shell)
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    home.until(lambda row: row["tasks"][0]["terminals"][0]["sent"])
    home.kill()
    home.env = {**os.environ, "VIRTUAL_ENV": "/third"}
    home.serve()
    go.touch()
    home.until(lambda row: row["status"] == "completed")
    for where in ("setup", "terminal", "test"):
        lines = set(Path(f"{seen}-{where}").read_text().splitlines())
        assert lines == {"new venv=none"}, where


def test_a_program_is_looked_for_where_the_submitting_shell_finds_it(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """`check` in that shell and the runtime say the same."""
    tool(tmp_path / "only", "only-there", "x")
    text = plan_text(repo, {"a": [done("a")]}, 'test = ["only-there", "/dev/null"]')
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    home.serve()
    assert home.run("submit", str(plan)).returncode == 2
    shell = {**os.environ, "PATH": f"{tmp_path / 'only'}:{os.environ['PATH']}"}
    assert home.run("check", str(plan), env=shell).returncode == 0
    assert home.run("up", str(plan), env=shell).returncode == 0
    assert git(repo, "show", "main:a") == "x"


def test_a_plan_sets_variables_of_its_own_and_no_keys(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    table = "[environment]\nGREETING = 'hello'\nLC_TIME = 'C'\nVIRTUAL_ENV = ''\n"
    test = json.dumps(["sh", "-c", f"echo $GREETING ${{VIRTUAL_ENV-none}} > {tmp_path / 'test'}"])
    script = f"$ echo $GREETING $LC_TIME > {tmp_path / 'terminal'}\n"
    script += "$ echo y > y; git add -A; git commit -q -m 'y #done'\n"
    acting.begin(plan_text(repo, {"a": [coder(script)]}, f"test = {test}", table))
    acting.status("completed")
    assert (tmp_path / "terminal").read_text() == "hello C\n"
    assert (tmp_path / "test").read_text() == "hello none\n"
    for name, why in (("NPM_TOKEN", "a plan holds no keys"), ("GIT_DIR", "set by Callboard"),
                      ("A B", "name of a variable")):  # fmt: skip
        wrong = plan_text(repo, {"b": [done("b")]}, tail=f"[environment]\n'{name}' = 'x'\n")
        with pytest.raises(Refused) as refusal:
            acting.call("plan.check", plan=wrong, base=str(tmp_path))
        assert refusal.value.body.path == f"environment.{name}"
        assert why in refusal.value.body.message


def test_the_doctor_says_what_the_runtime_and_a_plan_have_otherwise(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}))
    home.env = {**os.environ, "JAVA_HOME": "/old"}
    home.serve()
    shell = {**home.env, "JAVA_HOME": "/new"}
    home.ok("submit", str(plan), env=shell)

    def told(env: dict[str, str]) -> list[str]:
        items = json.loads(home.run("doctor", "--json", env=env).stdout)["items"]
        return [item["what"] for item in items if item["what"].startswith("environment")]

    assert told(shell) == [
        "environment: the runtime has another JAVA_HOME than this shell",
        "environment of demo/: the PATH and toolchain of this shell",
    ]
    assert told(home.env) == [
        "environment: the runtime has the PATH and toolchain of this shell",
        "environment of demo/: its programs get another JAVA_HOME than this shell has",
    ]


def test_a_client_brings_only_what_is_listed(acting: Acting, repo: Path, tmp_path: Path) -> None:
    text = plan_text(repo, {"a": [done("a")]})
    for name in ("LD_PRELOAD", "NPM_TOKEN"):
        with pytest.raises(Refused) as refusal:
            acting.call("plan.submit", plan=text, base=str(tmp_path), variables={name: "x"})
        assert refusal.value.body.code == 422
        assert refusal.value.body.path == f"variables.{name}"
    made = acting.call("plan.submit", plan=text, base=str(tmp_path), variables={"LANG": "C"})
    assert task(acting.home.row(made["id"]), "a")["branch"] == "feat/a"
