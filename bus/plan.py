"""The plan: what a user asks for, as TOML or JSON, decoded strictly.

`decode` checks everything that can be known without looking at a repository or at
what is installed; those checks stand in `actors.plan.check`. Unknown keys are errors:
a misspelled key that is ignored is a plan that does something else (hazard 4's kin).
"""

import re
import tomllib
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import msgspec

from bus import address
from bus.converting import converter
from bus.errors import Refused, malformed

Text = Annotated[str, msgspec.Meta(min_length=1)]
Instruction = Annotated[str, msgspec.Meta(min_length=1, max_length=200_000)]
"""What a terminal is told goes to its host as one frame, which holds a megabyte."""
Seconds = Annotated[float, msgspec.Meta(gt=0, le=31_536_000)]
"""A year at most: infinity has no JSON, and timers have an end."""
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Argv = Annotated[list[Text], msgspec.Meta(min_length=1)]

AutoConfirm = Literal["never", "known", "bypass"]
Switch = Literal["isolated", "global"]
Role = Literal["coder", "reviewer"]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    pass


class TerminalPlan(_Strict):
    """One program. `timeout` (seconds of work, absent: none) counts from the moment it
    gets its instruction."""

    cli: Text
    instruction: Instruction
    role: Role = "coder"
    provider: str = ""
    model: str = ""
    auto_confirm: AutoConfirm = "bypass"
    switch: Switch = "isolated"
    timeout: Seconds | None = None


class TaskPlan(_Strict):
    id: Annotated[str, msgspec.Meta(pattern=rf"^{address.SLUG}\Z", max_length=48)]
    branch: Text
    terminal: Annotated[list[TerminalPlan], msgspec.Meta(min_length=1)]
    name: str = ""


class HelperPlan(_Strict):
    """A terminal that is started when something went wrong: `[merge]`, `[error]`."""

    cli: Text
    provider: str = ""
    model: str = ""
    auto_confirm: AutoConfirm = "bypass"
    switch: Switch = "isolated"
    attempts: Count = 1
    timeout: Seconds | None = None


class Orchestrator(_Strict):
    api_type: Literal["openai", "anthropic", "openai-compatible", "anthropic-compatible"]
    model: Text
    base_url: str = ""
    api_key_env: str = ""


class Provider(_Strict):
    """A model endpoint. The key is named by its environment variable, never written."""

    base_url: Text
    model: str = ""
    api_key_env: str = ""


class Plan(_Strict):
    name: Text
    repo: Text
    task: Annotated[list[TaskPlan], msgspec.Meta(min_length=1)]
    target: Text = "main"
    test: Argv | None = None
    test_timeout: Seconds = 600
    test_retries: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    max_terminals: Count = 4
    max_review_rounds: Count = 3
    stall_after: Seconds = 600
    idle_after: Seconds = 20
    nudges: Annotated[int, msgspec.Meta(ge=0, le=100)] = 2
    setup: Argv | None = None
    copy: list[Text] = []
    test_env: list[Text] = []
    merge: HelperPlan | None = None
    error: HelperPlan | None = None
    orchestrator: Orchestrator | None = None
    provider: dict[str, Provider] = {}
    cli: dict[str, dict[str, Any]] = {}


_plan = converter(Plan)
_provider = converter(Provider)
_table = converter(dict[str, Any])


_MAX_DEPTH = 32

_AT = re.compile(r" - at `\$\.?(?P<path>.*)`$")
_FIELD = re.compile(r"field `(?P<field>[^`]+)`")


def refusal(error: Exception) -> Refused:
    """A decoding error of msgspec as ours: the path of the field apart from the rule."""
    text = str(error)
    at = _AT.search(text)
    path = at["path"] if at else ""
    rule = text[: at.start()] if at else text
    if field := _FIELD.search(rule):
        path = f"{path}.{field['field']}" if path else field["field"]
    return malformed(path, rule)


def decode(source: str | bytes | dict[str, Any]) -> Plan:
    """A plan from TOML text or from an already decoded JSON object.

    Raises `Refused` (422) with the key's path and the rule.
    """
    try:
        if isinstance(source, bytes):
            source = source.decode()
        raw = tomllib.loads(source) if isinstance(source, str) else source
    except UnicodeDecodeError as error:
        raise malformed("", f"the plan is not UTF-8: {error}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise malformed("", f"the plan is not TOML: {error}") from error
    try:
        plan = _plan(raw)
    except msgspec.ValidationError as error:
        wrong = refusal(error)
        wrong.body.path = _named(wrong.body.path, raw)
        raise wrong from error
    except RecursionError as error:
        raise malformed("", "the plan is nested too deeply") from error
    _check_texts(raw, "")
    _check(plan)
    return plan


def _named(path: str, raw: Any) -> str:
    """msgspec says `provider[...]` of any provider: which one it is."""
    for table, convert in (("provider", _provider), ("cli", _table)):
        if path.startswith(f"{table}[...]"):
            for name, value in raw[table].items():
                try:
                    convert(value)
                except msgspec.ValidationError:
                    return path.replace("[...]", f".{name}", 1)
    return path


def _check_texts(value: Any, path: str, depth: int = 0) -> None:
    """No path, argument or environment takes a NUL, and no file or socket half a character,
    wherever in the plan it stands."""
    if depth > _MAX_DEPTH:
        raise malformed(path, "the plan is nested too deeply")
    match value:
        case str():
            if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
                raise malformed(path, "must not hold a NUL or half a character")
        case dict():
            for key, inner in value.items():
                where = f"{path}.{key!s}".lstrip(".")
                _check_texts(key, ascii(where)[1:-1], depth + 1)
                _check_texts(inner, where, depth + 1)
        case list():
            for index, inner in enumerate(value):
                _check_texts(inner, f"{path}[{index}]", depth + 1)


def _check(plan: Plan) -> None:
    if not re.search(r"[a-zA-Z0-9]", plan.name):
        raise malformed("name", "must have at least one letter a-z or digit")
    ids: dict[str, int] = {}
    branches: dict[str, int] = {}
    for i, task in enumerate(plan.task):
        if task.id in address.RESERVED_TASKS:
            raise malformed(f"task[{i}].id", f"{task.id!r} is a name Callboard uses itself")
        for key, value, seen in (("id", task.id, ids), ("branch", task.branch, branches)):
            if value in seen:
                raise malformed(
                    f"task[{i}].{key}", f"{value!r} is already used by task[{seen[value]}]"
                )
            seen[value] = i
        if task.branch == plan.target:
            raise malformed(f"task[{i}].branch", "must not be the target itself")
        for j, terminal in enumerate(task.terminal):
            if not terminal.instruction.strip():
                raise malformed(f"task[{i}].terminal[{j}].instruction", "must say something")
        if task.terminal[0].role == "reviewer":
            raise malformed(f"task[{i}].terminal[0].role", "there is nothing to review yet")
    for index, pattern in enumerate(plan.copy):
        parts = PurePosixPath(pattern).parts
        if pattern.startswith("/") or ".." in parts or ".git" in parts:
            raise malformed(
                f"copy[{index}]", "must be a pattern below the repository, not its .git"
            )
