"""Whatever bytes a server sends, each thought ends once, and the next one is thought."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.orchestrator.thoughts import ApiType
from tests.actors.orchestrator.kit import GOOD, SCHEMA, have_all, thought
from tests.actors.orchestrator.test_failing_servers import AGAIN, BOTH, ONCE
from tests.actors.orchestrator.test_process import Kept
from tests.scripted_model import JSON, STREAM, Asked, Reply, Said, ScriptedModel, speak


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedModel]:
    with ScriptedModel(lambda _: GOOD) as model:
        yield model


def ends(server: ScriptedModel, api_type: ApiType, reply: Reply) -> None:
    """The thought ends without a defect, and one with another key is thought as before."""
    server.script = lambda asked: reply if asked.headers["authorization"] == "Bearer k" else GOOD
    bad, good = server.endpoint(api_type, key="k"), server.endpoint(api_type)
    had, alone = have_all([thought(bad, good), thought(bad, id="two")])
    for each in (had, alone):
        assert "a defect" not in each.over.error
        assert each.over.attempts == len(each.attempts)
        assert (each.arguments is None) == bool(each.over.error) == (each.over.rung == "none")
    if "one repair" not in had.over.error:
        assert had.arguments is not None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
WORDS = (
    *("type", "index", "message", "content_block", "delta", "usage", "error", "content", "model"),
    *("choices", "tool_calls", "function", "arguments", "name", "finish_reason", "stop_reason"),
    *("text", "input", "partial_json", "input_tokens", "output_tokens", "prompt_tokens"),
)
TYPES = (
    *("message_start", "content_block_start", "content_block_delta", "message_delta"),
    *("message_stop", "tool_use", "text", "error", "ping", "decide", "max_tokens"),
)
known = st.recursive(
    values | st.sampled_from(TYPES),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
    ),
    max_leaves=12,
)
"""JSON of the words that the readers know, in places where they do not belong."""


@given(api_type=st.sampled_from(BOTH), pieces=st.lists(st.binary(max_size=200), max_size=4))
@settings(max_examples=20)
def test_bytes_instead_of_http(
    server: ScriptedModel, api_type: ApiType, pieces: list[bytes]
) -> None:
    ends(server, api_type, Reply(raw=True, pieces=tuple(pieces)))


@given(
    api_type=st.sampled_from(BOTH),
    kind=st.sampled_from([JSON, STREAM]),
    status=st.sampled_from([200, 201, 299, 307, 400, 404, 418, 429, 500]),
    pieces=st.lists(st.binary(max_size=200), max_size=4),
)
@settings(max_examples=25)
def test_bytes_instead_of_an_answer(
    server: ScriptedModel,
    api_type: ApiType,
    kind: dict[str, str],
    status: int,
    pieces: list[bytes],
) -> None:
    ends(server, api_type, Reply(status, kind, tuple(pieces)))


@given(api_type=st.sampled_from(BOTH), events=st.lists(known, max_size=4), whole=st.booleans())
@settings(max_examples=40)
def test_json_instead_of_an_answer(
    server: ScriptedModel, api_type: ApiType, events: list[Any], whole: bool
) -> None:
    documents = [json.dumps(event).encode() for event in events]
    if whole:
        ends(server, api_type, Reply(200, JSON, (b"".join(documents),)))
    else:
        lines = tuple(b"data: " + each + b"\n\n" for each in documents)
        ends(server, api_type, Reply(200, STREAM, (*lines, b"data: [DONE]\n\n")))


@given(
    api_type=st.sampled_from(BOTH),
    place=st.floats(0, 1),
    length=st.integers(0, 30),
    other=st.binary(max_size=30),
)
@settings(max_examples=30)
def test_a_good_answer_of_which_a_part_is_other_bytes(
    server: ScriptedModel, api_type: ApiType, place: float, length: int, other: bytes
) -> None:
    whole = b"".join(speak(_asked(api_type), GOOD).pieces)
    at = int(place * len(whole))
    ends(server, api_type, Reply(200, STREAM, (whole[:at], other, whole[at + length :])))


def _asked(api_type: ApiType) -> Asked:
    path = "/v1/messages" if "anthropic" in api_type else "/v1/chat/completions"
    tool = {"name": "decide", "function": {"name": "decide"}, "parameters": SCHEMA}
    return Asked(path, {}, {"model": "scripted", "stream": True, "tools": [tool]})


@pytest.mark.parametrize("api_type", BOTH)
@pytest.mark.parametrize("size", [1, 7])
def test_an_answer_in_small_pieces_is_read(
    server: ScriptedModel, api_type: ApiType, size: int
) -> None:
    said = GOOD | {"reason": "ä€😀\n" * 5}
    whole = b"".join(speak(_asked(api_type), said).pieces).replace(b"\n", b"\r\n")
    pieces = tuple(whole[at : at + size] for at in range(0, len(whole), size))
    server.script = lambda _: Reply(200, STREAM, pieces)
    assert have_all([thought(server.endpoint(api_type))])[0].arguments == said


def test_one_process_outlives_all_of_them() -> None:
    """Every failing server of these tests, and good answers with other bytes in them, at once."""
    chance = random.Random(20)
    scripts: dict[str, Any] = {}
    for name, (failing, _) in (*ONCE.items(), *AGAIN.items()):
        scripts[f"Bearer {name.replace(' ', '-')}"] = failing
    for number in range(40):
        whole = b"".join(speak(_asked("openai-compatible"), GOOD).pieces)
        at = chance.randrange(len(whole))
        reply = Reply(200, STREAM, (whole[:at], chance.randbytes(9), whole[at + 9 :]))
        scripts[f"Bearer bytes-{number}"] = lambda _, reply=reply: reply

    def script(asked: Asked) -> Said:
        said: Said = scripts[asked.headers["authorization"]](asked)
        return said

    kept = Kept()
    try:
        with ScriptedModel(script) as model:
            names = [name.removeprefix("Bearer ") for name in scripts]
            for name in names:
                kept.keeper.ask(thought(model.endpoint(key=name), id=name))
            pid = kept.keeper.pid
            overs = [kept.over() for _ in names]
            scripts["Bearer good"] = lambda _: GOOD
            kept.keeper.ask(thought(model.endpoint(key="good"), id="good"))
            last = kept.over()
            assert sorted(over.id for over in overs) == sorted(names)
            assert [over.error for over in overs if "defect" in over.error] == []
            assert (last.id, last.arguments, kept.keeper.pid) == ("good", GOOD, pid)
            assert kept.heard.empty()
    finally:
        kept.close()
