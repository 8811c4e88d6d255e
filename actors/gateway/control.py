"""What the gateway and the publisher are given of the runtime."""

from typing import Any, Protocol

from actors.gateway.examiner import Starter
from actors.gateway.repeats import Repeats
from actors.supervision.inspection import Node
from bus.latency import Latency


class Control(Starter, Protocol):
    """What the gateway asks of the runtime. Any thread may call it.

    `repeats` knows the requests of the TCP door's keys, also those to an earlier gateway. `latency`
    is how long facts took to be published, also by an earlier publisher.
    """

    repeats: Repeats
    latency: Latency

    def info(self) -> dict[str, Any]:
        """Answer `runtime.info`."""

    def inspect(self) -> Node:
        """Return the supervision tree as data."""

    def note_request(self) -> None:
        """Note that a client uses the runtime now."""

    def request_stop(self, reason: str, terminals: bool = False) -> None:
        """End the runtime soon, and its terminals if `terminals`."""
