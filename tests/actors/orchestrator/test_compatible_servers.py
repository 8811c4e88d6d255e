"""Servers that speak only a part of an API: each is asked in the form that it knows."""

import json

import msgspec
import pytest

from actors.orchestrator.thoughts import ApiType
from tests.actors.orchestrator.kit import GOOD, QUICK, have, have_all, thought
from tests.scripted_model import JSON, STREAM, Asked, Reply, Said, ScriptedModel, refusal, speak

BOTH: tuple[ApiType, ...] = ("openai-compatible", "anthropic-compatible")


def _says_json(_: Asked) -> Said:
    return "Well:\n```json\n" + json.dumps(GOOD, indent=1) + "\n```\nThat is all."


@pytest.mark.parametrize("api_type", [*BOTH, "openai", "anthropic"])
def test_a_strict_tool_is_asked_first(api_type: ApiType) -> None:
    with ScriptedModel(lambda _: GOOD) as model:
        had = have(thought(model.endpoint(api_type)))
    assert (had.arguments, had.over.rung, had.over.model) == (GOOD, "tool", "scripted")
    assert (had.over.tokens_in, had.over.tokens_out, had.over.exact) == (10, 10, True)
    assert [asked.way for asked in model.asked] == ["strict"]
    assert len(had.attempts) == had.over.attempts == 1


def _no_strict(asked: Asked) -> Said:
    return refusal(400, "Unknown parameter: strict") if asked.way == "strict" else GOOD


def _no_object_choice(asked: Asked) -> Said:
    choice = asked.body.get("tool_choice")
    named = isinstance(choice, dict) and choice["type"] not in ("any",)
    return refusal(422, "tool_choice: value is not a valid string") if named else GOOD


def _jinja(asked: Asked) -> Said:
    if asked.tool:
        return refusal(500, "tools param requires --jinja flag")
    return GOOD


def _no_endpoint_for_tools(asked: Asked) -> Said:
    return refusal(404, "No endpoints found that support tool use.") if asked.tool else GOOD


def _text_only(asked: Asked) -> Said:
    known = {"model", "messages", "stream", "stream_options", "max_tokens", "system"}
    return refusal(400, "extra_forbidden") if asked.body.keys() - known else GOOD


def _deaf_to_tools(asked: Asked) -> Said:
    return "I would do nothing." if asked.tool else GOOD


def _empty_arguments(asked: Asked) -> Said:
    if not asked.tool:
        return GOOD
    return Reply(200, STREAM, speak(asked, {}).pieces) if asked.is_anthropic else _empty(asked)


def _empty(asked: Asked) -> Reply:
    pieces = [
        piece.replace(b'"arguments": "{}"', b'"arguments": ""') for piece in speak(asked, {}).pieces
    ]
    return Reply(200, STREAM, tuple(pieces))


@pytest.mark.parametrize("api_type", BOTH)
@pytest.mark.parametrize(
    ("server", "rung"),
    [
        (_no_strict, "tool"),
        (_no_object_choice, "tool"),
        (_jinja, "schema"),
        (_no_endpoint_for_tools, "schema"),
        (_text_only, "schema"),
        (_deaf_to_tools, "schema"),
    ],
)
def test_a_refused_form_is_followed_by_one_that_is_known(
    api_type: ApiType, server: object, rung: str
) -> None:
    with ScriptedModel(server) as model:  # type: ignore[arg-type]
        endpoint = model.endpoint(api_type)
        first, second = have_all([thought(endpoint), thought(endpoint, id="two")])
    assert (first.arguments, first.over.rung) == (GOOD, rung)
    assert (second.arguments, second.over.attempts) == (GOOD, 1), "the form is remembered"


def test_an_empty_text_of_arguments_is_none() -> None:
    with ScriptedModel(_empty_arguments) as model:
        had = have(thought(model.endpoint()))
    assert (had.arguments, had.over.rung) == (GOOD, "schema")


def test_arguments_that_are_an_object_count() -> None:
    def server(asked: Asked) -> Said:
        text = json.dumps(json.dumps(GOOD)).encode()
        pieces = [
            piece.replace(text, json.dumps(GOOD).encode()) for piece in speak(asked, GOOD).pieces
        ]
        assert pieces != list(speak(asked, GOOD).pieces) or asked.is_anthropic
        return Reply(200, STREAM, tuple(pieces))

    with ScriptedModel(server) as model:
        had = have(thought(model.endpoint()))
    assert (had.arguments, had.over.rung) == (GOOD, "tool")


@pytest.mark.parametrize("api_type", BOTH)
def test_a_server_that_does_not_stream_is_read(api_type: ApiType) -> None:
    def server(asked: Asked) -> Said:
        quiet = Asked(asked.path, asked.headers, asked.body | {"stream": False})
        return speak(quiet, GOOD)

    with ScriptedModel(server) as model:
        had = have(thought(model.endpoint(api_type)))
    assert (had.arguments, had.over.rung, had.over.exact) == (GOOD, "tool", True)


@pytest.mark.parametrize("api_type", BOTH)
def test_json_among_words_is_found(api_type: ApiType) -> None:
    with ScriptedModel(_says_json) as model:
        had = have(thought(model.endpoint(api_type)))
    assert (had.arguments, had.over.rung) == (GOOD, "schema")


def test_a_server_that_knows_no_stream_options_is_not_asked_for_its_tokens() -> None:
    def server(asked: Asked) -> Said:
        if "stream_options" in asked.body:
            return refusal(400, "Unrecognized request argument supplied: stream_options")
        pieces = [piece.replace(b'"usage"', b'"other"') for piece in speak(asked, GOOD).pieces]
        return Reply(200, STREAM, tuple(pieces))

    with ScriptedModel(server) as model:
        had = have(thought(model.endpoint()))
    assert (had.arguments, had.over.rung) == (GOOD, "tool")
    assert not had.over.exact
    assert had.over.tokens_in == had.attempts[-1].tokens_in, "the estimate of what was sent"
    assert had.over.tokens_out > 0


def test_a_schema_with_keys_that_may_be_missing_is_not_strict_for_openai() -> None:
    schema = {"type": "object", "properties": {"action": {"type": "string"}}, "required": []}
    with ScriptedModel(lambda _: {}) as model:
        asked = thought(model.endpoint())
        had = have(type(asked)("one", asked.endpoints, "s", "q", schema, 9, 60.0))
    assert [each.way for each in model.asked] == ["plain"]
    assert had.arguments == {}


def test_no_reference_is_sent() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}
    with ScriptedModel(lambda _: GOOD) as model:
        asked = thought(model.endpoint())
        had = have(type(asked)("one", asked.endpoints, "s", "q", schema, 9, 60.0))
    assert (had.over.attempts, model.asked) == (0, [])
    assert "$ref" in had.over.error


@pytest.mark.parametrize("api_type", BOTH)
def test_arguments_that_do_not_fit_are_repaired_once(api_type: ApiType) -> None:
    def server(asked: Asked) -> Said:
        return GOOD if "refused" in asked.question else GOOD | {"action": "land"}

    with ScriptedModel(server) as model:
        had = have(thought(model.endpoint(api_type)))
    assert (had.arguments, had.over.rung, had.over.attempts) == (GOOD, "repair", 2)
    assert 'action must be one of "nothing", "retry"' in model.asked[1].question
    assert '"land"' in model.asked[1].question, "the model sees what it had said"
    assert (had.over.tokens_in, had.over.tokens_out) == (20, 20)


@pytest.mark.parametrize("api_type", BOTH)
def test_after_one_repair_there_is_no_decision(api_type: ApiType) -> None:
    with (
        ScriptedModel(lambda _: {"action": "nothing"}) as model,
        ScriptedModel(lambda _: GOOD) as other,
    ):
        had = have(thought(model.endpoint(api_type), other.endpoint()))
    assert (had.arguments, had.over.rung, had.over.attempts) == (None, "none", 2)
    assert "reason is missing" in had.over.error
    assert other.asked == [], "a fallback is for an endpoint that does not answer"


@pytest.mark.parametrize("api_type", BOTH)
def test_an_answer_cut_at_its_limit_is_repaired(api_type: ApiType) -> None:
    def server(asked: Asked) -> Said:
        if "refused" in asked.question:
            return GOOD
        pieces = [
            piece.replace(b'"reason', b'"rea')
            .replace(b'\\"reason\\": \\"all is well\\"}', b'\\"rea')
            .replace(b'"tool_calls"}', b'"length"}')
            .replace(b'"stop_reason": "tool_use"', b'"stop_reason": "max_tokens"')
            for piece in speak(asked, GOOD).pieces
        ]
        return Reply(200, STREAM, tuple(pieces))

    with ScriptedModel(server) as model:
        had = have(thought(model.endpoint(api_type)))
    assert (had.arguments, had.over.rung) == (GOOD, "repair")
    assert "cut at its limit" in model.asked[1].question


def test_a_call_of_another_tool_is_no_call() -> None:
    def server(asked: Asked) -> Said:
        pieces = [piece.replace(b'"decide"', b'"delete"') for piece in speak(asked, GOOD).pieces]
        return Reply(200, STREAM, tuple(pieces)) if asked.tool else GOOD

    for api_type in BOTH:
        with ScriptedModel(server) as model:
            had = have(thought(model.endpoint(api_type)))
        assert (had.arguments, had.over.rung) == (GOOD, "schema")


def test_a_server_without_a_word_for_the_end_is_read() -> None:
    """No `[DONE]`, and the connection stays open."""

    def server(asked: Asked) -> Said:
        return Reply(200, STREAM, speak(asked, GOOD).pieces[:-1], hang=True)

    with ScriptedModel(server) as model:
        had = have(thought(model.endpoint()), msgspec.structs.replace(QUICK, last=0.1))
    assert (had.arguments, had.over.exact, had.over.attempts) == (GOOD, True, 1)


def test_json_is_the_only_other_type() -> None:
    """A stream that calls itself JSON is none of both."""

    def server(asked: Asked) -> Said:
        return Reply(200, JSON, speak(asked, GOOD).pieces)

    with ScriptedModel(server) as model:
        had = have(thought(model.endpoint()))
    assert had.arguments is None
    assert "not what this API promises" in had.over.error
