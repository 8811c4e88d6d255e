"""Ask the endpoints of a thought until one answers with arguments that fit.

Each endpoint is asked in the strictest form that it knows: a strict tool, a tool, a JSON schema,
JSON in text. A server that refuses a form is asked in the next one, and the form that worked is
remembered. Arguments that do not fit are sent back once, with the error. Whatever happens, a
thought ends with one `ThoughtOver`, within its time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from actors.orchestrator import addresses, arguments
from actors.orchestrator.answers import Api, Form, Reader
from actors.orchestrator.anthropic import Messages
from actors.orchestrator.arguments import Misfit
from actors.orchestrator.call import Call
from actors.orchestrator.failures import Failure, Next, told
from actors.orchestrator.limits import Breaker, Limits, pause
from actors.orchestrator.openai import Chat
from actors.orchestrator.thoughts import Endpoint, Rung, Thinking, Thought, ThoughtOver

log = logging.getLogger("callboard.orchestrator")

BYTES_PER_TOKEN = 3
"""For an estimate that is rather too high."""
MOST_CALLS = 10
"""Attempts for one thought, whatever its endpoints say."""
SHOWN_AGAIN = 4000
"""Characters of an answer that does not fit, as the model sees them again."""


class _Memory:
    """What is known of one endpoint while the process lives."""

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self.breaker = Breaker(limits, now)
        self.form: Form | None = None
        self.with_usage = True


class _Spent:
    """What the attempts of one thought have cost."""

    def __init__(self) -> None:
        self.tokens_in = 0
        self.tokens_out = 0
        self.exact = True
        self.attempts = 0
        self.endpoint = 0

    def count(self, call: Call, failure: Failure | None, max_tokens: int) -> None:
        """Count an attempt that has ended. What the server did not tell is estimated."""
        reader = call.reader
        if not call.is_sent or (failure is not None and failure.is_answer):
            return
        tokens_out = reader.tokens_out
        if not reader.done:
            tokens_out = None
        self.exact &= reader.tokens_in is not None and tokens_out is not None
        self.tokens_in += estimate(call.body) if reader.tokens_in is None else reader.tokens_in
        if tokens_out is None:
            said = f"{reader.text}{reader.arguments or ''}".encode()
            tokens_out = estimate(said) if reader.done else max_tokens
        self.tokens_out += tokens_out


class Thinker:
    """Thinks. `tell` is awaited before each attempt. One event loop, any number of thoughts."""

    def __init__(
        self, tell: Callable[[Thinking], Awaitable[None]], limits: Limits | None = None
    ) -> None:
        self._tell = tell
        self._limits = limits or Limits()
        self._memory: dict[Endpoint, _Memory] = {}

    async def think(self, thought: Thought) -> ThoughtOver:
        """Return how the thought ended, after `timeout` at the latest. Raise nothing."""
        now = asyncio.get_running_loop().time
        began, spent = now(), _Spent()
        try:
            found = await self._first_answer(thought, spent)
        except Failure as failure:
            found = _Found(None, "none", "", told(str(failure)))
        except Exception as error:
            log.exception("a thought broke")
            found = _Found(None, "none", "", f"a defect: {type(error).__name__}")
        return ThoughtOver(
            thought.id,
            found.arguments,
            found.rung,
            found.model,
            spent.tokens_in,
            spent.tokens_out,
            spent.exact,
            now() - began,
            spent.attempts,
            found.error,
            spent.endpoint,
        )

    async def _first_answer(self, thought: Thought, spent: _Spent) -> "_Found":
        """Ask one endpoint after the other; each may use an equal share of the time that is left.

        Raise `Failure` with the reason of each.
        """
        if "$ref" in msgspec.json.encode(thought.schema).decode():
            raise Failure("the schema holds a $ref, which servers refuse", Next.NOTHING)
        now = asyncio.get_running_loop().time
        end = now() + thought.timeout
        reasons = []
        for index, endpoint in enumerate(thought.endpoints):
            share = max(0.0, end - now()) / (len(thought.endpoints) - index)
            course = _Course(self._limits, self._known(endpoint), thought, index, spent, self._tell)
            try:
                return await course.run(share)
            except Failure as failure:
                reasons.append(f"{addresses.shown(endpoint)}: {failure}")
                if failure.then is Next.NOTHING:
                    break
        raise Failure("; ".join(reasons) or "no endpoint is given", Next.NOTHING)

    def _known(self, endpoint: Endpoint) -> _Memory:
        now = asyncio.get_running_loop().time
        return self._memory.setdefault(endpoint, _Memory(self._limits, now))


class _Found(msgspec.Struct, frozen=True):
    arguments: dict[str, Any] | None
    rung: Rung
    model: str
    error: str = ""


class _Course:
    """The attempts of one thought at one endpoint."""

    def __init__(
        self,
        limits: Limits,
        memory: _Memory,
        thought: Thought,
        index: int,
        spent: _Spent,
        tell: Callable[[Thinking], Awaitable[None]],
    ) -> None:
        self._limits = limits
        self._memory = memory
        self._thought = thought
        self._index = index
        self._spent = spent
        self._tell = tell
        self._endpoint = thought.endpoints[index]
        self._api = _api(self._endpoint)
        self._forms = _from(self._api.forms(thought.schema), memory.form)
        self._question = thought.question
        self._misfit = ""
        self._tried = 0

    async def run(self, seconds: float) -> _Found:
        """Ask until there is an answer, for so many seconds. Raise `Failure`."""
        addresses.check(self._endpoint)
        breaker = self._memory.breaker
        if breaker.wait:
            reason = f"not asked for {breaker.wait:.0f} s more, because: {breaker.reason}"
            raise Failure(reason, Next.OTHER_ENDPOINT)
        end = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(end):
                while True:
                    found = await self._try(end)
                    if found is not None:
                        return found
        except TimeoutError:
            reason = f"no answer within {seconds:.3g} s"
            breaker.failed(reason, 0.0)
            raise Failure(reason, Next.OTHER_ENDPOINT) from None

    async def _try(self, end: float) -> "_Found | None":
        """Ask once. Return None if it is to be asked again."""
        form = self._forms[0]
        try:
            reader = await self._call(form)
        except Failure as failure:
            await self._after(failure, end)
            return None
        self._memory.breaker.worked()
        try:
            given = _given(reader)
            if given is None:
                self._ask_otherwise(reader)
                return None
            found = arguments.read(given, self._thought.schema)
        except Misfit as misfit:
            self._send_back(reader, str(misfit))
            return None
        self._memory.form = form
        called = reader.arguments is not None and given == reader.arguments
        rung: Rung = "repair" if self._misfit else "tool" if called else "schema"
        return _Found(found, rung, told(reader.model, self._endpoint.key) or self._endpoint.model)

    async def _call(self, form: Form) -> Reader:
        if self._spent.attempts >= MOST_CALLS:
            reason = f"no answer after {MOST_CALLS} attempts"
            raise Failure(reason, Next.NOTHING)
        call = Call(
            self._api,
            self._thought,
            form,
            self._question,
            with_usage=self._memory.with_usage,
        )
        self._spent.attempts += 1
        self._spent.endpoint = self._index
        await self._tell(Thinking(self._thought.id, self._index, estimate(call.body)))
        failed: Failure | None = None
        try:
            await call.run(self._limits)
        except Failure as failure:
            failed = failure
            raise
        finally:
            self._spent.count(call, failed, self._thought.max_tokens)
        return call.reader

    async def _after(self, failure: Failure, end: float) -> None:
        """Prepare the next try after a failure, or raise it."""
        breaker = self._memory.breaker
        if failure.then is Next.OTHER_FORM:
            if self._memory.with_usage and "stream_options" in str(failure):
                self._memory.with_usage = False
                return
            if len(self._forms) > 1:
                self._forms = self._forms[1:]
                return
        if failure.then is not Next.NOTHING:
            breaker.failed(str(failure), failure.after)
        if failure.then is not Next.AGAIN:
            raise failure
        self._tried += 1
        wait = max(pause(self._limits, self._tried), failure.after)
        left = end - asyncio.get_running_loop().time()
        if self._tried >= self._limits.tries or wait > min(left, self._limits.longest_pause):
            raise failure
        await asyncio.sleep(wait)

    def _ask_otherwise(self, reader: Reader) -> None:
        """Ask in the next form: the model neither called the tool nor wrote JSON."""
        if self._misfit or reader.cut or len(self._forms) == 1:
            self._send_back(reader, "the answer is no JSON object")
        else:
            self._forms = self._forms[1:]

    def _send_back(self, reader: Reader, misfit: str) -> None:
        """Ask for a repair, once. Raise `Failure` if that was one."""
        misfit = reader.cut or misfit
        if self._misfit:
            reason = f"no arguments that fit, after one repair: {told(misfit)}"
            raise Failure(reason, Next.NOTHING)
        self._misfit = misfit
        said = (reader.arguments or reader.text)[:SHOWN_AGAIN]
        self._question = (
            f"{self._thought.question}\n\nThis was asked before. The answer was refused: "
            f"{told(misfit)}. This is the refused answer:\n{said}\n\nAnswer again, so that it fits."
        )


def estimate(data: bytes) -> int:
    """Return about how many tokens a text has, rather too many."""
    return len(data) // BYTES_PER_TOKEN + 1


def _api(endpoint: Endpoint) -> Api:
    kinds: dict[str, type[Api]] = {"openai": Chat, "anthropic": Messages}
    return kinds[endpoint.api_type.removesuffix("-compatible")](endpoint)


def _from(forms: tuple[Form, ...], known: Form | None) -> tuple[Form, ...]:
    """The forms from the one that worked last."""
    return forms[forms.index(known) :] if known in forms else forms


def _given(reader: Reader) -> str | None:
    """Return what may be the arguments: those of the call, or JSON in the text.

    Servers without tools write it there, and some call the tool with nothing.
    """
    return (reader.arguments or "").strip() or arguments.find(reader.text)
