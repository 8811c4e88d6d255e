"""The plan: every rule, and that nothing whatsoever gets past as another error."""

import json
import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bus.errors import Refused
from bus.plan import Plan, decode
from tests.sample_plan import SAMPLE

FULL = (
    SAMPLE
    + """
[[task.terminal]]
cli = "mine"
role = "reviewer"
instruction = "judge"
[[task]]
id = "i18n"
branch = "feat/i18n"
[[task.terminal]]
cli = "mine"
instruction = "translate"
"""
)


def full() -> dict[str, Any]:
    return tomllib.loads(FULL)


def refused(source: Any) -> tuple[str, str]:
    """The path and the rule; always 422."""
    with pytest.raises(Refused) as caught:
        decode(source)
    body = caught.value.body
    assert (body.code, body.reason) == (422, "malformed")
    return body.path, body.message


def changed(path: str, value: Any) -> dict[str, Any]:
    """The full plan with one key set (a dict is merged, `None` takes the key out)."""
    plan: Any = full()
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    at = plan
    for part in way:
        at = at[part]
    if value is not None:
        at[last] = value
    elif isinstance(at, list) or last in at:
        del at[last]  # type: ignore[arg-type]
    return dict(plan)


def test_the_contract_s_plan_is_taken_with_its_defaults() -> None:
    plan = decode(FULL)
    assert [t.id for t in plan.task] == ["login", "i18n"]
    assert plan.task[0].terminal[0].role == plan.task[1].terminal[0].role == "coder"
    assert (plan.test_timeout, plan.max_terminals, plan.test_retries) == (600, 4, 0)
    assert plan.provider["glm"].api_key_env == "GLM_API_KEY"


def test_toml_bytes_and_json_mean_the_same() -> None:
    assert decode(FULL) == decode(FULL.encode()) == decode(json.loads(json.dumps(full())))


def test_a_plan_comes_back_from_the_database_as_it_went_in() -> None:
    plan = decode(FULL)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        # unknown keys, at every level
        ("nmae", "x", "nmae"),
        ("task.0.brnch", "x", "task[0].brnch"),
        ("task.1.terminal.0.modle", "x", "task[1].terminal[0].modle"),
        ("merge.clii", "x", "merge.clii"),
        ("error.retries", 1, "error.retries"),
        ("orchestrator.key", "sk-secret", "orchestrator.key"),
        ("provider.glm.api_key", "sk-secret", "provider.glm.api_key"),
        # missing keys, at every level
        ("name", None, "name"),
        ("repo", None, "repo"),
        ("task", None, "task"),
        ("task.0.id", None, "task[0].id"),
        ("task.0.branch", None, "task[0].branch"),
        ("task.0.terminal", None, "task[0].terminal"),
        ("task.0.terminal.1.cli", None, "task[0].terminal[1].cli"),
        ("task.0.terminal.1.instruction", None, "task[0].terminal[1].instruction"),
        ("merge.cli", None, "merge.cli"),
        ("orchestrator.model", None, "orchestrator.model"),
        ("provider.glm.base_url", None, "provider.glm.base_url"),
        # wrong types
        ("name", 7, "name"),
        ("repo", ["."], "repo"),
        ("target", True, "target"),
        ("test", "pytest", "test"),
        ("test", ["pytest", 1], "test[1]"),
        ("test_timeout", "600", "test_timeout"),
        ("max_terminals", 2.5, "max_terminals"),
        ("task", {"id": "a"}, "task"),
        ("task.0", "login", "task[0]"),
        ("task.0.terminal.0", 1, "task[0].terminal[0]"),
        ("merge", "claude", "merge"),
        ("provider", [], "provider"),
        ("provider.glm", "x", "provider.glm"),
        ("cli.mine", "x", "cli.mine"),
        ("copy", ".env", "copy"),
        # values no plan can mean
        ("name", "", "name"),
        ("name", "¡!", "name"),
        ("repo", "", "repo"),
        ("target", "", "target"),
        ("test", [], "test"),
        ("test", [""], "test[0]"),
        ("test_timeout", 0, "test_timeout"),
        ("test_timeout", -1, "test_timeout"),
        ("test_timeout", float("inf"), "test_timeout"),
        ("test_timeout", float("nan"), "test_timeout"),
        ("stall_after", 1e300, "stall_after"),
        ("test_retries", -1, "test_retries"),
        ("max_terminals", 0, "max_terminals"),
        ("max_terminals", 10**30, "max_terminals"),
        ("task", [], "task"),
        ("task.0.terminal", [], "task[0].terminal"),
        ("task.0.terminal.0.instruction", "", "task[0].terminal[0].instruction"),
        ("task.0.terminal.0.instruction", "x" * 200_001, "task[0].terminal[0].instruction"),
        ("task.0.terminal.0.role", "boss", "task[0].terminal[0].role"),
        ("task.0.terminal.0.auto_confirm", "yes", "task[0].terminal[0].auto_confirm"),
        ("task.0.terminal.0.timeout", 0, "task[0].terminal[0].timeout"),
        ("orchestrator.api_type", "mystery", "orchestrator.api_type"),
        ("orchestrator.base_url", "http://model.example/v1", "orchestrator.base_url"),
        ("orchestrator.base_url", "https://me:secret@model.example", "orchestrator.base_url"),
        ("orchestrator.base_url", "model.example", "orchestrator.base_url"),
        # ids
        ("task.0.id", "", "task[0].id"),
        ("task.0.id", "Login", "task[0].id"),
        ("task.0.id", "-login", "task[0].id"),
        ("task.0.id", "a/b", "task[0].id"),
        ("task.0.id", "..", "task[0].id"),
        ("task.0.id", "a b", "task[0].id"),
        ("task.0.id", "login\n", "task[0].id"),
        ("task.0.id", "é", "task[0].id"),
        ("task.0.id", "x" * 49, "task[0].id"),
        ("task.0.id", "merge", "task[0].id"),
        ("task.0.id", "error", "task[0].id"),
        ("task.0.id", "watcher", "task[0].id"),
        ("task.0.id", "merger", "task[0].id"),
        ("task.1.id", "login", "task[1].id"),
        # branches
        ("task.0.branch", "", "task[0].branch"),
        ("task.1.branch", "feat/login", "task[1].branch"),
        ("task.1.branch", "main", "task[1].branch"),
        # what must be in the same plan
        ("task.1.terminal.0.role", "reviewer", "task[1].terminal[0].role"),
        # NUL, which no argument, path or environment takes
        ("repo", "a\0b", "repo"),
        ("test", ["a\0b"], "test[0]"),
        ("task.0.terminal.0.model", "a\0", "task[0].terminal[0].model"),
        ("cli.mine.command", ["a\0"], "cli.mine.command[0]"),
        ("cli.mine.env", {"A\0": "x"}, "cli.mine.env.A\\x00"),
    ],
)
def test_a_wrong_plan_is_refused_with_the_key_s_path(path: str, value: Any, at: str) -> None:
    where, message = refused(changed(path, value))
    assert where == at
    assert message
    assert "sk-secret" not in message


@pytest.mark.parametrize(
    "source",
    [
        b"\xff\xfe",
        "name = ",
        "[[task]",
        "name = 'a'\nname = 'b'",
        "a = " + "[" * 100_000,
        "",
        "a.b.c = 1",
        [],
    ],
)
def test_what_is_no_plan_at_all_is_refused(source: Any) -> None:
    refused(source)


def test_depth_is_refused_however_it_comes() -> None:
    deep: Any = "x"
    for _ in range(50_000):
        deep = [deep]
    where, _ = refused({**full(), "cli": {"mine": {"command": deep}}})
    assert where in ("", "cli.mine.command") or where.startswith("cli.mine.command[")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
PATHS = st.sampled_from(
    ["name", "repo", "target", "test", "test_timeout", "stall_after", "max_terminals", "merge",
     "merge.attempts", "provider", "provider.glm", "cli", "cli.mine", "task", "task.0",
     "task.0.id", "task.0.branch", "task.0.terminal", "task.0.terminal.0.role", "copy", "setup",
     "task.0.terminal.0.timeout", "orchestrator", "task.1.name"]
)  # fmt: skip


@given(st.text())
@example("\x00")
@example("name='\\ud800'")
def test_any_text_is_a_plan_or_refused(text: str) -> None:
    refused(text)


@given(st.binary())
def test_any_bytes_are_refused(data: bytes) -> None:
    refused(data)


@given(st.dictionaries(st.text(), JSON))
def test_any_object_is_refused(source: dict[str, Any]) -> None:
    refused(source)


@given(PATHS, JSON)
@example("cli.mine", {"env": {"\ud800": "x"}})
def test_any_value_at_any_key_is_refused_or_survives_the_database(path: str, value: Any) -> None:
    plan: Plan | None = None
    code = 0
    try:
        plan = decode(changed(path, value))
    except Refused as error:
        code = error.body.code
    if plan is None:
        assert code == 422
        return
    again = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)
    assert msgspec.structs.replace(again, cli={}) == msgspec.structs.replace(plan, cli={})
