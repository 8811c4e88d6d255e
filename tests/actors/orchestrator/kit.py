"""Have one thought in this process, with limits that let a failing server fail soon."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from actors.orchestrator.limits import Limits
from actors.orchestrator.thinking import Thinker
from actors.orchestrator.thoughts import Endpoint, Thinking, Thought, ThoughtOver

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "action": {"enum": ["nothing", "retry"]},
        "reason": {"type": "string", "maxLength": 100},
    },
    "required": ["action", "reason"],
    "additionalProperties": False,
}
GOOD = {"action": "nothing", "reason": "all is well"}
QUICK = Limits(backoff=0.001, answer_bytes=20_000, error_bytes=2_000)
IMPATIENT = msgspec.structs.replace(QUICK, chunk=0.1, last=0.1)
"""For servers that never answer in time; one that means to may be too slow beside other tests."""


def thought(*endpoints: Endpoint, id: str = "one", timeout: float = 60.0) -> Thought:
    """A question with the schema of this page."""
    return Thought(id, endpoints, "Be brief.", "What now?", SCHEMA, 500, timeout)


class Had(msgspec.Struct):
    """What was heard: how the last thought ended, and all attempts."""

    over: ThoughtOver
    attempts: list[Thinking]

    @property
    def arguments(self) -> dict[str, Any] | None:
        """What the model answered."""
        return self.over.arguments


def have_all(thoughts: Sequence[Thought], limits: Limits = QUICK) -> list[Had]:
    """Have these thoughts one after the other, with one memory of their endpoints."""

    async def all_of_them() -> list[Had]:
        heard: list[Thinking] = []

        async def tell(thinking: Thinking) -> None:
            heard.append(thinking)

        thinker = Thinker(tell, limits)
        had = []
        for each in thoughts:
            over = await thinker.think(each)
            had.append(Had(over, list(heard)))
            heard.clear()
        return had

    return asyncio.run(all_of_them())


def have(asked: Thought, limits: Limits = QUICK) -> Had:
    """Have one thought."""
    return have_all([asked], limits)[0]
