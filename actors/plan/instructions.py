"""Instructions from files (`instruction_file`), and the variables in instructions.

Variables are replaced only in a plan that has a table `[variables]`: in any other plan a brace is a
brace. There `{issue.title}` is the text of `title` in `[variables.issue]`, and `{{` and `}}` are a
brace. Callboard itself gives `task.id`, `task.name`, `task.branch`, `plan.name` and `plan.target`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.platform.files import read_bounded
from bus.checked import PLACEHOLDER
from bus.errors import malformed
from bus.plan import Plan
from bus.plan_words import nearest

MAX_BYTES = 800_000
"""The size of a file with an instruction: 200 000 characters of at most four bytes."""

_OWN = ("task", "plan")
_BRACES = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}\n]*)\}|\{")


def with_instructions(raw: Any, base: str) -> Any:
    """Return a decoded plan with the text of each instruction in it, and without variables.

    A relative file is taken from the directory `base`. Leave what has not the form of a plan as it
    is; the conversion refuses it later. Raise `Refused` (422) with the key's path.
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("task"), list):
        return raw
    variables = None
    if isinstance(raw.get("variables"), dict):
        variables = _flat(raw["variables"], "variables")
        raw = {name: value for name, value in raw.items() if name != "variables"}
        variables |= {f"plan.{key}": str(raw.get(key, "")) for key in ("name", "target")}
    return {**raw, "task": [_of_task(t, base, f"task[{i}]", variables)
                            for i, t in enumerate(raw["task"])]}  # fmt: skip


def unwritten(plan: Plan, source: str | dict[str, Any]) -> list[str]:
    """Return a note for each instruction that is still the placeholder of `init`.

    The note has the line, counted from 1, where `source` is the text of the plan and each line with
    the placeholder in it belongs to one of them.
    """
    found = [
        f"task[{i}].terminal[{j}].instruction"
        for i, task in enumerate(plan.task)
        for j, terminal in enumerate(task.terminal)
        if terminal.instruction.strip() == PLACEHOLDER
    ]
    text = source.split("\n") if isinstance(source, str) else []
    lines = [f", line {n}" for n, line in enumerate(text, 1) if PLACEHOLDER in line]
    if len(lines) != len(found):
        lines = [""] * len(found)
    return [
        f"{key}{line}: is the one that `init` wrote, {PLACEHOLDER!r}; write your own there"
        for key, line in zip(found, lines, strict=True)
    ]


def in_task(task: Any, base: str) -> Any:
    """Return a task with the texts of its instruction files; its path is `task`."""
    return _of_task(task, base, "task", None)


def in_terminal(
    terminal: Any, base: str, path: str = "terminal", variables: Mapping[str, str] | None = None
) -> Any:
    """Return a terminal with the text of its instruction. Raise `Refused` (422)."""
    if not isinstance(terminal, dict):
        return terminal
    name, where = terminal.get("instruction_file"), ""
    if isinstance(name, str) and name:
        if "instruction" in terminal:
            raise malformed(f"{path}.instruction_file", "stands beside `instruction`; give one")
        text, where = _read(name, base, f"{path}.instruction_file"), f"{name}, "
        rest = {key: value for key, value in terminal.items() if key != "instruction_file"}
        terminal = {**rest, "instruction": text}
    text = terminal.get("instruction")
    if variables is None or not isinstance(text, str):
        return terminal
    return {**terminal, "instruction": _filled(text, variables, f"{path}.instruction", where)}


def _of_task(task: Any, base: str, path: str, variables: Mapping[str, str] | None) -> Any:
    if not isinstance(task, dict) or not isinstance(task.get("terminal"), list):
        return task
    if variables is not None:
        name = task.get("name") or task.get("id", "")
        own = {"id": task.get("id", ""), "name": name, "branch": task.get("branch", "")}
        variables = {**variables, **{f"task.{key}": str(value) for key, value in own.items()}}
    terminals = [
        in_terminal(each, base, f"{path}.terminal[{j}]", variables)
        for j, each in enumerate(task["terminal"])
    ]
    return {**task, "terminal": terminals}


def _read(name: str, base: str, path: str) -> str:
    file = Path(name)
    if not file.is_absolute():
        if not base:
            raise malformed(path, "must be absolute where the plan comes without a directory")
        file = Path(base) / file
    try:
        return read_bounded(file, MAX_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise malformed(path, f"{name!r} cannot be read: {why}") from error


def _flat(table: Mapping[str, Any], path: str) -> dict[str, str]:
    """Return the values of a table of tables by their dotted names."""
    found: dict[str, str] = {}
    todo: list[tuple[str, Any]] = [(name, value) for name, value in table.items()]
    for name, _ in todo:
        if name in _OWN:
            raise malformed(f"{path}.{name}", "is a name Callboard uses itself")
    while todo:
        name, value = todo.pop()
        if isinstance(value, dict):
            todo += [(f"{name}.{key}", inner) for key, inner in value.items()]
        elif isinstance(value, str | int | float):
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
        else:
            raise malformed(f"{path}.{name}", "must be text, a number, true or false")
    return found


def _filled(text: str, variables: Mapping[str, str], path: str, where: str) -> str:
    """Return the text with its variables replaced. Raise `Refused` with line and column."""

    def place(match: re.Match[str]) -> str:
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - text.rfind("\n", 0, match.start())
        return f"{where}line {line}, column {column}"

    def value(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        name = match["name"]
        if name is None:
            raise malformed(path, f"{place(match)}: a brace is written `{{{{`")
        if name.strip() not in variables:
            near = nearest(name.strip(), variables)
            meant = f"; did you mean {{{near}}}?" if near else "; a brace is written `{{`"
            raise malformed(path, f"{place(match)}: there is no variable {{{name}}}{meant}")
        return variables[name.strip()]

    return _BRACES.sub(value, text)
