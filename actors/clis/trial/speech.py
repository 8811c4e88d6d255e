"""Say a text or call a tool as a model does, in each API.

The events of a stream (`say_…`) and the whole answer (`whole_…`).
"""

import json
import time
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def _name(kind: str) -> str:
    return f"{kind}_{time.monotonic_ns():x}"


def say_anthropic(text: str, call: tuple[str, Json] | None, model: str) -> Iterator[Json]:
    """Yield the events of an Anthropic message."""
    block: Json = {"type": "text", "text": ""}
    delta: Json = {"type": "text_delta", "text": text}
    if call:
        block = {"type": "tool_use", "id": _name("toolu"), "name": call[0], "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(call[1])}
    usage = {"input_tokens": 10, "output_tokens": 10}
    message: dict[str, Any] = {
        "id": _name("msg"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    stop = {"stop_reason": "tool_use" if call else "end_turn", "stop_sequence": None}
    yield {"type": "message_start", "message": message}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": stop, "usage": usage}
    yield {"type": "message_stop"}


def whole_anthropic(text: str, call: tuple[str, Json] | None, model: str) -> Json:
    """Return an Anthropic message that is not streamed."""
    message: Json = next(say_anthropic(text, call, model))["message"]
    content: Json = {"type": "text", "text": text}
    if call:
        content = {"type": "tool_use", "id": _name("toolu"), "name": call[0], "input": call[1]}
    stop = "tool_use" if call else "end_turn"
    return {**message, "content": [content], "stop_reason": stop}


def say_responses(text: str, call: tuple[str, Json] | None, model: str) -> Iterator[Json]:
    """Yield the events of an OpenAI response."""
    item: Json = {
        "type": "message",
        "id": _name("msg"),
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    if call and call[0] == "local_shell":
        action = {"type": "exec", "command": ["bash", "-lc", call[1]["cmd"]], "env": {}}
        item = {"type": "local_shell_call", "status": "completed", "action": action}
        item |= {"id": _name("ls"), "call_id": _name("call")}
    elif call:
        namespace, _, name = call[0].rpartition(".")
        item = {"type": "function_call", "name": name, "arguments": json.dumps(call[1])}
        item |= {"namespace": namespace} if namespace else {}
        item |= {"id": _name("fc"), "call_id": _name("call"), "status": "completed"}
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 20,
    }
    base: Json = {"id": _name("resp"), "object": "response", "model": model, "output": []}
    done = base | {"status": "completed", "output": [item], "usage": usage}
    yield {"type": "response.created", "response": base | {"status": "in_progress"}}
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    if not call:
        part = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        yield {"type": "response.output_text.delta", "delta": text, **part}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": done}


def whole_responses(text: str, call: tuple[str, Json] | None, model: str) -> Json:
    """Return an OpenAI response that is not streamed."""
    *_, last = say_responses(text, call, model)
    response: Json = last["response"]
    return response


def say_chat(text: str, call: tuple[str, Json] | None, model: str) -> Iterator[Json]:
    """Yield the events of an OpenAI chat completion."""
    delta: Json = {"role": "assistant", "content": text}
    if call:
        function = {"name": call[0], "arguments": json.dumps(call[1])}
        made = {"index": 0, "id": _name("call"), "type": "function", "function": function}
        delta = {"role": "assistant", "content": None, "tool_calls": [made]}
    base = {
        "id": _name("chatcmpl"),
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
    }
    reason = "tool_calls" if call else "stop"
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    yield base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield base | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}


def whole_chat(text: str, call: tuple[str, Json] | None, model: str) -> Json:
    """Return an OpenAI chat completion that is not streamed."""
    first, last = say_chat(text, call, model)
    choice = last["choices"][0] | {"message": first["choices"][0]["delta"]}
    return last | {"object": "chat.completion", "choices": [choice]}


def say_gemini(text: str, call: tuple[str, Json] | None, model: str) -> Iterator[Json]:
    """Yield the events of a Gemini generation."""
    yield whole_gemini(text, call, model)


def whole_gemini(text: str, call: tuple[str, Json] | None, model: str) -> Json:
    """Return a Gemini generation that is not streamed."""
    part: Json = {"functionCall": {"name": call[0], "args": call[1]}} if call else {"text": text}
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 20}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}
