"""One request to a model's server, and its answer, streamed or whole.

The server is not trusted. No proxy, certificate or password is taken from the environment; TLS is
verified; redirects are not followed; compressed answers are refused; what is read is limited.
"""

import asyncio
import functools
import re
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import urlsplit

import httpx
import msgspec

from actors.orchestrator.answers import Api, Form, Reader
from actors.orchestrator.failures import Failure, Next, told
from actors.orchestrator.limits import Limits, retry_after
from actors.orchestrator.thoughts import Thought

_PASSING = frozenset((408, 409, 425, 429, *range(500, 600)))
"""Statuses after which the same request may work later."""
_ABOUT_FORM = re.compile(
    r"tool|function|strict|schema|response_format|stream_options|\$ref|max_completion_tokens",
    re.IGNORECASE,
)
"""What an error is about that has any status, and means that the request's form is refused."""


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


class Call:
    """One attempt. `reader` is what was heard so far, also after a failure.

    `body` is what is sent. `is_sent` says that the server may have begun to think.
    """

    def __init__(
        self, api: Api, thought: Thought, form: Form, question: str, *, with_usage: bool = True
    ) -> None:
        body = api.body(thought, form, question, with_usage=with_usage)
        self.reader: Reader = api.reader(thought.tool)
        self.body = msgspec.json.encode(body)
        self.is_sent = False
        self._api = api

    async def run(self, limits: Limits) -> None:
        """Ask, and read the answer. Raise `Failure`."""
        key = self._api.endpoint.key
        try:
            await self._ask(limits)
        except Failure as failure:
            reason = told(str(failure), key)
            raise Failure(
                reason, failure.then, after=failure.after, is_answer=failure.is_answer
            ) from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self.is_sent = False
            reason = told(f"no connection: {error or 'no answer in time'}", key)
            raise Failure(reason, Next.AGAIN) from None
        except httpx.TimeoutException:
            reason = f"nothing came for {limits.chunk:g} s"
            raise Failure(reason, Next.AGAIN) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Failure(told(f"the address: {error}", key), Next.OTHER_ENDPOINT) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            reason = told(f"the connection broke: {error}", key)
            raise Failure(reason, Next.AGAIN) from None

    async def _ask(self, limits: Limits) -> None:
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream, application/json",
            "accept-encoding": "identity",
            "user-agent": "callboard",
            **self._api.headers(),
        }
        client = httpx.AsyncClient(
            verify=_tls(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(limits.chunk, connect=limits.connect),
        )
        async with client:
            self.is_sent = True
            asking = client.stream("POST", self._api.url(), headers=headers, content=self.body)
            async with asking as response:
                await self._hear(response, limits)
        if not self.reader.done:
            raise Failure("the answer broke off", Next.AGAIN)

    async def _hear(self, response: httpx.Response, limits: Limits) -> None:
        if response.status_code >= 400:
            raise await _refusal(response, limits)
        if not response.is_success:
            raise _no_answer(response)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            reason = "the answer is compressed, which was not asked for"
            raise Failure(reason, Next.OTHER_ENDPOINT)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            await self._follow(response, limits)
        elif kind == "application/json":
            self.reader.whole(await _all(response, limits.answer_bytes))
        else:
            reason = f"the answer is of the type {kind or 'none'}, not JSON; look at base_url"
            raise Failure(reason, Next.OTHER_ENDPOINT)

    async def _follow(self, response: httpx.Response, limits: Limits) -> None:
        """Read a stream. What comes after the answer's end is awaited for `limits.last` only."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as end, aclosing(_events(response, limits)) as events:
                async for data in events:
                    self.reader.event(data)
                    if self.reader.closed:
                        return
                    if self.reader.done and end.when() is None:
                        end.reschedule(loop.time() + limits.last)
        except TimeoutError:
            if not end.expired():
                raise
        except httpx.HTTPError:
            if not self.reader.done:
                raise


def _no_answer(response: httpx.Response) -> Failure:
    """A redirect, or another status that is neither an answer nor an error."""
    if response.is_redirect:
        host = urlsplit(response.headers.get("location", "")).netloc.rpartition("@")[2]
        reason = f"status {response.status_code}: it redirects to {host or 'another path'}, which"
        return Failure(f"{reason} is not followed; look at base_url", Next.OTHER_ENDPOINT)
    return Failure(f"status {response.status_code} is no answer", Next.OTHER_ENDPOINT)


async def _refusal(response: httpx.Response, limits: Limits) -> Failure:
    """What an error of the server means."""
    status = response.status_code
    try:
        said = (await _all(response, limits.error_bytes)).decode(errors="replace")
    except Failure:
        said = "an error of more bytes than are read"
    text = f"status {status}: {_message(said)}"
    after = retry_after(response.headers.get("retry-after"))
    if status in (400, 422) or (status not in (401, 403, 429, 529) and _ABOUT_FORM.search(text)):
        then = Next.OTHER_FORM
    else:
        then = Next.AGAIN if status in _PASSING else Next.OTHER_ENDPOINT
    return Failure(text, then, after=after, is_answer=True)


class _Detail(msgspec.Struct):
    message: str


class _Error(msgspec.Struct):
    error: _Detail


_error = msgspec.json.Decoder(_Error).decode


def _message(said: str) -> str:
    """What an error in JSON says; else the beginning of the text."""
    try:
        return _error(said).error.message
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return said[:2000]


async def _all(response: httpx.Response, limit: int) -> bytes:
    return b"".join([piece async for piece in _pieces(response, limit)])


async def _pieces(response: httpx.Response, limit: int) -> AsyncGenerator[bytes]:
    """The bytes of an answer as they come. Raise `Failure` if they are more than the limit."""
    size = 0
    async for piece in response.aiter_raw():
        size += len(piece)
        if size > limit:
            reason = f"the answer has more than {limit} bytes"
            raise Failure(reason, Next.OTHER_ENDPOINT)
        yield piece


async def _events(response: httpx.Response, limits: Limits) -> AsyncGenerator[bytes]:
    """The data of each event of a stream; several lines of one event are joined."""
    held: list[bytes] = []  # the pieces of a line that is not whole yet
    data: list[bytes] = []
    async with aclosing(_pieces(response, limits.answer_bytes)) as pieces:
        async for piece in pieces:
            held.append(piece)
            if b"\n" not in piece:
                continue
            *lines, rest = b"".join(held).split(b"\n")
            held = [rest]
            for line in lines:
                if line.startswith(b"data:"):
                    data.append(line[5:].strip())
                elif not line.strip() and data:
                    yield b"\n".join(data)
                    data = []
    last = b"".join(held)
    if last.startswith(b"data:"):
        data.append(last[5:].strip())
    if data:
        yield b"\n".join(data)
