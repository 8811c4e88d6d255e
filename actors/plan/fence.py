"""Which of a plan's programs run in a sandbox where neither the plan nor the user says it.

One does whose CLI was verified in it (`in_sandbox` of its profile), if a sandbox with a home
directory of its own can be made here, and nothing is known that fails in it in this repository.
The plan is stored with what was decided, with the reason where there is none, and with the name of
a sandbox that is not bubblewrap's.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from actors.clis import lookup
from actors.clis.profile import Profile, ProfileError
from actors.clis.providers import ProviderError
from actors.git.running import converting
from actors.platform import openings, sandbox
from bus.errors import malformed
from bus.plan import HelperPlan, Plan, TerminalPlan
from bus.user import file_of_user

_SIGNING: Final = re.compile(r"commit\.gpgsign|gpg\.format")
_NEEDS_SANDBOX: Final = 'needs sandbox = "worktree", unless it is "on"'
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
    fenced = any(one.is_fenced for _, one in named)
    if against:
        clis = ", ".join(sorted({one.cli for one in verified}))
        said = [f"{clis} would have a sandbox, and has none here: {against}"]
    else:
        said = [f"in the sandbox {signing}"] if signing and fenced else []
        said += _hidden(plan, fenced)
    return [*said, *_name(plan, fenced)]


def _name(plan: Plan, fenced: bool) -> Iterator[str]:
    """Note which sandbox the programs have, and say what one that is not bubblewrap's lacks.

    Raise `Refused` for a program that cannot have it.
    """
    by = sandbox.found()[0] if fenced else ""
    for path, one in _all(plan):
        one.fence = by if one.is_fenced and by in sandbox.LESS else ""
        if not one.fence:
            continue
        profile = _profiles(plan).get(one.cli)
        if one.network == "model":
            raise malformed(f"{path}.network", f'"model" needs bubblewrap, and there is {by} here')
        if profile is not None and (private := profile.home.private):
            what = f"{one.cli} writes {', '.join(private)}"
            raise malformed(f"{path}.sandbox", f"{what}: only bubblewrap gives it one of its own")
    if by in sandbox.LESS and "gpg-agent" in plan.sandbox_allow:
        raise malformed("sandbox_allow", f'"gpg-agent" needs bubblewrap, and there is {by} here')
    if by in sandbox.LESS:
        yield f"the sandbox here is {by} and not bubblewrap: {sandbox.LESS[by]}"


def check(plan: Plan) -> None:
    """A terminal that is to have a sandbox can have one here. Raise `Refused`."""
    named = list(_all(plan))
    for path, one in named:
        _check_network(plan, path, one)
    if plan.test_network == "off" and not plan.is_fenced:
        raise malformed("test_network", _NEEDS_SANDBOX)
    wanted = [path for path, one in named if one.is_fenced]
    if wanted and (trouble := sandbox.trouble()):
        raise malformed(f"{wanted[0]}.sandbox", f'{trouble}; install it, or set it to "off"')


def _check_network(plan: Plan, path: str, asked: TerminalPlan | HelperPlan) -> None:
    """Raise `Refused` for a program that is to have no network, or no other than its model."""
    if asked.network != "on" and not asked.is_fenced:
        raise malformed(f"{path}.network", _NEEDS_SANDBOX)
    if asked.network != "model":
        return
    for name in (asked.provider, *asked.fallback):
        try:
            behind = bool(name) and lookup.named(plan, name, path).behind_gateway
        except ProviderError as error:
            raise malformed(error.path, error.rule) from error
        if not behind:
            what = f"the provider {name} is not" if name else "a CLI's own login does not go"
            rule = f'"model" goes through the model gateway, and {what} behind it'
            raise malformed(f"{path}.network", rule)


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
    """Return why no program has a sandbox of itself on this machine; "" if one can.

    Raise `Refused` if that is not known: a program that may have one is not run without it.
    """
    place = home or file_of_user("~") or Path("/")
    said = sandbox.of_own_home(str(place.absolute()))
    if not said.known:
        raise malformed("", f"{said.trouble}; ask again, or say `sandbox` in the plan")
    return said.trouble


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
    allowed = set(openings.paths(plan.sandbox_allow)) if fenced else set()
    found = [path for path in openings.closed() if path not in allowed] if fenced else []
    if found:
        yield (
            f"a sandbox hides {', '.join(found)}; "
            'sandbox_allow opens one of them, and sandbox = "off" all'
        )
