"""Facts about limits of model providers, from the terminals' actors."""

from bus.facts.base import Fact
from bus.kinds import LimitKind


class TerminalLimited(Fact, kw_only=True, tag="terminal.limited"):
    """The terminal cannot go on: its model's server refuses it.

    `until` is the time (RFC 3339) after which it may go on, or "" if only a person can help; it is
    `exact` if the program said it. `account` is whose limit it is, `text` what the screen says.
    With `retries` the program tries again by itself. `compact` is what shortens a conversation that
    is too long; "" if nothing does, or if it was tried.
    """

    observed = True

    incarnation: int
    step: int
    by: LimitKind
    until: str = ""
    exact: bool = False
    account: str = ""
    text: str = ""
    retries: bool = False
    compact: str = ""


class LimitOver(Fact, kw_only=True, tag="terminal.limit_over"):
    """The time of a limit has passed: the terminal goes on with one instruction."""

    observed = True

    incarnation: int
    step: int
    by: LimitKind


class ProviderLimited(Fact, kw_only=True, tag="provider.limited"):
    """An account is limited; no terminal of it gets an instruction before `until`.

    `terminal` found it out. `until` is as in `TerminalLimited`.
    """

    account: str
    by: LimitKind
    terminal: str
    until: str = ""
    exact: bool = False


class ProviderFailed(Fact, kw_only=True, tag="provider.failed"):
    """A provider fails or is overloaded; the fields are those of `ProviderLimited`.

    `text` is how it failed, where the model gateway knows: its status, or why it is not reached.
    """

    account: str
    by: LimitKind
    terminal: str
    until: str = ""
    exact: bool = False
    text: str = ""


class ProviderRecovered(Fact, kw_only=True, tag="provider.recovered"):
    """A limit of an account that was told is over: it answers again, or a person goes on."""

    account: str
    terminal: str


class UsageCounted(Fact, kw_only=True, tag="usage.counted"):
    """What a terminal has used since the last such fact.

    It is `exact` if the answers of the model said it, which the model gateway passed on; otherwise
    the program's own files say it. `input` includes `cached`. `cost` is by the
    provider's prices; None if it has none.
    """

    observed = True

    incarnation: int
    step: int
    account: str
    input: int
    output: int
    cached: int = 0
    requests: int = 0
    cost: float | None = None
    exact: bool = False


class TerminalCutOff(Fact, kw_only=True, tag="terminal.cut_off"):
    """The model gateway had to move to another port, so the program does not reach its model.

    It has the old address until it is started again.
    """

    incarnation: int


class LimitReached(Fact, kw_only=True, tag="limit.reached"):
    """The share `percent` of a cap of the plan is used: 80 or 100.

    After a person has gone on, 180 and 200 follow, and so on. `of` is `tokens` or `cost`. At each
    100 nothing new is typed or started before a person goes on.
    """

    percent: int
    of: str
    used: float
    cap: float
