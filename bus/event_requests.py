"""Requests about facts, with their results."""

from typing import Annotated

import msgspec

from bus.facts import AnyFact
from bus.request_base import Request

MOST_ADDRESSES = 1_000
"""How many addresses one request may name."""


class Newest(msgspec.Struct):
    """The facts that were found, in the order of the addresses."""

    facts: list[AnyFact]


class EventsNewest(Request[Newest], kw_only=True, tag="events.newest"):
    """Return for each address its newest fact of one of the `types`.

    Only the newest 200 facts of exactly that address are looked at. An address without such a fact
    is left out.
    """

    addresses: Annotated[list[str], msgspec.Meta(max_length=MOST_ADDRESSES)]
    types: Annotated[list[str], msgspec.Meta(max_length=100)]
