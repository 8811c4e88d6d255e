"""What is stored of an account that a provider refuses, and of one that serves again."""

from bus import address as addresses
from bus.facts import ProviderFailed, ProviderLimited, ProviderRecovered
from bus.kinds import LimitKind
from store.change import AccountNews


def refused(
    account: str, by: LimitKind, until: str, *, exact: bool, terminal: str, text: str = ""
) -> AccountNews:
    """Return the operation for a refusal.

    `until` is a stored time, "" if only a person can help; `exact` says that the provider said it.
    `text` is how a provider failed.
    """
    fact: ProviderFailed | ProviderLimited
    if by == LimitKind.OVERLOAD:
        fact = ProviderFailed(
            address=addresses.RUNTIME, account=account, by=by, terminal=terminal, text=text
        )
    else:
        fact = ProviderLimited(address=addresses.RUNTIME, account=account, by=by, terminal=terminal)
    fact.until, fact.exact = until, exact
    return AccountNews(fact)


def serves_again(account: str, terminal: str) -> AccountNews:
    """Return the operation for an account that answers again, or with which a person goes on."""
    return AccountNews(
        ProviderRecovered(address=addresses.RUNTIME, account=account, terminal=terminal)
    )
