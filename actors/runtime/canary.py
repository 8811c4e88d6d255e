"""Try CLIs, and say where a screen is no longer what the profile knows."""

import os
from collections.abc import Mapping
from typing import Any

from actors.clis import lookup
from actors.clis.profile import Profile, ProfileError
from actors.clis.trial.trying import try_profile
from actors.plan.check import place_programs
from actors.plan.instructions import with_instructions
from bus.action import Action, Do
from bus.errors import malformed
from bus.plan import decode
from bus.results import Finding
from bus.trials import Trial


def try_named(name: str, plan: Mapping[str, str] | None, ask: bool) -> Trial:
    """Try the profile `name`: built-in, the user's, or the plan's.

    `plan` has the plan's text and the directory it is in, as `plan` and `base`. Raises `Refused`
    (422): there is no such profile, or the plan is not valid.
    """
    own: dict[str, dict[str, Any]] = {}
    if plan is not None:
        base = plan["base"]
        decoded = decode(plan["plan"], {}, lambda raw: with_instructions(raw, base))
        place_programs(decoded, base)
        own = decoded.cli
    try:
        profiles = lookup.profiles(own)
    except ProfileError as error:
        raise malformed(error.path, error.rule) from error
    known = sorted(found for found, profile in profiles.items() if profile.command)
    if name not in known:
        raise malformed(f"cli.{name}", f"there is no such profile; there are: {', '.join(known)}")
    return try_profile(profiles[name], os.environ, ask=ask)


def finding(profile: Profile) -> Finding:
    """Try an installed CLI, and return what the doctor says of it."""
    trial = try_profile(profile, os.environ)
    what = f"{profile.name} {trial.version or 'of unknown version'}"
    if not trial.verified:
        what += f" (verified: {', '.join(profile.version.verified)})"
    failed = [check.what for check in trial.checks if check.state == "failed"]
    if failed:
        return Finding(
            f"{what}: its profile does not hold: {', '.join(failed)}",
            "note",
            actions=[Action(Do.TRY_CLI, profile.name)],
        )
    return Finding(f"{what}: its profile holds", "ok" if trial.verified else "note")
