"""Requests: every type is decoded, and whatever is no request is refused (422)."""

import json
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.merger.janitor import CLEAR_SECONDS
from bus import messages, requests
from bus.errors import Refused
from bus.messages import Answer, Order

EVERY: dict[str, dict[str, Any]] = {
    "plan.check": {"plan": "x"},
    "plan.submit": {"plan": {"name": "x"}, "base": "/"},
    "workflow.list": {},
    "workflow.get": {"workflow": "w"},
    "workflow.prepare": {"workflow": "w"},
    "workflow.start": {"workflow": "w"},
    "workflow.pause": {"workflow": "w", "freeze": True},
    "workflow.resume": {"workflow": "w"},
    "workflow.stop": {"workflow": "w"},
    "workflow.repair": {"workflow": "w", "cli": "claude"},
    "workflow.clean": {"workflow": "w", "dry_run": True, "keep_outputs": True},
    "workflow.forget": {"workflow": "w"},
    "task.retry": {"task": "w/t"},
    "task.approve": {"task": "w/t"},
    "task.reject": {"task": "w/t", "reason": "r"},
    "task.add": {"workflow": "w", "task": {"id": "t"}},
    "task.cancel": {"task": "w/t"},
    "task.move": {"task": "w/t", "position": 2},
    "terminal.add": {"task": "w/t", "terminal": {"cli": "claude"}},
    "instruction.replace": {"terminal": "w/t/1", "instruction": "do"},
    "plan.set": {"workflow": "w", "max_terminals": 2, "test": ["true"], "test_timeout": 1.5},
    "plan.show": {"workflow": "w"},
    "orchestrator.ask": {"workflow": "w", "text": "why?"},
    "orchestrator.accept": {"workflow": "w", "question": 2},
    "task.diff": {"task": "w/t", "stat": True},
    "merge.preview": {"workflow": "w"},
    "merge.continue": {"workflow": "w"},
    "merge.abort": {"workflow": "w"},
    "config.restore": {"workflow": "w"},
    "config.accept": {"workflow": "w"},
    "terminal.answer": {"terminal": "w/t/1", "choice": "Yes"},
    "terminal.send": {"terminal": "w/t/1", "text": "go on"},
    "terminal.output": {"terminal": "w/t/1/", "offset": 3, "limit": 10, "wait": 1.5},
    "terminal.input": {"terminal": "w/t/1/", "text": "x", "key": "k", "session": "s"},
    "terminal.resize": {"terminal": "w/t/1/", "rows": 40, "columns": 120},
    "terminal.take": {"terminal": "w/t/1/", "session": "s", "incarnation": 2},
    "terminal.enter": {"terminal": "w/t/1/"},
    "terminal.give": {"terminal": "w/t/1/", "session": "s"},
    "terminal.screen": {"terminal": "w/t/1/"},
    "usage": {"address": "w/t"},
    "tree.inspect": {},
    "events.replay": {"after": 3, "limit": 10, "address": "w/"},
    "events.newest": {"addresses": ["w/", "w/t/"], "types": ["task.status"]},
    "events.compact": {},
    "snapshot": {},
    "why": {"address": "w/"},
    "runtime.info": {},
    "runtime.stop": {"terminals": True},
}


def frame(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def refused(data: bytes) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        requests.decode(data)
    assert caught.value.body.code == 422
    reply = json.loads(requests.refused(requests.id_of(data), caught.value))
    assert (reply["ok"], reply["error"]["code"]) == (False, 422)
    return caught.value.body.path, caught.value.body.message


def test_every_type_there_is_stands_in_this_test() -> None:
    union = typing.get_args(requests.AnyRequest)
    assert {kind.__struct_config__.tag for kind in union} == set(EVERY)


@pytest.mark.parametrize("type", EVERY)
def test_a_request_is_decoded_with_its_id(type: str) -> None:
    request = requests.decode(frame(type=type, id="any", **EVERY[type]))
    assert request.id == "any"
    for name, value in EVERY[type].items():
        assert getattr(request, name) == value


@pytest.mark.parametrize("type", EVERY)
def test_a_field_it_does_not_have_is_refused_by_name(type: str) -> None:
    assert refused(frame(type=type, **EVERY[type], extra=1))[0] == "extra"


@pytest.mark.parametrize(
    ("type", "field"), [(type, field) for type, fields in EVERY.items() for field in fields]
)
def test_a_field_of_a_wrong_type_is_refused_by_its_path(type: str, field: str) -> None:
    assert refused(frame(type=type, **{**EVERY[type], field: None}))[0] == field


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (frame(type="workflow.start"), "workflow"),
        (frame(type="task.reject", task="w/t", reason=""), "reason"),
        (frame(type="task.reject", task="w/t", reason=" \n"), "reason"),
        (frame(type="events.replay", after=-1), "after"),
        (frame(type="events.replay", after=2**63), "after"),
        (frame(type="events.replay", limit=0), "limit"),
        (frame(type="events.replay", limit=10_001), "limit"),
        (frame(type="workflow.list", id=[1]), "id"),
        (frame(type="workflow.list", id={}), "id"),
        (frame(type="workflow.list", id=10**30), "id"),
    ],
)
def test_a_value_no_request_can_mean_is_refused(data: bytes, path: str) -> None:
    assert refused(data)[0] == path


@pytest.mark.parametrize("id", ["any", "", 0, -1, 2**63 - 1, 1.5, True, None])
@pytest.mark.parametrize("type", EVERY)
def test_an_id_comes_back_as_it_was_and_survives_the_way_between_actors(id: Any, type: str) -> None:
    request = requests.decode(frame(type=type, id=id, **EVERY[type]))
    reply = json.loads(requests.succeeded(request.id, {}))
    assert (reply["id"], type_of(reply["id"])) == (id, type_of(id))
    sent: Any = Answer("client/x", request.id, "Yes")
    if isinstance(request, requests.Command):
        sent = Order("client/x", request)
    assert messages.decode(messages.encode(sent)) == sent


def type_of(value: Any) -> type:
    return type(value)


def test_the_id_of_a_request_that_is_wrong_otherwise_is_known() -> None:
    assert requests.id_of(b'{"type":"nonsense","id":5}') == 5
    assert requests.id_of(b"not json") is None
    assert requests.id_of(b'{"id":[1]}') is None


def test_an_unknown_type_is_named() -> None:
    path, message = refused(frame(type="workflow.dance"))
    assert path == "type"
    assert "workflow.dance" in message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\xff",
        b"nonsense",
        b"{",
        b"[]",
        b"null",
        b"1",
        b"{}",
        b'{"type":1}',
        b'{"type":"runtime.info"}{}',
        b'{"type":"runtime.info","id":"\xff"}',
        b'{"type":"runtime.info","id":"\\ud800"}',
        b'{"type":"runtime.info","id":1e999}',
        b'{"type":"plan.check","plan":{"a":' + b"[" * 100_000,
        b'{"type":"plan.check","plan":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b"x" * (requests.MAX_FRAME + 1),
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    refused(data)


@given(st.binary())
@example(b'{"type":"runtime.info"')
def test_any_bytes_are_refused_or_a_request(data: bytes) -> None:
    try:
        requests.decode(data)
    except Refused as error:
        json.loads(requests.refused(requests.id_of(data), error))


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(st.sampled_from(sorted(EVERY)), st.dictionaries(st.sampled_from(
    ["id", "workflow", "task", "plan", "base", "after", "limit", "address", "terminal", "choice",
     "reason", "freeze", "terminals", "cli"]), VALUES))  # fmt: skip
def test_any_fields_are_refused_or_a_request_that_can_travel(
    type: str, fields: dict[str, Any]
) -> None:
    try:
        data = msgspec.json.encode({"type": type, **EVERY[type], **fields})
    except UnicodeEncodeError:
        return
    try:
        request = requests.decode(data)
    except Refused as error:
        json.loads(requests.refused(requests.id_of(data), error))
        return
    json.loads(requests.succeeded(request.id))
    if isinstance(request, requests.Command):
        messages.decode(messages.encode(Order("client/x", request)))


@pytest.mark.parametrize("number", [10**30, -(10**30), 2**64])
def test_a_number_that_no_message_can_hold_is_refused(number: int) -> None:
    """A plan's own part is free of types, and travels between actors as it is."""
    data = json.dumps({"type": "plan.check", "plan": {"limits": {"cost": number}}}).encode()
    with pytest.raises(Refused) as refused:
        requests.decode(data)
    assert refused.value.body.code == 422
    fits = json.dumps({"type": "plan.check", "plan": {"limits": {"cost": 2**63}}}).encode()
    messages.encode(messages.PlanAsk("client/x", requests.decode(fits)))  # type: ignore[arg-type]


def test_a_client_waits_longer_for_a_cleaning_than_the_cleaning_may_take() -> None:
    for request in (requests.WorkflowClean(workflow="w"), requests.WorkflowForget(workflow="w")):
        assert request.patience > CLEAR_SECONDS
    assert requests.WorkflowGet(workflow="w").patience == 60
