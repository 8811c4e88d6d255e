"""Every command that is printed can be typed as it is printed, from where the user is, and works.

Hazard 71.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors.acting import Acting, say
from tests.doors.kit import PYTHON, ROOT, Home, coder, done, plan_text

REFUSED = 4
"""A command that is no way on in the state it was printed for."""


def printed(text: str) -> list[str]:
    """The commands of ours in a text, each to the end of its `--home`."""
    start = re.escape(shlex.join([PYTHON, str(ROOT / "run.py")]))
    return re.findall(rf"{start} .*?--home (?:'[^']*'|\S+)", text)


def typed(command: str, where: Path) -> "subprocess.CompletedProcess[str]":
    """What a shell does with it in another directory."""
    return subprocess.run(
        ["sh", "-c", command], cwd=where, capture_output=True, text=True, timeout=90, check=False
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home whose path must be quoted."""
    home = Home(tmp_path / "it is a home")
    yield home
    home.close()


def test_commands_of_a_failure_a_question_and_a_review_work_as_printed(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    home.serve()
    try:
        acting = Acting(home)
        tasks = {
            "asks": [coder("@ ask Which colour? | dark red | green\n" + say("paint #done"))],
            "fails": [coder(say("cannot #fail"))],
            "reviewed": [coder(say("look at it #review"))],
        }
        acting.begin(plan_text(repo, tasks))
        acting.fact("terminal.blocked")
        acting.until(
            lambda row: [t["status"] for t in row["tasks"][1:]] == ["failed", "review_pending"]
        )
        shown = printed(home.ok("ps").split("demo/ ")[0])
        answers = [command for command in shown if " answer " in command]
        assert any("'dark red'" in command for command in answers)
        assert any(" retry demo/fails " in command for command in shown)
        assert any(" approve demo/reviewed " in command for command in shown)
        for command in [answers[0], *(c for c in shown if " answer " not in c)]:
            ran = typed(command, tmp_path)
            assert ran.returncode == 0, (command, ran.stderr)
    finally:
        home.close()


def test_the_repair_of_a_red_tree_works_as_printed(home: Home, repo: Path, tmp_path: Path) -> None:
    """Also where the plan has no [error]: then the program of its first terminal repairs."""
    home.serve()
    try:
        acting = Acting(home)
        acting.begin(plan_text(repo, {"a": [done("a")]}, head='test = ["false"]'))
        acting.status("failed")
        (command,) = {c for c in printed(home.ok("ps")) if " repair " in c}
        ran = typed(command, tmp_path)
        assert ran.returncode == 0, (command, ran.stderr)
        acting.until(lambda row: row["merge_terminal"])
        assert acting.row()["merge_terminal"]["cli"] == "scripted"
    finally:
        home.close()


def test_commands_of_errors_are_understood(home: Home, repo: Path, tmp_path: Path) -> None:
    """A command that helps may wait for another step.

    It is never misspelled or without its address.
    """
    plan = tmp_path / "a plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}))
    served = home.serve()
    try:
        for words in (
            ["serve"],
            ["ps", "nobody"],
            ["start", "nobody"],
            ["submit", str(plan)],
            ["start", "demo"],
            ["approve", "demo/a"],
            ["retry", "demo/nobody"],
            ["repair", "demo"],
            ["merge", "demo", "--continue"],
            ["prepare", "demo"],
        ):
            ran = home.run(*words)
            for command in printed(ran.stdout + ran.stderr):
                again = typed(command, tmp_path)
                assert again.returncode in (0, REFUSED), (words, command, again.stderr)
        helps = printed(home.run("doctor").stdout)
        home.ok("down")
        assert served.stdout is not None
        helps += printed(served.stdout.read())
        assert any(command.split(" --home")[0].endswith("down --terminals") for command in helps)
        ended = [command for command in helps if " down --terminals " in command]
        assert typed(ended[0], tmp_path).returncode == 0
    finally:
        home.close()


def test_the_answer_is_about_what_was_asked(acting: Acting, repo: Path) -> None:
    tasks = {"a": [coder(say("not a #fail"))], "b": [coder(say("nor b #fail"))]}
    acting.begin(plan_text(repo, tasks))
    acting.until(lambda row: {task["status"] for task in row["tasks"]} == {"failed"})
    assert acting.home.ok("retry", "demo/b").startswith("demo/b/ ")
    for words, what in ((["pause", "demo/b"], "a task"), (["pause", "demo/b/1"], "a terminal")):
        ran = acting.home.run(*words)
        assert ran.returncode == 2
        assert f"error: {words[1]} is {what}; its workflow is demo" in ran.stderr
    assert "no workflow 'demo/nobody'" in acting.home.run("pause", "demo/nobody").stderr
