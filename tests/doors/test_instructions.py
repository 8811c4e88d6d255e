"""Instructions from files and with variables: what `check` shows is what is typed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.doors.acting import Acting
from tests.doors.kit import Call, coder, plan_text
from tests.repositories import git

VARIABLES = '[variables]\nlevel = 3\n[variables.issue]\ntitle = "Log in"\n'


def from_file(name: str) -> dict[str, Any]:
    return {"cli": "scripted", "instruction_file": name}


def checked(call: Call, path: Path, text: str) -> tuple[int, Any, str]:
    path.write_text(text)
    code, out, errors = call("check", str(path), "--json")
    return code, json.loads(out) if code == 0 else None, errors


def test_the_text_of_a_file_is_the_instruction(call: Call, repo: Path, tmp_path: Path) -> None:
    """Several plans of one directory may share it; a brace is a brace."""
    (tmp_path / "work.md").write_text("\ufeffWrite {it}.\nThen {{commit}}.\n")
    for name in ("one.toml", "two.toml"):
        text = plan_text(repo, {"a": [from_file("work.md")]}).replace('"demo"', f'"{name[:3]}"')
        code, shown, errors = checked(call, tmp_path / name, text)
        assert code == 0, errors
        assert shown["tasks"][0]["instructions"] == ["Write {it}.\nThen {{commit}}.\n"]


def test_variables_are_replaced_where_the_plan_has_some(
    call: Call, repo: Path, tmp_path: Path
) -> None:
    text = "{issue.title} ({level}) on {task.branch} of {plan.name}: {{x}} }}"
    (tmp_path / "work.md").write_text(text)
    tasks = {"a": [coder("do {task.id}: {task.name}"), from_file("work.md")]}
    code, shown, errors = checked(call, tmp_path / "p.toml", plan_text(repo, tasks, tail=VARIABLES))
    assert code == 0, errors
    words = shown["tasks"][0]["instructions"]
    assert words == ["do a: a", "Log in (3) on feat/a of demo: {x} }"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x\n y {issue.titel}", ["line 2, column 4", "{issue.titel}", "mean {issue.title}?"]),
        ("if (a) { b }", ["line 1, column 8", "no variable { b }"]),
        ("open {", ["line 1, column 6", "`{{`"]),
    ],
)
@pytest.mark.parametrize("in_a_file", [True, False])
def test_an_unknown_variable_is_told_with_its_place(
    call: Call, repo: Path, tmp_path: Path, text: str, words: list[str], in_a_file: bool
) -> None:
    (tmp_path / "work.md").write_text(text)
    terminal = from_file("work.md") if in_a_file else coder(text)
    plan = plan_text(repo, {"a": [terminal]}, tail=VARIABLES)
    code, _, errors = checked(call, tmp_path / "p.toml", plan)
    assert code == 2
    for word in ["task[0].terminal[0].instruction", *words, *(["work.md"] if in_a_file else [])]:
        assert word in errors


@pytest.mark.parametrize(
    "wrong", ["missing", "directory", "fifo", "bytes", "large", "both", "none"]
)
def test_a_file_that_is_none_is_refused_with_the_key(
    call: Call, repo: Path, tmp_path: Path, wrong: str
) -> None:
    file = tmp_path / "work.md"
    match wrong:
        case "directory":
            file.mkdir()
        case "fifo":
            os.mkfifo(file)
        case "bytes":
            file.write_bytes(b"\xff\xfe")
        case "large":
            file.write_bytes(b"x" * 900_000)
        case "both":
            file.write_text("x")
    terminal = from_file("work.md") | ({"instruction": "x"} if wrong == "both" else {})
    terminal = {"cli": "scripted"} if wrong == "none" else terminal
    code, _, errors = checked(call, tmp_path / "p.toml", plan_text(repo, {"a": [terminal]}))
    assert code == 2
    key = "instruction" if wrong == "none" else "instruction_file"
    assert f"task[0].terminal[0].{key}" in errors


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ("variables = 3", "variables"),
        ("[variables]\nx = [1]", "variables.x"),
        ("[variables.task]\nid = 'x'", "variables.task"),
    ],
)
def test_variables_that_are_none_are_refused(
    call: Call, repo: Path, tmp_path: Path, variables: str, path: str
) -> None:
    text = plan_text(repo, {"a": [coder("x")]})
    where = {"head": variables} if "=" in variables.split("\n")[0] else {"tail": variables}
    text = plan_text(repo, {"a": [coder("x")]}, **where)  # type: ignore[arg-type]
    code, _, errors = checked(call, tmp_path / "p.toml", text)
    assert code == 2
    assert f"error: {path}: " in errors


def test_a_file_is_read_once_at_the_submission_and_for_what_is_added(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work.md"
    work.write_text("$ echo one > a; git add a; git commit -q -m 'a #done'\n")
    acting.begin_later(plan_text(repo, {"a": [from_file("work.md")]}))
    more = tmp_path / "more.md"
    more.write_text("$ echo two > b; git add b; git commit -q -m 'b #done'\n")
    added = tmp_path / "more.toml"
    added.write_text(
        '[[task]]\nid = "b"\nbranch = "feat/b"\n[[task.terminal]]\ncli = "scripted"\n'
        'instruction_file = "more.md"\n'
    )
    acting.home.ok("task", "add", "demo", str(added))
    last = tmp_path / "last.toml"
    last.write_text('[[terminal]]\ncli = "scripted"\ninstruction_file = "last.md"\n')
    refused = acting.home.run("terminal", "add", "demo/b", str(last))
    assert refused.returncode == 2
    assert "terminal.instruction_file" in refused.stderr
    work.write_text("changed\n")
    acting.home.ok("prepare", "demo")
    acting.home.ok("start", "demo")
    acting.status("completed")
    assert (repo / "a").read_text() == "one\n"
    assert git(repo, "show", "main:b") == "two"
