"""Addresses: paths that end in `/`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import address


def test_everything_has_the_address_of_the_contract() -> None:
    assert address.workflow("demo") == "demo/"
    assert address.task("demo", "login") == "demo/login/"
    assert address.terminal("demo", "login", 1) == "demo/login/1/"
    assert address.terminal("demo", "login", "error") == "demo/login/error/"
    assert address.merge_terminal("demo") == "demo/merge/"


def test_a_task_cannot_take_the_name_of_something_else() -> None:
    assert address.merge_terminal("demo").split("/")[1] in address.RESERVED_TASKS


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("demo", "demo"),
        ("Login & i18n!", "login-i18n"),
        ("  --x--  ", "x"),
        ("Ünïcode", "n-code"),
        ("日本", "plan"),
        ("a" * 100, "a" * 48),
        ("a" * 47 + " b", "a" * 47),
        ("../../etc/passwd", "etc-passwd"),
    ],
)
def test_a_workflow_s_id_is_its_plan_s_name_as_a_slug(name: str, id: str) -> None:
    assert address.slug(name) == id


@given(st.text())
def test_whatever_the_name_the_id_is_a_slug(name: str) -> None:
    assert re.fullmatch(address.SLUG, address.slug(name))


@pytest.mark.parametrize(
    ("given", "normal"), [("", ""), ("a", "a/"), ("a/", "a/"), ("a/b", "a/b/"), ("/", "/")]
)
def test_the_last_slash_may_be_left_out(given: str, normal: str) -> None:
    assert address.normal(given) == normal


def test_the_parts_of_an_address() -> None:
    assert address.workflow_of("demo/login/1/") == "demo"
    assert address.task_of("demo/login/1/") == "demo/login/"
    assert address.workflow_of("") == ""
