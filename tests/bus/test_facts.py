"""Facts: what is stored is what is read, and a new field breaks nobody's old journal."""

import json
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import facts, status
from bus.action import Action, Do
from bus.facts import AnyFact, Fact, decode_fact, encode_fact, fact_type

KINDS: tuple[type[Any], ...] = typing.get_args(AnyFact)


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    float | None: st.none() | st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    list[str]: st.lists(TEXT, max_size=3),
    dict[str, str]: st.dictionaries(TEXT, TEXT, max_size=3),
    dict[str, Any]: st.dictionaries(
        TEXT, st.one_of(TEXT, st.integers(0, 9), st.lists(TEXT, max_size=3)), max_size=3
    ),
}
VALUES[list[Action]] = st.lists(
    st.builds(Action, st.sampled_from(Do), TEXT, VALUES[dict[str, str]]), max_size=3
)


def _values(type: Any) -> st.SearchStrategy[Any]:
    return VALUES[type] if type in VALUES else st.from_type(type)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=30)
def test_every_fact_comes_back_as_it_went_in(kind: type[Any], data: st.DataObject) -> None:
    values = {f.name: data.draw(_values(f.type)) for f in msgspec.structs.fields(kind)}
    fact = kind(**values)
    assert decode_fact(encode_fact(fact)) == fact


@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_has_its_head_on_the_wire(kind: type[Any]) -> None:
    fact = _smallest(kind)
    shown = json.loads(encode_fact(fact))
    assert shown["type"] == fact_type(fact) == kind.__struct_config__.tag
    assert (shown["seq"], shown["at"], shown["address"]) == (1, "now", "a/")


def test_types_are_unique_and_every_class_is_in_the_union() -> None:
    tags = [kind.__struct_config__.tag for kind in KINDS]
    assert len(tags) == len(set(tags))
    assert set(Fact.__subclasses__()) == set(KINDS)


def test_a_field_added_later_does_not_break_an_old_reader() -> None:
    fact = decode_fact(
        b'{"type":"runtime.stopped","seq":1,"at":"","address":"runtime/","reason":"r","new":[1]}'
    )
    assert fact == facts.RuntimeStopped(seq=1, address="runtime/", reason="r")


def test_the_class_says_who_decides_on_it() -> None:
    observed = {fact_type(_smallest(kind)) for kind in KINDS if kind.observed}
    assert {"commit.seen", "terminal.exited", "merge.tested"} <= observed
    assert not observed & {"workflow.status", "task.status", "terminal.status", "repair.offered"}


def test_a_status_is_one_word_spelled_once() -> None:
    """Hazard 13."""
    for enum in (status.WorkflowStatus, status.TaskStatus, status.TerminalStatus):
        for word in enum:
            assert word == word.name.lower()
            assert enum(str(word)) is word


def _smallest(kind: type[Any]) -> Any:
    values: dict[str, Any] = {"seq": 1, "at": "now", "address": "a/"}
    samples: dict[Any, Any] = {str: "x", int: 1, float: 1.5, bool: True, list[str]: ["x"]}
    samples |= {list[int]: [1], dict[str, Any]: {"x": 1}}
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in values:
            if field.type in samples:
                values[field.name] = samples[field.type]
            else:
                enum = next(a for a in (typing.get_args(field.type) or (field.type,)) if a)
                values[field.name] = next(iter(enum))
    return kind(**values)


def test_an_offer_that_the_first_version_wrote_as_text_is_read() -> None:
    old = b'{"type":"repair.offered","seq":7,"at":"","address":"w/","failed":[],"evidence":"",'
    old += b'"commands":["python run.py why w"]}'
    fact = decode_fact(old)
    assert isinstance(fact, facts.RepairOffered)
    assert (fact.actions, fact.commands) == ([], ["python run.py why w"])
