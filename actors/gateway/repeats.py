"""Changing requests over TCP are carried out once, also if their frames are sent again.

A client names each of them `EPOCH/ANYTHING`. The epoch is this runtime's (`runtime.info`), so a
frame that was sent to an earlier runtime is refused. Within the epoch a name counts once for its
key. What the first of two did is seen in the rows and facts.
"""

import secrets
from collections import OrderedDict
from typing import Any

from bus.errors import Refused, malformed
from bus.reasons import Reason

REMEMBERED = 10_000
"""Names that are remembered for each key. CURVE itself keeps frames from being recorded and sent
again; this is for a client that is in doubt and asks again."""
LONGEST = 200


class Repeats:
    """The names of the requests that were carried out. Only the gateway's thread may use it."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)
        self._seen: dict[str, OrderedDict[str, None]] = {}

    def require_new(self, key: str, id: Any) -> None:
        """Note a request's id. Raise `Refused` (409, 422) if it may not be carried out."""
        if not isinstance(id, str) or "/" not in id or len(id) > LONGEST:
            raise malformed(
                "id",
                f"over TCP a request that changes something has the id {self.epoch}/NAME, where "
                "NAME is new each time",
            )
        if id.partition("/")[0] != self.epoch:
            raise Refused(
                409,
                Reason.OTHER_EPOCH,
                f"the epoch is {self.epoch} now; this request was meant for an earlier runtime",
                path="id",
            )
        seen = self._seen.setdefault(key, OrderedDict())
        if id in seen:
            raise Refused(
                409,
                Reason.REPEATED,
                "a request with this id was received already; the rows and facts tell what it did",
                path="id",
            )
        seen[id] = None
        if len(seen) > REMEMBERED:
            seen.popitem(last=False)
