"""Servers that fail: each failure is an end with a reason, in time, and a fallback is asked."""

import asyncio
import functools
import gzip
import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest

from actors.orchestrator.thinking import Thinker
from actors.orchestrator.thoughts import ApiType, Endpoint
from tests.actors.orchestrator.kit import GOOD, IMPATIENT, QUICK, have, have_all, thought
from tests.fake_model import self_signed
from tests.scripted_model import (
    JSON,
    KEY,
    STREAM,
    Asked,
    Reply,
    Said,
    ScriptedModel,
    refusal,
    speak,
)

BOTH: tuple[ApiType, ...] = ("openai-compatible", "anthropic-compatible")
BIG = b'{"model": "' + b"x" * QUICK.answer_bytes + b'"}'


def always(reply: Reply) -> Callable[[Asked], Said]:
    return lambda _: reply


def half(asked: Asked) -> Reply:
    """The first half of a good stream, and the connection closes."""
    pieces = speak(asked, GOOD).pieces
    return Reply(200, STREAM, pieces[: len(pieces) // 2])


def truncated(asked: Asked) -> Reply:
    """A document that ends in the middle."""
    whole = b"".join(speak(Asked(asked.path, {}, asked.body | {"stream": False}), GOOD).pieces)
    return Reply(200, JSON, (whole[: len(whole) // 2],))


def short(asked: Asked) -> Reply:
    """Fewer bytes than were promised."""
    whole = b"".join(speak(Asked(asked.path, {}, asked.body | {"stream": False}), GOOD).pieces)
    return Reply(200, JSON | {"content-length": str(len(whole) + 1)}, (whole,))


def error_in_stream(asked: Asked) -> Reply:
    first = speak(asked, GOOD).pieces[0]
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    return Reply(200, STREAM, (first, f"data: {json.dumps(error)}\n\n".encode()))


@functools.cache
def bomb() -> Reply:
    squeezed = gzip.compress(b" " * (16 << 20), 1)
    return Reply(200, JSON | {"content-encoding": "gzip"}, (squeezed,))


Failing = dict[str, tuple[Callable[[Asked], Said], str]]

ONCE: Failing = {
    "401": (always(refusal(401, "Incorrect API key")), "status 401: Incorrect API key"),
    "403": (always(refusal(403, "not for you")), "status 403: not for you"),
    "404 model": (always(refusal(404, "model: scripted")), "status 404: model: scripted"),
    "402": (always(refusal(402, "pay first")), "status 402: pay first"),
    "redirect": (
        always(Reply(307, {"location": "https://evil.example/v1?key=1"})),
        "redirects to evil.example, which is not followed",
    ),
    "html": (always(Reply(200, {"content-type": "text/html"}, (b"<h1>",))), "type text/html"),
    "no type": (always(Reply(200, {}, (b"{}",))), "of the type none"),
    "compressed": (lambda _: bomb(), "compressed"),
    "truncated": (truncated, "not what this API promises"),
    "nested": (
        always(Reply(200, JSON, (b'{"content":' + b"[" * 9000 + b"]" * 9000 + b"}",))),
        "not what this API promises",
    ),
    "NaN": (always(Reply(200, JSON, (b'{"choices": NaN, "content": NaN}',))), "not what this"),
    "huge": (
        always(Reply(200, JSON, (b'{"choices": 1e999, "content": 1e999}',))),
        "not what this API promises",
    ),
    "no UTF-8": (always(Reply(200, JSON, (b'{"model": "\xff"}',))), "not what this API promises"),
    "oversized": (always(Reply(200, JSON, (BIG,))), "more than 20000 bytes"),
    "oversized stream": (always(Reply(200, STREAM, (b"data: " + BIG,))), "more than 20000 bytes"),
    "endless stream": (
        always(Reply(200, STREAM, tuple([b": ping\n\n" * 100] * 40))),
        "more than 20000 bytes",
    ),
    "oversized error": (always(Reply(401, JSON, (BIG,))), "status 401: an error of more bytes"),
    "204": (always(Reply(204)), "type none"),
}
"""Failures that would come again at once."""

AGAIN: Failing = {
    "429": (always(refusal(429, "slow down")), "status 429: slow down"),
    "500": (always(refusal(500, "oh")), "status 500: oh"),
    "500 in HTML": (always(Reply(502, {}, (b"<h1>Bad\n gateway</h1>",))), "<h1>Bad gateway</h1>"),
    "529": (always(refusal(529, "Overloaded")), "status 529: Overloaded"),
    "cut": (half, "the answer broke off"),
    "short": (short, "the connection broke"),
    "error in the stream": (error_in_stream, "the server broke off: Overloaded"),
    "no HTTP": (always(Reply(raw=True, pieces=(b"SSH-2.0-x\r\n\r\n",))), "the connection broke"),
    "hangs up": (always(Reply(raw=True)), "the connection broke"),
}
"""Failures that may pass."""


@pytest.mark.parametrize("api_type", BOTH)
@pytest.mark.parametrize("name", ONCE)
def test_what_would_fail_again_is_asked_once(name: str, api_type: ApiType) -> None:
    server, reason = ONCE[name]
    with ScriptedModel(server) as model, ScriptedModel(lambda _: GOOD) as other:
        alone, with_fallback = have_all(
            [
                thought(model.endpoint(api_type)),
                thought(model.endpoint(api_type), other.endpoint(), id="two"),
            ]
        )
    assert (alone.arguments, alone.over.rung, alone.over.attempts) == (None, "none", 1)
    assert reason in alone.over.error
    assert KEY not in alone.over.error
    assert (with_fallback.arguments, with_fallback.over.attempts) == (GOOD, 2)
    assert [each.endpoint for each in with_fallback.attempts] == [0, 1]


@pytest.mark.parametrize("api_type", BOTH)
@pytest.mark.parametrize("name", AGAIN)
def test_what_may_pass_is_asked_again(name: str, api_type: ApiType) -> None:
    server, reason = AGAIN[name]
    failing = iter([True, True, False, True, True, True])

    def answers(asked: Asked) -> Said:
        return server(asked) if next(failing) else GOOD

    with ScriptedModel(answers) as model:
        passes, stays = have_all(
            [thought(model.endpoint(api_type)), thought(model.endpoint(api_type))]
        )
    assert (passes.arguments, passes.over.attempts) == (GOOD, 3)
    assert (stays.arguments, stays.over.rung, stays.over.attempts) == (None, "none", 3)
    assert reason in stays.over.error


def test_a_key_that_the_server_repeats_is_taken_out() -> None:
    said = f"Incorrect API key provided: {KEY[:7]}*****cdef. You can find {KEY} there\x1b[2J"
    with ScriptedModel(always(refusal(401, said))) as model:
        error = have(thought(model.endpoint())).over.error
    assert KEY[:7] not in error
    assert "\x1b" not in error
    assert "Incorrect API key provided: [secret]" in error


def test_a_refusal_counts_no_tokens_and_a_cut_answer_counts_all() -> None:
    with ScriptedModel(always(refusal(500, "oh"))) as model:
        refused = have(thought(model.endpoint())).over
    assert (refused.tokens_in, refused.tokens_out, refused.exact) == (0, 0, True)
    once = msgspec.structs.replace(QUICK, tries=1)
    with ScriptedModel(half) as model:
        cut = have(thought(model.endpoint()), once)
    assert (cut.over.tokens_out, cut.over.exact) == (500, False)
    assert cut.over.tokens_in == cut.attempts[0].tokens_in


@pytest.mark.parametrize("usage", ['"10"', "-1", "1e9", "true", "null", "99999999999999", "[]"])
def test_tokens_that_cannot_be_are_not_believed(usage: str) -> None:
    def server(asked: Asked) -> Said:
        counts = (b'_tokens": 10', f'_tokens": {usage}'.encode())
        return Reply(
            200, STREAM, tuple(piece.replace(*counts) for piece in speak(asked, GOOD).pieces)
        )

    for api_type in BOTH:
        with ScriptedModel(server) as model:
            had = have(thought(model.endpoint(api_type)))
        assert (had.arguments, had.over.exact) == (GOOD, False)
        assert had.over.tokens_in == had.attempts[0].tokens_in


@pytest.mark.parametrize("after", ["0.01", "date"])
def test_retry_after_is_obeyed(after: str) -> None:
    """Here the server asks for a pause that is short enough to wait for."""
    replies: list[Said] = [refusal(429, "wait", Retry_After=_header(after, 1)), GOOD]
    with ScriptedModel(lambda _: replies.pop(0)) as model:
        had = have(thought(model.endpoint()))
    assert (had.arguments, had.over.attempts) == (GOOD, 2)


@pytest.mark.parametrize("after", ["3000", "date"])
def test_a_long_retry_after_is_not_waited_for(after: str) -> None:
    replies = always(refusal(429, "wait", Retry_After=_header(after, 3000)))
    with ScriptedModel(replies) as model, ScriptedModel(lambda _: GOOD) as other:
        both = thought(model.endpoint(), other.endpoint())
        first, second, alone = have_all([both, both, thought(model.endpoint())])
    assert (first.arguments, first.over.attempts) == (GOOD, 2)
    assert (second.arguments, second.over.attempts) == (GOOD, 1), "the busy one is left alone"
    assert (alone.arguments, alone.over.attempts) == (None, 0)
    assert "not asked for" in alone.over.error
    assert "status 429: wait" in alone.over.error


def _header(after: str, seconds: float) -> str:
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    return format_datetime(date, usegmt=True) if after == "date" else after


def test_an_endpoint_that_fails_again_and_again_is_left_alone() -> None:
    with ScriptedModel(always(refusal(503, "down"))) as model:
        had = have_all([thought(model.endpoint())] * 3)
    assert [each.over.attempts for each in had] == [3, 0, 0]
    assert "because: status 503: down" in had[2].over.error


def test_another_key_is_another_endpoint() -> None:
    def server(asked: Asked) -> Said:
        return GOOD if asked.headers["authorization"] == "Bearer new" else refusal(401, "no")

    with ScriptedModel(server) as model:
        old, new = model.endpoint(), model.endpoint(key="new")
        *_, last = have_all([thought(old)] * 5 + [thought(new)])
    assert last.arguments == GOOD


@pytest.mark.parametrize(
    "silent",
    [
        Reply(raw=True, hang=True),
        Reply(200, STREAM, (b": ping\n\n",), hang=True),
        Reply(200, JSON, (b'{"choices"',), hang=True),
        Reply(500, JSON, (b"{",), hang=True),
    ],
    ids=["before headers", "in the stream", "in a document", "in an error"],
)
def test_silence_has_an_end(silent: Reply) -> None:
    with ScriptedModel(always(silent)) as model:
        had = have(thought(model.endpoint()), IMPATIENT)
    assert (had.arguments, had.over.attempts) == (None, 3)
    assert "nothing came for 0.1 s" in had.over.error


def test_a_silent_endpoint_leaves_time_for_the_others() -> None:
    with ScriptedModel(always(Reply(raw=True, hang=True))) as model:
        had = have(thought(model.endpoint(), model.endpoint(model="other"), timeout=1.0))
    shares = re.findall(r"no answer within ([\d.]+) s", had.over.error)
    assert float(shares[0]) <= 0.5
    assert [each.endpoint for each in had.attempts] == [0, 1]


def test_an_answer_that_never_came_may_have_been_thought() -> None:
    with ScriptedModel(always(Reply(raw=True, hang=True))) as model:
        had = have(thought(model.endpoint(), timeout=0.5))
    assert "no answer within 0.5 s" in had.over.error
    assert (had.over.attempts, had.over.exact, had.over.tokens_out) == (1, False, 500)


def test_a_port_without_a_server_costs_nothing() -> None:
    with ScriptedModel(lambda _: GOOD) as model:
        endpoint = model.endpoint()
    had = have(thought(endpoint))
    assert "no connection" in had.over.error
    assert (had.over.tokens_in, had.over.tokens_out, had.over.exact) == (0, 0, True)


@pytest.mark.parametrize(
    ("base_url", "reason"),
    [
        ("http://models.example", "must begin with https://"),
        ("http://127.0.0.1.example", "must begin with https://"),
        ("ftp://127.0.0.1", "must begin with https://"),
        ("https://user:pass@models.example", "must not hold a password"),
        ("https://models.example/v1?x=1", "without `?`"),
        ("https://[::1", "must be an https:// address"),
        ("https:// models.example", "must be an https:// address"),
        ("nonsense", "must be an https:// address"),
    ],
)
def test_a_key_is_sent_to_no_such_address(base_url: str, reason: str) -> None:
    had = have(thought(Endpoint("openai", base_url, "m", KEY)))
    assert reason in had.over.error
    assert had.over.attempts == 0
    assert "pass@" not in had.over.error


@pytest.mark.parametrize("key", ["sk-two\nlines", "sk-ümlaut", "sk two"])
def test_a_key_that_no_header_carries_is_refused(key: str) -> None:
    with ScriptedModel(lambda _: GOOD) as model:
        had = have(thought(model.endpoint(key=key)))
    assert (had.over.attempts, model.asked) == (0, [])
    assert key not in had.over.error


def test_a_server_whose_certificate_nobody_signed_is_not_asked() -> None:
    with ScriptedModel(lambda _: GOOD, self_signed()) as model:
        had = have(thought(model.endpoint()))
    assert "certificate verify failed" in had.over.error
    assert (model.asked, had.over.tokens_in) == ([], 0)


def test_the_environment_sends_the_key_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedModel(lambda _: GOOD) as model, ScriptedModel(lambda _: GOOD) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        had = have(thought(model.endpoint()))
    assert had.arguments == GOOD
    assert proxy.asked == []


def test_thoughts_do_not_wait_for_each_other() -> None:
    """One is held until the other has ended."""
    released = threading.Event()

    def server(asked: Asked) -> Said:
        if asked.headers["authorization"] == "Bearer slow":
            assert released.wait(60)
        return GOOD

    async def both(model: ScriptedModel) -> tuple[bool, bool]:
        async def tell(_: object) -> None:
            return

        thinker = Thinker(tell)
        slow = asyncio.create_task(thinker.think(thought(model.endpoint(key="slow"))))
        quick = await thinker.think(thought(model.endpoint(), id="two"))
        was_open = not slow.done()
        released.set()
        return was_open and quick.arguments is not None, (await slow).arguments is not None

    with ScriptedModel(server) as model:
        assert asyncio.run(both(model)) == (True, True)
