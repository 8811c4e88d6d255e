"""What is stored of an account that a provider refuses, and of one that serves again."""

from datetime import datetime

from bus import address as addresses
from bus import clock
from bus.accounts import Account
from bus.facts import ProviderFailed, ProviderLimited, ProviderRecovered
from bus.kinds import LimitKind
from store.change import Insert, Operation


def refused(
    known: Account, by: LimitKind, until: str, *, exact: bool, terminal: str
) -> list[Operation]:
    """Return the change for a refusal, with its fact unless the same limit is known.

    `until` is a stored time, "" if only a person can help; `exact` says that the provider said it.
    """
    values = {"name": known.name, "by": by, "until": until}
    change: list[Operation] = [Insert("account", values, replace=True)]
    if known.by != by or is_over(known.until):
        kind = ProviderFailed if by == LimitKind.OVERLOAD else ProviderLimited
        change.append(
            kind(
                address=addresses.RUNTIME,
                account=known.name,
                by=by,
                terminal=terminal,
                until=until,
                exact=exact,
            )
        )
    return change


def serves_again(known: Account, terminal: str) -> list[Operation]:
    """Return the change for an account that answers again; nothing if no limit is known."""
    if not known.by:
        return []
    free = {"name": known.name, "by": LimitKind.NONE, "until": ""}
    fact = ProviderRecovered(address=addresses.RUNTIME, account=known.name, terminal=terminal)
    return [Insert("account", free, replace=True), fact]


def is_over(until: str) -> bool:
    """Return whether a stored time has passed; False without one, because a person is to help."""
    return bool(until) and clock.wall() >= datetime.fromisoformat(until)
