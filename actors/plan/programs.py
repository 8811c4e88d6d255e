"""What a plan would start, with which keys and fences: what a person wants to know beforehand."""

import fnmatch
import os
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from actors.clis import lookup, trust
from actors.clis.home import environment
from actors.clis.profile import Profile
from actors.git.running.places import place_within
from bus.checked import CheckedProgram
from bus.plan import HelperPlan, Plan, TerminalPlan


def programs(plan: Plan, env: Mapping[str, str] = os.environ) -> list[CheckedProgram]:
    """Return what runs in each terminal of the plan; `env` is the environment that counts.

    Raise `ProfileError` or `ProviderError`, as the check of the plan does before.
    """
    profiles = lookup.profiles(plan.cli)
    return [_one(plan, where, asked, profiles[asked.cli], env) for where, asked in _all(plan)]


def _all(plan: Plan) -> Iterator[tuple[str, TerminalPlan | HelperPlan]]:
    for task in plan.task:
        for number, terminal in enumerate(task.terminal, start=1):
            yield f"{task.id}/{number}", terminal
    for name, helper in (("merge", plan.merge), ("error", plan.error)):
        if helper is not None:
            yield name, helper


def _one(
    plan: Plan,
    where: str,
    asked: TerminalPlan | HelperPlan,
    profile: Profile,
    env: Mapping[str, str],
) -> CheckedProgram:
    found = lookup.asked_for(plan, asked, f"{where}.provider")
    base_url = found.base_url if found is not None else ""
    passed = environment(profile, env, own_provider=bool(base_url))
    login = [*profile.keep, *(name for names in profile.keep_if.values() for name in names)]
    arguments = profile.bypass_args if asked.auto_confirm == "bypass" else profile.ask_args
    return CheckedProgram(
        terminal=where,
        cli=asked.cli,
        command=[*profile.command, *arguments],
        provider=asked.provider,
        base_url=base_url,
        key=(found.api_key_env or found.api_key_from) if found is not None else "",
        login=sorted(name for name in passed if any(fnmatch.fnmatchcase(name, p) for p in login)),
        auto_confirm=asked.auto_confirm,
        sandbox=asked.sandbox or "off",
        unfenced=asked.unfenced,
        fence=asked.fence,
        network=asked.network,
        gateway=found is not None and found.behind_gateway,
        keep=asked.keep,
        env=_set_by(plan, asked),
    )


def _set_by(plan: Plan, asked: TerminalPlan | HelperPlan) -> dict[str, str]:
    """Return the variables that the plan's own profile of a program sets, in `[cli.NAME]`."""
    own = plan.cli.get(asked.cli, {})
    provider = own.get("provider", {}) if asked.provider else {}
    return {**own.get("env", {}), **provider.get("env", {}), **provider.get("model_env", {})}


def starters(plan: Plan, git_dir: str, commit: str) -> trust.Found:
    """Return the files of a commit by which the plan's CLIs start others (`clis.trust`)."""
    profiles = lookup.profiles(plan.cli)
    names = {name for _, asked in _all(plan) for name in profiles[asked.cli].starters}
    return trust.in_commit(sorted(names), git_dir, commit, PurePosixPath(place_within(plan.repo)))
