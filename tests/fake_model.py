"""A model server on 127.0.0.1 that makes real CLIs act without a model.

It speaks the Anthropic messages API, the OpenAI responses and chat completions APIs and the
Gemini API, streamed or not. Its one script: a turn of the user is answered with a call of the
CLI's own shell tool (found among the tools of the request) that runs a command; the result of
that call is answered with a closing sentence. A CLI without tools that asks for whole files in the
text (aider) gets one, and a commit message with `#done`. The command is the text after `RUN: ` in
the user's turn, else the server's own. Any other request (titles, quota checks) gets a sentence.

Every request is logged: `{"path", "key", "model", "texts", "tools", "step"}`; `texts` are the
texts of the user's last turn as they arrived. In a test: `with FakeModel("true") as model: …
model.url … model.wait_for(lambda r: r["step"] == "tool")`. In a network namespace, or by hand:
`python tests/fake_model.py --command 'touch x'`, which prints its address, then each request, as
one line of JSON each.
"""

import argparse
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

CLOSING = "The work is committed. Nothing is left to do."
SENTENCE = "Understood."
WHOLE_FILE = "made.txt\n```\nmade by the fake model\n```\n"
COMMIT_MESSAGE = "Add made.txt #done"
SHELL_TOOLS = (
    "Bash",
    "bash",
    "run_shell_command",
    "exec_command",
    "shell_command",
    "shell",
    "local_shell",
)
Json = dict[str, Any]


class Tool:
    """A CLI's shell tool and how it wants a command: built from its own JSON schema."""

    def __init__(self, name: str, schema: Json) -> None:
        self.name = name
        self.schema = schema

    def arguments(self, command: str) -> Json:
        """Arguments that run `command`: whatever else the schema requires gets a plain value.
        Where the tool has a sandbox (codex) it asks to run outside of it, as a commit must."""
        properties: Json = self.schema.get("properties", {})
        key = "command" if "command" in properties else "cmd"
        kind = str(properties.get(key, {}).get("type", "string")).lower()
        made: Json = {key: ["bash", "-lc", command] if kind == "array" else command}
        if "sandbox_permissions" in properties:
            made |= {"sandbox_permissions": "require_escalated", "justification": "to commit"}
        plain = {"string": "run it", "boolean": False, "integer": 60000, "number": 60000}
        for name in self.schema.get("required", []):
            kind = str(properties.get(name, {}).get("type", "string")).lower()
            made.setdefault(name, plain.get(kind, "run it"))
        return made


class Turn:
    """What a request asks for, whatever its API: the texts of the user's last turn, the shell
    tool if there is one, and whether the last thing said is a tool's result."""

    def __init__(
        self, texts: list[str], tools: list[tuple[str, Json]], has_result: bool, said: str = ""
    ) -> None:
        self.texts = texts
        self.said = said or "\n".join(texts)
        self.names = [name for name, _ in tools]
        by_name = dict(tools)
        wanted = next((name for name in SHELL_TOOLS if name in by_name), None)
        self.tool = Tool(wanted, by_name[wanted]) if wanted else None
        self.has_result = has_result

    @property
    def step(self) -> str:
        """`closing`, `tool`, `file` or `sentence`."""
        if self.has_result:
            return "closing"
        if self.tool:
            return "tool"
        return "file" if "file listing" in "\n".join(self.texts) else "sentence"

    @property
    def text(self) -> str:
        """What is said where no tool is called."""
        if self.step == "sentence" and "commit message" in self.said.lower():
            return COMMIT_MESSAGE
        return {"closing": CLOSING, "file": WHOLE_FILE}.get(self.step, SENTENCE)

    def command(self, default: str) -> str:
        found = re.findall(r"^.*?RUN: (.+)$", "\n".join(self.texts), re.MULTILINE)
        return str(found[-1]) if found else default


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [
        str(part["text"]) for part in content or [] if isinstance(part, dict) and "text" in part
    ]


def _last_user(messages: list[Json]) -> list[str]:
    """Texts of the user's messages after the last one by the model."""
    texts: list[str] = []
    for message in messages:
        if message.get("role") in ("assistant", "model"):
            texts = []
        elif message.get("role") == "user":
            texts += _texts(message.get("content", message.get("parts")))
    return texts


def read_anthropic(body: Json) -> Turn:
    messages = body.get("messages", [])
    last = messages[-1]["content"] if messages else ""
    result = any(isinstance(part, dict) and part.get("type") == "tool_result" for part in last)
    tools = [(t["name"], t.get("input_schema", {})) for t in body.get("tools") or []]
    return Turn(_last_user(messages), tools, result)


def read_responses(body: Json) -> Turn:
    given = body.get("input", [])
    items: list[Json] = [{"role": "user", "content": given}] if isinstance(given, str) else given
    result = bool(items) and str(items[-1].get("type", "")).endswith("_output")
    tools = [
        (t.get("name", t.get("type", "")), t.get("parameters") or {})
        for t in body.get("tools") or []
    ]
    if "Do not provide the `sandbox_permissions`" in json.dumps(items):
        for _, schema in tools:
            schema.get("properties", {}).pop("sandbox_permissions", None)
    return Turn(_last_user(items), tools, result)


def read_chat(body: Json) -> Turn:
    messages = body.get("messages", [])
    functions = [t["function"] for t in body.get("tools") or [] if "function" in t]
    tools = [(f["name"], f.get("parameters", {})) for f in functions]
    result = bool(messages) and messages[-1]["role"] == "tool"
    said = "\n".join(text for message in messages for text in _texts(message.get("content")))
    return Turn(_last_user(messages), tools, result, said)


def read_gemini(body: Json) -> Turn:
    contents = body.get("contents", [])
    last = contents[-1].get("parts", []) if contents else []
    declared = [f for t in body.get("tools") or [] for f in t.get("functionDeclarations", [])]
    tools = [
        (f["name"], f.get("parametersJsonSchema") or f.get("parameters", {})) for f in declared
    ]
    return Turn(_last_user(contents), tools, any("functionResponse" in part for part in last))


def say_anthropic(text: str, call: tuple[str, Json] | None, model: str) -> Iterator[Json]:
    """The events of a message; joined, they are the message itself."""
    block: Json = {"type": "text", "text": ""}
    delta: Json = {"type": "text_delta", "text": text}
    if call:
        block = {"type": "tool_use", "id": _name("toolu"), "name": call[0], "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(call[1])}
    usage = {"input_tokens": 10, "output_tokens": 10}
    message = {
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
    message: Json = next(say_anthropic(text, call, model))["message"]
    content: Json = {"type": "text", "text": text}
    if call:
        content = {"type": "tool_use", "id": _name("toolu"), "name": call[0], "input": call[1]}
    stop = "tool_use" if call else "end_turn"
    return {**message, "content": [content], "stop_reason": stop}


def say_responses(text: str, call: tuple[str, Json] | None, model: str) -> Iterator[Json]:
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
        item = {"type": "function_call", "name": call[0], "arguments": json.dumps(call[1])}
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
    *_, last = say_responses(text, call, model)
    response: Json = last["response"]
    return response


def say_chat(text: str, call: tuple[str, Json] | None, model: str) -> Iterator[Json]:
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
    first, last = say_chat(text, call, model)
    choice = last["choices"][0] | {"message": first["choices"][0]["delta"]}
    return last | {"object": "chat.completion", "choices": [choice]}


def say_gemini(text: str, call: tuple[str, Json] | None, model: str) -> Iterator[Json]:
    yield whole_gemini(text, call, model)


def whole_gemini(text: str, call: tuple[str, Json] | None, model: str) -> Json:
    part: Json = {"functionCall": {"name": call[0], "args": call[1]}} if call else {"text": text}
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 20}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}


DIALECTS: list[tuple[str, Callable[[Json], Turn], Callable[..., Any], Callable[..., Any]]] = [
    (r"/messages\Z", read_anthropic, say_anthropic, whole_anthropic),
    (r"/responses\Z", read_responses, say_responses, whole_responses),
    (r"/chat/completions\Z", read_chat, say_chat, whole_chat),
    (r":(?:stream)?[gG]enerateContent\Z", read_gemini, say_gemini, whole_gemini),
]


def _name(kind: str) -> str:
    return f"{kind}_{time.monotonic_ns():x}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        for pattern, read, say, whole in DIALECTS:
            if re.search(pattern, parts.path):
                self._speak(parts.path, body, read, say, whole)
                return
        self._log(parts.path, body.get("model", ""), None)
        answers = {"count_tokens": {"input_tokens": 10}, "countTokens": {"totalTokens": 10}}
        self._json(next((a for k, a in answers.items() if parts.path.endswith(k)), {}))

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self._log(path, "", None)
        self._json({"object": "list", "data": [], "models": []} if "models" in path else {})

    def do_HEAD(self) -> None:
        self._json({})

    def _speak(
        self,
        path: str,
        body: Json,
        read: Callable[[Json], Turn],
        say: Callable[..., Iterator[Json]],
        whole: Callable[..., Json],
    ) -> None:
        turn = read(body)
        in_path = re.search(r"/models/([^:/]+):", path)
        model = in_path[1] if in_path else str(body.get("model", ""))
        self._log(path, model, turn)
        call = None
        if turn.step == "tool" and turn.tool:
            command = turn.command(self.server.command)
            call = (turn.tool.name, turn.tool.arguments(command))
        self.server.before_answer(turn)
        if body.get("stream") or "streamGenerateContent" in path:
            self._stream(say(turn.text, call, model), done="/chat/completions" in path)
        else:
            self._json(whole(turn.text, call, model))

    def _log(self, path: str, model: str, turn: Turn | None) -> None:
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        query = parse_qs(urlsplit(self.path).query).get("key", [""])[0]
        headers = (self.headers.get("x-api-key"), self.headers.get("x-goog-api-key"))
        key = next((k for k in (*headers, bearer, query) if k), "")
        request: Json = {"path": path, "key": key, "model": model}
        if turn:
            request |= {"texts": turn.texts, "tools": turn.names, "step": turn.step}
        self.server.log(request)

    def _stream(self, events: Iterator[Json], done: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in events:
            name = f"event: {event['type']}\n" if "type" in event else ""
            self.wfile.write(f"{name}data: {json.dumps(event)}\n\n".encode())
        if done:
            self.wfile.write(b"data: [DONE]\n\n")

    def _json(self, answer: Json) -> None:
        raw = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing: `log` keeps what matters."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, command: str, log: Callable[[Json], None], delay: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.command = command
        self.log = log
        self.delay = delay

    def before_answer(self, turn: Turn) -> None:
        """Think for `delay` seconds where a real turn is answered, so that busy can be seen."""
        if turn.step != "sentence":
            time.sleep(self.delay)

    def handle_error(self, *_: object) -> None:
        """A CLI that hangs up in the middle is no error of the test."""


class FakeModel:
    """The server on a free port, in threads of this process."""

    def __init__(self, command: str, delay: float = 0.0, log: Callable[[Json], None] | None = None):
        self.requests: list[Json] = []
        self._changed = threading.Condition()
        self._also = log
        self._server = _Server(command, self._log, delay)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _log(self, request: Json) -> None:
        with self._changed:
            self.requests.append(request)
            if self._also:
                self._also(request)
            self._changed.notify_all()

    def wait_for(self, fits: Callable[[Json], bool], seconds: float = 30.0) -> Json:
        """The first request that fits, waiting for it. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(map(fits, self.requests)), seconds):
                raise TimeoutError(f"no such request among {self.requests}")
            return next(filter(fits, self.requests))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--command", default="true", help="what the shell tool is told to run")
    options.add_argument("--delay", type=float, default=0.0, help="seconds a turn takes")
    chosen = options.parse_args()
    with FakeModel(
        chosen.command, chosen.delay, lambda r: print(json.dumps(r), flush=True)
    ) as fake:
        print(json.dumps({"url": fake.url}), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
