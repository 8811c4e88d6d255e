"""Accounts at providers as rows: what limits them, and what was used."""

import msgspec

from bus.kinds import LimitKind


class Account(msgspec.Struct, kw_only=True):
    """An account at a provider, as far as a limit of it is known.

    `until` is as in `Terminal`; `by` is `LimitKind.NONE` if nothing keeps it. `probe` is the
    terminal that alone asks a provider that failed whether it serves again.
    """

    name: str
    by: LimitKind = LimitKind.NONE
    until: str = ""
    probe: str = ""


class Used(msgspec.Struct):
    """What a terminal has used on one day with one account; `cost` is None without prices.

    `input` includes `cached`. What the orchestrator's model has used has the workflow's address as
    its `terminal`, and no task.
    """

    workflow: str
    task: str
    terminal: str
    account: str
    day: str
    input: int
    output: int
    cached: int
    requests: int
    cost: float | None = None
