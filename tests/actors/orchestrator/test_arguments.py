"""Arguments are read strictly, and a misfit says where it is."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.orchestrator import arguments
from actors.orchestrator.arguments import DEPTH, Misfit
from tests.actors.orchestrator.kit import GOOD, SCHEMA
from tests.bus.test_linear import BOUND, growth

ANY: dict[str, Any] = {"type": "object"}


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{} {}", "not JSON"),
        ("{'a': 1}", "not JSON"),
        ("[]", "must be a JSON object"),
        ('"x"', "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('{"a": NaN}', "not JSON"),
        ('{"a": Infinity}', "not JSON"),
        ('{"a": 1e999}', "not JSON"),
        ('{"a": 1' + "0" * 5000 + "}", "not JSON"),
        ('{"a": 123456789012345678901}', "a must be a number of at most 64 bits"),
        ('{"a": 1, "a": 2}', "a key occurs twice"),
        ('{"a": {"b": [{"c": 1, "c": 1}]}}', "a key occurs twice"),
        ('{"a": "\x01"}', "not JSON"),
        ('{"a": "\\u001b[2J"}', "a holds the control character U+001B"),
        ('{"a": ["ok", "\\u0000"]}', "a[1] holds the control character U+0000"),
        ('{"\\u009b": 1}', "a key of the object holds the control character U+009B"),
        ('{"a": "\\ud800"}', "not JSON"),
        ('{"a": "\ud800"}', "not JSON"),
        (nested(DEPTH + 1), f"nested deeper than {DEPTH} levels"),
        (nested(100_000), f"nested deeper than {DEPTH} levels"),
        ('{"a":' + "[" * 100_000, f"nested deeper than {DEPTH} levels"),
    ],
    ids=range(23),
)
def test_what_is_no_plain_object_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Misfit) as misfit:
        arguments.read(text, ANY)
    assert reason in str(misfit.value)


def test_line_feeds_tabs_and_unicode_pass() -> None:
    value = {"a": "one\n\ttwo — 😀", "b": [1, 2.5, None, True], "c": {"d": -(2**63)}}
    assert arguments.read(json.dumps(value), ANY) == value
    assert arguments.read(nested(DEPTH), ANY)


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        (SCHEMA, {"action": "land", "reason": "x"}, 'action must be one of "nothing", "retry"'),
        (SCHEMA, {"action": "retry"}, "reason is missing"),
        (SCHEMA, {"action": "retry", "reason": 1}, "reason must be of the type string"),
        (SCHEMA, GOOD | {"other": 1}, "other is unknown; known are action, reason"),
        (SCHEMA, GOOD | {"reason": "x" * 101}, "reason must have at most 100 characters"),
        ({"properties": {"n": {"type": "integer"}}}, {"n": True}, "n must be of the type integer"),
        ({"properties": {"n": {"type": "integer"}}}, {"n": 1.5}, "n must be of the type integer"),
        ({"properties": {"n": {"minimum": 1, "maximum": 3}}}, {"n": 4}, "n must be from 1 to 3"),
        ({"properties": {"n": {"const": "x"}}}, {"n": "y"}, 'n must be "x"'),
        (
            {"properties": {"n": {"type": ["string", "null"]}}},
            {"n": 1},
            "n must be of the type string or null",
        ),
        (
            {"properties": {"n": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
            {"n": 1},
            "n must be of the type string or n must be of the type null",
        ),
        (
            {"properties": {"n": {"type": "array", "items": {"type": "string"}}}},
            {"n": ["a", 1]},
            "n[1] must be of the type string",
        ),
        ({"properties": {"n": {"minItems": 1}}}, {"n": []}, "n must have at least 1 entries"),
        (
            {"properties": {"n": {"additionalProperties": {"type": "string"}}}},
            {"n": {"k": 1}},
            "n.k must be of the type string",
        ),
    ],
)
def test_what_does_not_fit_is_named(schema: dict[str, Any], value: object, reason: str) -> None:
    with pytest.raises(Misfit) as misfit:
        arguments.read(json.dumps(value), schema)
    assert str(misfit.value) == reason


class _One(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    number: int
    maybe: str | None = None
    names: list[str] = []


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "text": st.text() | st.integers(),
            "number": st.integers() | st.booleans() | st.text(),
            "maybe": st.none() | st.text() | st.floats(allow_nan=False),
            "names": st.lists(st.text() | st.none()),
            "other": st.none(),
        },
    )
)
def test_what_fits_the_schema_of_a_struct_is_that_struct(value: dict[str, Any]) -> None:
    """The schema that msgspec makes, without its references, says what msgspec decodes."""
    schema = msgspec.json.schema(_One)["$defs"]["_One"]
    try:
        fits = arguments.read(json.dumps(value), schema)
    except Misfit:
        return
    msgspec.convert(fits, _One)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nothing", None),
        ("} {", None),
        ('{"a": 1}', '{"a": 1}'),
        ('so: {"a": {"b": 1}} done', '{"a": {"b": 1}}'),
        ('```json\n{"a": 1}\n``` and {more}', '{"a": 1}'),
        ('```\n{"a": 1}\n```', '{"a": 1}'),
    ],
)
def test_json_in_a_text_is_found(text: str, found: str | None) -> None:
    assert arguments.find(text) == found


@given(st.text(), st.text())
def test_reading_ends_for_every_text(text: str, more: str) -> None:
    given_text = arguments.find(text + "{" + more + "}")
    assert given_text is not None
    with suppress(Misfit):
        arguments.read(given_text, SCHEMA)


@pytest.mark.parametrize("text", ["```json\n", "{", "```json\n{", "``` ", "\n", '"', '\\"'])
def test_finding_is_linear(text: str) -> None:
    assert growth(arguments.find, lambda n: "```" + text * (n // len(text))) < BOUND
