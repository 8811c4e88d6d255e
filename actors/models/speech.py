"""What an answer of a provider says of itself: how many tokens it took.

Reads a copy of the bytes after they were passed on. Anthropic's messages, OpenAI's chat completions
and responses, and Gemini's generateContent are understood, streamed or whole. An answer that is
not, or that does not say what it used, is `untold` and never guessed.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from actors.models.said import Used

LONGEST: Final = 32 << 20
"""Bytes of one event, or of a whole answer, that are kept for reading."""
_MOST: Final = 10**9

_SPEAKS: Final = re.compile(
    r"/(?:messages|responses|responses/compact|chat/completions|completions)\Z"
    r"|:(?:stream)?[gG]enerateContent\Z"
)


class _Details(msgspec.Struct):
    cached_tokens: Any = 0


class _Usage(msgspec.Struct):
    """The usage objects of all four APIs; each has some of these fields."""

    input_tokens: Any = None
    output_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_read_input_tokens: Any = None
    input_tokens_details: _Details | None = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    prompt_tokens_details: _Details | None = None


class _GeminiUsage(msgspec.Struct, rename="camel"):
    prompt_token_count: Any = 0
    tool_use_prompt_token_count: Any = 0
    candidates_token_count: Any = 0
    thoughts_token_count: Any = 0
    cached_content_token_count: Any = 0


class _Holder(msgspec.Struct):
    usage: _Usage | None = None


class _Event(msgspec.Struct):
    """An event of a stream, or a whole answer."""

    usage: _Usage | None = None
    message: _Holder | None = None
    response: _Holder | None = None
    usageMetadata: _GeminiUsage | None = None  # noqa: N815 - as Gemini spells it


_decode: Final = msgspec.json.Decoder(_Event).decode
_decode_many: Final = msgspec.json.Decoder(list[_Event]).decode


def asks_model(path: str) -> bool:
    """Return whether a request to this path is answered by a model, so that it is counted."""
    return _SPEAKS.search(path) is not None


class Reading:
    """Reads one answer as it goes by."""

    def __init__(self, content_type: str) -> None:
        self._streams = "event-stream" in content_type
        self._kept = bytearray()
        self._lost = False
        self._seen: dict[str, int] = {}

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._lost:
            return
        self._kept += data
        if self._streams and b"\n" in data:
            *lines, rest = self._kept.split(b"\n")
            self._kept = bytearray(rest)
            for each in lines:
                self._line(bytes(each))
        if len(self._kept) > LONGEST:
            self._kept.clear()
            self._lost = True

    def _line(self, text: bytes) -> None:
        if text.startswith(b"data:") and b"sage" in text:  # usage, usageMetadata
            self._event(text[5:].strip())

    def _event(self, text: bytes) -> None:
        for event in _events(text):
            holders = (event, event.message, event.response)
            for usage in (holder.usage for holder in holders if holder is not None):
                if usage is not None:
                    self._note(usage)
            if event.usageMetadata is not None:
                self._note_gemini(event.usageMetadata)

    def _note(self, usage: _Usage) -> None:
        """Note the numbers; a later event of the same answer has the larger or final ones."""
        for name, value in (
            ("input", usage.input_tokens),
            ("written", usage.cache_creation_input_tokens),
            ("read", usage.cache_read_input_tokens),
            ("output", usage.output_tokens),
            ("input", usage.prompt_tokens),
            ("output", usage.completion_tokens),
        ):
            if _is_number(value):
                self._seen[name] = value
        for details in (usage.input_tokens_details, usage.prompt_tokens_details):
            if details is not None and _is_number(details.cached_tokens):
                self._seen["cached"] = details.cached_tokens

    def _note_gemini(self, usage: _GeminiUsage) -> None:
        given = (usage.prompt_token_count, usage.tool_use_prompt_token_count)
        made = (usage.candidates_token_count, usage.thoughts_token_count)
        self._seen["input"] = sum(filter(_is_number, given))
        self._seen["output"] = sum(filter(_is_number, made))
        self._seen["cached"] = sum(filter(_is_number, (usage.cached_content_token_count,)))

    def used(self) -> Used:
        """Return what the answer used, after its end or its cut."""
        if self._kept and not self._lost:
            if self._streams:
                self._line(bytes(self._kept))
            else:
                self._event(bytes(self._kept))
            self._kept.clear()
        seen = self._seen
        if "input" not in seen and "output" not in seen:
            return Used(requests=1, untold=1)
        read = seen.get("read", 0)
        return Used(
            input=seen.get("input", 0) + seen.get("written", 0) + read,
            output=seen.get("output", 0),
            cached=read + seen.get("cached", 0),
            requests=1,
        )


def _events(text: bytes) -> Iterator[_Event]:
    """Return the events in a piece of JSON; Gemini streams a list where no other form is asked."""
    try:
        if text.lstrip().startswith(b"["):
            yield from _decode_many(text)
        else:
            yield _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST
