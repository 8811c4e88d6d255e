"""The fake model acts in each API: calls the shell tool it is offered, then closes."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from actors.clis.trial.hearing import CLOSING
from tests.fake_model import FakeModel

SCHEMA = {
    "type": "object",
    "properties": {"command": {"type": "string"}, "is_background": {"type": "boolean"}},
    "required": ["command", "is_background"],
}
USER = "Do it.\nRUN: touch x"
ASKED = {"command": "touch x", "is_background": False}


def post(url: str, body: dict[str, Any], **headers: str) -> Any:
    made = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(made, timeout=10) as answer:
        text = answer.read().decode()
    if answer.headers["content-type"] == "application/json":
        return json.loads(text)
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic(stream: bool) -> None:
    tools = [{"name": "Bash", "input_schema": SCHEMA}]
    body: dict[str, Any] = {"model": "m", "stream": stream, "tools": tools}
    with FakeModel("true") as model:
        url = f"{model.url}/v1/messages"
        body["messages"] = [{"role": "user", "content": [{"type": "text", "text": USER}]}]
        said = post(url, body, **{"x-api-key": "k"})
        call = said[1]["content_block"] if stream else said["content"][0]
        asked = json.loads(said[2]["delta"]["partial_json"]) if stream else call["input"]
        assert (call["name"], asked) == ("Bash", ASKED)
        result = [{"type": "tool_result", "tool_use_id": call["id"], "content": ""}]
        body["messages"] += [
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": result},
        ]
        said = post(url, body, **{"x-api-key": "k"})
        text = said[2]["delta"]["text"] if stream else said["content"][0]["text"]
        assert text == CLOSING
        first = model.wait_for(lambda r: r["step"] == "tool")
        assert first == {
            "path": "/v1/messages",
            "key": "k",
            "model": "m",
            "texts": [USER],
            "tools": ["Bash"],
            "step": "tool",
            "marks": [],
            "calls": 0,
            "older": [],
        }


def test_openai_responses() -> None:
    parameters = {"properties": {"cmd": {"type": "string"}, "sandbox_permissions": {}}}
    tools = [{"type": "function", "name": "exec_command", "parameters": parameters}]
    items = [{"role": "user", "content": [{"type": "input_text", "text": USER}]}]
    with FakeModel("true") as model:
        url = f"{model.url}/v1/responses"
        body = {"model": "m", "stream": True, "tools": tools, "input": items}
        call = post(url, body, authorization="Bearer k")[-1]["response"]["output"][0]
        asked = json.loads(call["arguments"])
        assert (asked["cmd"], asked["sandbox_permissions"]) == ("touch x", "require_escalated")
        items += [call, {"type": "function_call_output", "call_id": call["call_id"]}]
        closing = post(url, body)[-1]["response"]["output"][0]
        assert closing["content"][0]["text"] == CLOSING
        assert model.requests[0]["key"] == "k"


@pytest.mark.parametrize("stream", [False, True])
def test_openai_chat(stream: bool) -> None:
    tools = [{"type": "function", "function": {"name": "bash", "parameters": SCHEMA}}]
    body = {"model": "m", "stream": stream, "tools": tools}
    with FakeModel("true") as model:
        url = f"{model.url}/v1/chat/completions"
        said = post(url, body | {"messages": [{"role": "user", "content": USER}]})
        choice = said[0]["choices"][0]["delta"] if stream else said["choices"][0]["message"]
        assert json.loads(choice["tool_calls"][0]["function"]["arguments"]) == ASKED


def test_gemini() -> None:
    tools = [
        {"functionDeclarations": [{"name": "run_shell_command", "parametersJsonSchema": SCHEMA}]}
    ]
    body = {"tools": tools, "contents": [{"role": "user", "parts": [{"text": USER}]}]}
    with FakeModel("true") as model:
        url = f"{model.url}/v1beta/models/gem:generateContent"
        said = post(url, body, **{"x-goog-api-key": "k"})
        call = said["candidates"][0]["content"]["parts"][0]["functionCall"]
        assert call == {"name": "run_shell_command", "args": ASKED}
        assert (model.requests[0]["model"], model.requests[0]["key"]) == ("gem", "k")


def test_side_questions_are_answered() -> None:
    with FakeModel("true") as model:
        assert post(f"{model.url}/v1/messages/count_tokens", {}) == {"input_tokens": 10}
        with urllib.request.urlopen(f"{model.url}/v1/models", timeout=10) as answer:
            assert json.load(answer)["object"] == "list"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fail", "raised"), [("429", "429"), ("cut", "IncompleteRead")])
def test_a_turn_can_be_refused_or_cut(fail: str, raised: str, stream: bool) -> None:
    body = {"stream": stream, "messages": [{"role": "user", "content": USER}]}
    with (
        FakeModel("true", fail=fail) as model,
        pytest.raises((urllib.error.HTTPError, http.client.IncompleteRead), match=raised),
    ):
        post(f"{model.url}/v1/chat/completions", body)
