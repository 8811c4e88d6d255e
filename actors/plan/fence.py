"""Which of a plan's programs run in a sandbox where neither the plan nor the user says it.

One does whose CLI was verified in it (`in_sandbox` of its profile), if a sandbox with a home
directory of its own can be made here, and nothing is known that fails in it in this repository.
The plan is stored with what was decided, and with the reason where there is none.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from actors.clis import lookup
from actors.clis.profile import Profile, ProfileError
from actors.git.running import converting
from actors.platform import sandbox
from bus.errors import malformed
from bus.plan import HelperPlan, Plan, TerminalPlan
from bus.user import file_of_user

_SIGNING: Final = re.compile(r"commit\.gpgsign|gpg\.format")
_NO: Final = frozenset({"false", "no", "off", "0"})


def decide(plan: Plan, home: Path | None) -> list[str]:
    """Decide for each program of the plan that says nothing; return what a person should know.

    `home` is the runtime's; None if it is not known yet. Raise `Refused` (422).
    """
    named = list(_all(plan))
    for path, one in named:
        if one.unfenced and one.sandbox != "off":
            raise malformed(f"{path}.unfenced", 'says why `sandbox` is "off", which it is not')
        if one.sandbox is None and one.network != "on":  # which only a sandbox takes
            one.sandbox = "worktree"
    asked = [one for _, one in named if one.sandbox is None]
    profiles = _profiles(plan) if asked else {}
    for one in asked:
        one.unfenced = _unverified(profiles.get(one.cli), one)
    verified = [one for one in asked if not one.unfenced]
    signing = _without_keys(plan)
    against = (_trouble(home) or signing or _kept(plan)) if verified else ""
    for one in asked:
        one.unfenced = one.unfenced or against
        one.sandbox = "off" if one.unfenced else "worktree"
    if against:
        clis = ", ".join(sorted({one.cli for one in verified}))
        return [f"{clis} would have a sandbox, and has none here: {against}"]
    fenced = any(one.is_fenced for _, one in named)
    return [*([f"in the sandbox {signing}"] if signing and fenced else []), *_hidden(plan, fenced)]


def _all(plan: Plan) -> Iterator[tuple[str, TerminalPlan | HelperPlan]]:
    for i, task in enumerate(plan.task):
        for j, terminal in enumerate(task.terminal):
            yield f"task[{i}].terminal[{j}]", terminal
    for name, helper in (("merge", plan.merge), ("error", plan.error)):
        if helper is not None:
            yield name, helper


def _profiles(plan: Plan) -> Mapping[str, Profile]:
    try:
        return lookup.profiles(plan.cli)
    except ProfileError as error:
        raise malformed(error.path, error.rule) from error


def _unverified(profile: Profile | None, asked: TerminalPlan | HelperPlan) -> str:
    """Return why a program has no sandbox of itself; "" if it has."""
    if profile is None or not profile.in_sandbox:
        return f"{asked.cli} was not verified in one"
    if "global" in (asked.switch, profile.switch):
        return 'switch = "global" changes your own configuration'
    return ""


def _trouble(home: Path | None) -> str:
    """Return why no program has a sandbox of itself on this machine; "" if one can."""
    place = home or file_of_user("~") or Path("/")
    return sandbox.own_home_trouble(str(place.absolute()))


def _without_keys(plan: Plan) -> str:
    """Say that commits are signed with keys that a sandbox hides, and what opens them; else ""."""
    found = converting.matching(plan.repo, _SIGNING)
    if found.get("commit.gpgsign", "false").lower() in _NO:
        return ""
    agent = "ssh-agent" if found.get("gpg.format") == "ssh" else "gpg-agent"
    if agent in plan.sandbox_allow:
        return ""
    return (
        "commits cannot be signed (commit.gpgsign is set), because your keys are hidden; "
        f'sandbox_allow = ["{agent}"] lets every program in it use your agent'
    )


def _kept(plan: Plan) -> str:
    """Say why results of `setup` that are used again do not go with the sandbox; else ""."""
    if not plan.setup_inputs:
        return ""
    return (
        "what `setup` keeps for other trees (setup_inputs) would lack what it wrote in your home "
        'directory; sandbox = "worktree" if it needs nothing there'
    )


def _hidden(plan: Plan, fenced: bool) -> Iterator[str]:
    """Say what of this machine the programs in the sandbox do not see, and what opens it."""
    allowed = set(sandbox.paths(plan.sandbox_allow)) if fenced else set()
    found = [path for path in sandbox.closed() if path not in allowed] if fenced else []
    if found:
        yield (
            f"a sandbox hides {', '.join(found)}; "
            'sandbox_allow opens one of them, and sandbox = "off" all'
        )
