"""The chat completions API of OpenAI, and the many servers that imitate it."""

from typing import Any

import msgspec

from actors.clis.providers import Provider
from actors.orchestrator.answers import Api, Form, Reader, count, decode, error_text, in_text
from actors.orchestrator.failures import Failure, Next
from actors.orchestrator.thoughts import Thought

ADDRESS = "https://api.openai.com/v1"


class Chat(Api):
    """Requests of the chat completions API."""

    def forms(self, schema: dict[str, Any]) -> tuple[Form, ...]:
        """`strict` is only for schemas in which every key is required and known."""
        strict = (Form.STRICT,) if _may_be_strict(schema) else ()
        return (*strict, Form.PLAIN, Form.SCHEMA, Form.TEXT)

    def url(self) -> str:
        """Return the address of `/chat/completions`."""
        base = Provider("orchestrator", self.endpoint.base_url or ADDRESS).base_url_v1
        return f"{base}/chat/completions"

    def headers(self) -> dict[str, str]:
        """Return the key's header."""
        key = self.endpoint.key
        return {"authorization": f"Bearer {key}"} if key else {}

    def body(
        self, thought: Thought, form: Form, question: str, *, with_usage: bool = True
    ) -> dict[str, Any]:
        """Return the request. The further down the form, the fewer words a server must know."""
        has_tool = form in (Form.STRICT, Form.PLAIN)
        is_own = self.endpoint.api_type == "openai"
        made: dict[str, Any] = {
            "model": self.endpoint.model,
            "max_completion_tokens" if is_own else "max_tokens": thought.max_tokens,
            "stream": True,
            "messages": [
                {"role": "system", "content": thought.system if has_tool else in_text(thought)},
                {"role": "user", "content": question},
            ],
        }
        if with_usage:
            made["stream_options"] = {"include_usage": True}
        if has_tool:
            function: dict[str, Any] = {"name": thought.tool, "parameters": thought.schema}
            function["description"] = "Say what to do next."
            function |= {"strict": True} if form is Form.STRICT else {}
            made["tools"] = [{"type": "function", "function": function}]
            made["tool_choice"] = "required"
        if form is Form.STRICT:
            made["tool_choice"] = {"type": "function", "function": {"name": thought.tool}}
        if form is Form.SCHEMA:
            named = {"name": thought.tool, "schema": thought.schema}
            made["response_format"] = {"type": "json_schema", "json_schema": named}
        return made

    def reader(self, tool: str) -> "ChatReader":
        """Return a reader for one completion."""
        return ChatReader(tool)


def _may_be_strict(schema: Any) -> bool:
    """Whether every object in a schema requires all its keys and allows no others."""
    if isinstance(schema, list):
        return all(map(_may_be_strict, schema))
    if not isinstance(schema, dict):
        return True
    if "properties" in schema:
        keys, required = schema["properties"], schema.get("required", ())
        if schema.get("additionalProperties") is not False or set(keys) != set(required):
            return False
        return all(map(_may_be_strict, keys.values()))
    return schema.get("type") != "object" and all(map(_may_be_strict, schema.values()))


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None


class _Call(msgspec.Struct):
    function: _Function
    index: int | None = None


class _Said(msgspec.Struct):
    content: Any = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    model: str | None = None
    usage: Any = None
    error: Any = None


_chunk = msgspec.json.Decoder(_Chunk).decode


class ChatReader(Reader):
    """Reads one completion: the first choice, and of it the first call."""

    def __init__(self, tool: str) -> None:
        super().__init__()
        self._tool = tool
        self._call: int | None = None

    def event(self, data: bytes) -> None:
        """Take one chunk, or the word at the end of the stream."""
        if data.strip() == b"[DONE]":
            self.done = self.closed = True
        else:
            self.whole(data)

    def whole(self, data: bytes) -> None:
        """Take a whole completion; a chunk has the same form."""
        chunk = decode(_chunk, data)
        if chunk.error is not None:
            raise Failure(f"the server broke off: {error_text(chunk.error)}", Next.AGAIN)
        self.model = self.model or chunk.model or ""
        if isinstance(chunk.usage, dict):
            self.tokens_in = count(chunk.usage.get("prompt_tokens"))
            self.tokens_out = count(chunk.usage.get("completion_tokens"))
        for choice in (chunk.choices or ())[:1]:
            for said in (choice.delta, choice.message):
                if said is not None:
                    self._hear(said)
            self._stop(choice.finish_reason)

    def _hear(self, said: _Said) -> None:
        if said.refusal:
            self.cut = "the model refused to answer"
        if isinstance(said.content, str):
            self.text += said.content
        for call in said.tool_calls or ():
            self._take_call(call.function, call.index or 0)

    def _take_call(self, function: _Function, index: int) -> None:
        if self._call is None and function.name in (self._tool, None, ""):
            self._call, self.arguments = index, ""
        if index != self._call:
            return
        given = function.arguments
        if given and not isinstance(given, str):  # some servers send the object itself
            given = msgspec.json.encode(given).decode()
        self.arguments = (self.arguments or "") + (given or "")

    def _stop(self, reason: str | None) -> None:
        self.done = self.done or bool(reason)
        if reason == "length":
            self.cut = "the answer was cut at its limit of tokens"
        elif reason == "content_filter":
            self.cut = "the model refused to answer"
