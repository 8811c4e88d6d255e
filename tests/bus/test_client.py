"""The client of the requests socket."""

import json
from pathlib import Path

import msgspec
import pytest

from bus import requests
from bus.address import GATEWAY
from bus.client import Client, NoAnswer
from bus.errors import Refused, malformed
from bus.requests import RuntimeStop
from bus.results import Stopping
from bus.router import Envelope
from tests.bus.wire_kit import Outside


def answer_with(outside: Outside, result: object) -> None:
    def answer(envelope: Envelope) -> None:
        id = requests.id_of(envelope.payload)
        outside.bus.send(envelope.sender, requests.succeeded(id, result))

    outside.answer = answer


def test_a_call_returns_the_result_as_plain_data(outside: Outside) -> None:
    outside.answer = outside.echo
    with Client(outside.endpoint) as client:
        assert client.call("runtime.info") == 30
    assert json.loads(outside.boxes[GATEWAY][0].payload) == {"type": "runtime.info", "id": 1}


def test_a_typed_request_returns_its_struct(outside: Outside) -> None:
    answer_with(outside, {"pid": 7, "terminals": True, "of_a_newer_version": 1})
    with Client(outside.endpoint) as client:
        assert client.ask(RuntimeStop(terminals=True)) == Stopping(pid=7, terminals=True)
    sent = json.loads(outside.boxes[GATEWAY][0].payload)
    assert sent == {"type": "runtime.stop", "id": 1, "terminals": True}


def test_a_result_of_another_shape_is_seen(outside: Outside) -> None:
    answer_with(outside, {"pid": "seven"})
    with Client(outside.endpoint) as client, pytest.raises(msgspec.ValidationError):
        client.ask(RuntimeStop())


def test_a_refusal_comes_out_whole(outside: Outside) -> None:
    def refuse(envelope: Envelope) -> None:
        id = requests.id_of(envelope.payload)
        error = malformed("task[0].id", "no", help="do this")
        outside.bus.send(envelope.sender, requests.refused(id, error))

    outside.answer = refuse
    with Client(outside.endpoint) as client, pytest.raises(Refused) as caught:
        client.call("plan.submit", plan="")
    assert caught.value.body == malformed("task[0].id", "no", help="do this").body
    assert str(caught.value) == "task[0].id: no"


def test_a_request_that_is_too_large_is_refused_and_not_waited_for(outside: Outside) -> None:
    with Client(outside.endpoint) as client, pytest.raises(Refused, match="1048576"):
        client.call("plan.submit", plan="x" * (2 << 20))


def test_no_answer_is_its_own_error_and_has_a_time(outside: Outside) -> None:
    with Client(outside.endpoint, timeout=0.2) as client, pytest.raises(NoAnswer, match=r"0\.2 s"):
        client.call("runtime.info")


def test_a_late_answer_is_not_taken_for_the_next_one(outside: Outside) -> None:
    with Client(outside.endpoint, timeout=0.2) as client:
        with pytest.raises(NoAnswer):
            client.call("runtime.info")
        (late,) = outside.until(GATEWAY, 1)
        outside.bus.send(late.sender, requests.succeeded(1, "late"))
        outside.answer = outside.echo
        assert client.call("runtime.info", timeout=20) == 30


def test_a_request_nobody_waits_for_any_more_is_not_carried_out_later(directory: Path) -> None:
    endpoint = f"ipc://{directory}/later"
    with Client(endpoint, timeout=0.2) as client:
        with pytest.raises(NoAnswer):
            client.call("workflow.start", workflow="demo")
        outside = Outside(endpoint)
        outside.answer = outside.echo
        client.call("runtime.info", timeout=20)
        outside.bus.stop()
    kinds = [json.loads(e.payload)["type"] for e in outside.boxes[GATEWAY]]
    assert kinds == ["runtime.info"]
