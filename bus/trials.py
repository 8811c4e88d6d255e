"""What became of a CLI that was tried."""

import msgspec


class TrialCheck(msgspec.Struct):
    """One thing of a profile that was tried.

    `state` is `ok`, `failed` or `untried`. `screen` is the screen where it failed.
    """

    what: str
    state: str
    text: str = ""
    screen: str = ""


class Trial(msgspec.Struct):
    """What became of a CLI that was run against a server that plays the model.

    `ok` if nothing failed. `verified` says whether its version is one the profile was verified
    with; `version` is "" where it is unknown.
    """

    cli: str
    version: str = ""
    verified: bool = False
    ok: bool = False
    checks: list[TrialCheck] = []
