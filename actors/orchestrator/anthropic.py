"""The messages API of Anthropic, and servers that imitate it."""

from typing import Any, Literal

import msgspec

from actors.clis.providers import Provider
from actors.orchestrator.answers import Api, Form, Reader, count, decode, error_text, in_text
from actors.orchestrator.failures import Failure, Next
from actors.orchestrator.thoughts import Thought

ADDRESS = "https://api.anthropic.com"
VERSION = "2023-06-01"


class Messages(Api):
    """Requests of the messages API."""

    def forms(self, schema: dict[str, Any]) -> tuple[Form, ...]:
        """A tool is the way of this API to an answer in JSON; where there is none, a text is."""
        strict = schema.get("additionalProperties") is False
        return (*((Form.STRICT,) if strict else ()), Form.PLAIN, Form.TEXT)

    def url(self) -> str:
        """Return the address of `/v1/messages`."""
        base = Provider("orchestrator", self.endpoint.base_url or ADDRESS).base_url_root
        return f"{base}/v1/messages"

    def headers(self) -> dict[str, str]:
        """Return the key's header; compatible servers look for it in one of two places."""
        key = self.endpoint.key
        named = {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {})
        if key and self.endpoint.api_type == "anthropic-compatible":
            named["authorization"] = f"Bearer {key}"
        return named

    def body(
        self, thought: Thought, form: Form, question: str, *, with_usage: bool = True
    ) -> dict[str, Any]:
        """Return the request. This API always tells the tokens."""
        del with_usage
        has_tool = form in (Form.STRICT, Form.PLAIN)
        made: dict[str, Any] = {
            "model": self.endpoint.model,
            "max_tokens": thought.max_tokens,
            "stream": True,
            "system": thought.system if has_tool else in_text(thought),
            "messages": [{"role": "user", "content": question}],
        }
        if has_tool:
            tool: dict[str, Any] = {"name": thought.tool, "input_schema": thought.schema}
            tool["description"] = "Say what to do next."
            made["tools"] = [tool | ({"strict": True} if form is Form.STRICT else {})]
            made["tool_choice"] = {"type": "any"}
        if form is Form.STRICT:
            made["tool_choice"] = {"type": "tool", "name": thought.tool}
        return made

    def reader(self, tool: str) -> "MessageReader":
        """Return a reader for one message."""
        return MessageReader(tool)


class _Block(msgspec.Struct):
    type: str = ""
    name: str = ""
    text: str = ""
    input: Any = None


class _Delta(msgspec.Struct):
    text: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _Message(msgspec.Struct):
    content: list[_Block] | None = None
    model: str = ""
    stop_reason: str | None = None
    usage: Any = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: Any = None
    error: Any = None


class _Whole(_Message):
    type: Literal["message"] = "message"
    error: Any = None


_event = msgspec.json.Decoder(_Event).decode
_whole = msgspec.json.Decoder(_Whole).decode


class MessageReader(Reader):
    """Reads one message, of which the first call of the tool counts."""

    def __init__(self, tool: str) -> None:
        super().__init__()
        self._tool = tool
        self._call: int | None = None
        self._given: Any = None  # the input that stood in the block's start

    def event(self, data: bytes) -> None:
        """Take one event; those of unknown types mean nothing."""
        event = decode(_event, data)
        if event.type == "error":
            raise Failure(f"the server broke off: {error_text(event.error)}", Next.AGAIN)
        if event.type == "message_start" and event.message:
            self.model = event.message.model
            self._take_usage(event.message.usage)
        elif event.type == "content_block_start" and event.content_block:
            self._begin(event.content_block, event.index)
        elif event.type == "content_block_delta" and event.delta:
            self._take_delta(event.delta, event.index)
        elif event.type == "message_delta":
            self._stop(event.delta.stop_reason if event.delta else None)
            self._take_usage(event.usage)
        elif event.type == "message_stop":
            self.done = self.closed = True
            self._settle()

    def whole(self, data: bytes) -> None:
        """Take a whole message."""
        message = decode(_whole, data)
        if message.error is not None or message.content is None:
            raise Failure(f"an error as an answer: {error_text(message.error)}", Next.AGAIN)
        self.model = message.model
        for index, block in enumerate(message.content):
            self._begin(block, index)
        self._take_usage(message.usage)
        self._stop(message.stop_reason)
        self.done = True
        self._settle()

    def _begin(self, block: _Block, index: int) -> None:
        if block.type == "text":
            self.text += block.text
        elif block.type == "tool_use" and block.name == self._tool and self._call is None:
            self._call, self._given, self.arguments = index, block.input, ""

    def _take_delta(self, delta: _Delta, index: int) -> None:
        if index == self._call:
            self.arguments = (self.arguments or "") + delta.partial_json
        else:
            self.text += delta.text

    def _settle(self) -> None:
        """Take the input from the block's start if it came in no deltas."""
        if self.arguments == "" and self._given:
            self.arguments = msgspec.json.encode(self._given).decode()

    def _stop(self, reason: str | None) -> None:
        if reason in ("max_tokens", "model_context_window_exceeded"):
            self.cut = "the answer was cut at its limit of tokens"
        elif reason == "refusal":
            self.cut = "the model refused to answer"

    def _take_usage(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        if "input_tokens" in usage:
            cached = ("cache_creation_input_tokens", "cache_read_input_tokens")
            read = [count(usage["input_tokens"]), *(count(usage.get(key) or 0) for key in cached)]
            self.tokens_in = None if None in read else sum(each or 0 for each in read)
        if "output_tokens" in usage:
            self.tokens_out = count(usage["output_tokens"])
