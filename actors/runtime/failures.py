"""Failures that repeat: an actor that fails again and again becomes a fact of its workflow.

The supervisors start it again for ever, ever more slowly. Without this a person would see a
workflow that is "merging", and nothing else.
"""

import msgspec

from bus import address as addresses
from bus.facts import ActorFailing

AGAIN = 7
"""So many failures in a row are told, and after each so many more. With the usual back-off that is
six seconds after the first."""
APART = 60.0
"""Failures that are this many seconds apart are not in a row."""


class _Row(msgspec.Struct):
    count: int = 0
    last: float = 0.0


class Failures:
    """Counts the failures in a row of every actor. For one thread."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}

    def add(self, address: str, error: str, at: float) -> ActorFailing | None:
        """Count a failure at `at` (Unix seconds). Return the fact that is to be told now."""
        row = self._rows.setdefault(address, _Row())
        row.count = 1 if at - row.last > APART else row.count + 1
        row.last = at
        concerns = concerned(address)
        if not concerns or row.count % AGAIN:
            return None
        return ActorFailing(address=concerns, actor=address, failures=row.count, error=error)

    def is_over(self, address: str, now: float) -> bool:
        """Whether it has not failed for a while; it is forgotten then."""
        row = self._rows.get(address)
        if row is not None and now - row.last < APART:
            return False
        self._rows.pop(address, None)
        return True


def concerned(address: str) -> str:
    """Return the workflow or terminal that an actor works for; "" if it works for all."""
    below = address.removeprefix(f"{addresses.RUNTIME}workflows/")
    if below != address:
        return addresses.workflow(below.partition("/")[0]) if below.count("/") > 1 else ""
    return "" if address.startswith(addresses.RUNTIME) else address


def reason(fact: ActorFailing) -> str:
    """What is shown beside the status of a workflow that cannot decide on it itself."""
    part = fact.actor.removesuffix("/").rpartition("/")[2]
    part = {"watcher": "git watcher", "merger": "merger"}.get(part, "actor")
    return (
        f"its {part} failed {fact.failures} times in a row, and is started again ever more slowly: "
        f"{fact.error}"
    )
