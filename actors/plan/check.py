"""Checking a plan against this machine: the repository, the branches, the programs.

Reads only. Every refusal is a `Refused` (422) with the key's path, the rule, and what helps.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from actors.clis import lookup, trust
from actors.clis.profile import Profile, ProfileError
from actors.clis.providers import ProviderError
from actors.git.reading import identity
from actors.git.reading.commits import tree_of
from actors.git.running.command import GitUnknown
from actors.git.running.errors import RepositoryError, Rule
from actors.git.running.library import opened, pygit2
from actors.git.running.places import place_within
from actors.git.trees.copies import to_copy, without_match
from actors.git.users.repository import Survey, survey
from actors.plan import config, fence
from actors.plan.branches import number_existing, refuse_existing
from actors.plan.instructions import unwritten, with_instructions
from actors.plan.models import about_orchestrator, check_orchestrator
from actors.plan.notices import check_notify, told_by
from actors.plan.programs import programs, starters
from bus.action import Action, Do
from bus.checked import CheckedPlan, CheckedTask
from bus.environment import BROUGHT, taken_over, with_plans
from bus.errors import malformed
from bus.graph import in_order
from bus.plan import Plan, decode
from bus.requests import MAX_FRAME
from bus.user import NoHomeDirectory, expanded

ROOM = 65_536
"""Bytes of a request beside the plan it submits: the client's variables, and digests of others."""
_NONE: Mapping[str, str] = MappingProxyType({})
_BRANCH_RULES = {Rule.BRANCH_NAME, Rule.BRANCH_CONFLICT}


class Checked(msgspec.Struct, frozen=True):
    """A plan that can run. `order` is the launch order; `warnings` are said, not refused.

    `starters` are the files of the target by which its CLIs start others, and `environment` is what
    the plan itself sets, without what its client brings.
    """

    plan: Plan
    survey: Survey
    order: list[str]
    warnings: list[str]
    starters: trust.Found = {}
    environment: Mapping[str, str] = _NONE


def check(
    source: str | dict[str, Any],
    base: str,
    again: bool = False,
    variables: Mapping[str, str] = _NONE,
    home: Path | None = None,
) -> Checked:
    """Decode and check; a relative `repo` is taken from the directory `base`.

    With `again`, a branch that exists gets a number, and that is said. `variables` are those that
    the client brings; what the plan sets counts more. `home` is the runtime's, if it is known.
    """
    if len(msgspec.json.encode(source)) > MAX_FRAME - ROOM:
        raise malformed("", f"the plan is too large: a request holds at most {MAX_FRAME} bytes")
    plan = decode(source, config.of_user(), lambda raw: with_instructions(raw, base))
    own = plan.environment
    plan.environment = {**_taken_over(variables), **own}
    _place_repo(plan, base)
    place_programs(plan, base)
    found = _survey(plan)
    renamed = number_existing(plan, found) if again else []
    found = _survey(plan) if renamed else found
    refuse_existing(plan, found)
    fenced = fence.decide(plan, home)
    fence.check(plan)
    _check_place(plan, found)
    of_clis = _check_clis(plan)
    _check_checks(plan)
    check_orchestrator(plan)
    if plan.test is not None:
        check_test(plan.test, plan.environment)
    order = _launch_order(plan)
    of_notify = check_notify(plan, base)
    warnings = [*_warnings(plan, found), *unwritten(plan, source), *fenced]
    warnings += [*renamed, *of_clis, *of_notify]
    starting = starters(plan, found.git_dir, found.target_oid)
    return Checked(plan, found, order, warnings, starters=starting, environment=own)


def untrusted(checked: Checked, home: Path | None) -> list[str]:
    """Return those of a plan's `starters` that nobody has trusted in this home, if there is one."""
    return [] if home is None else trust.untrusted(home, checked.survey.git_dir, checked.starters)


def _place_repo(plan: Plan, base: str) -> None:
    """Make the path of the repository absolute."""
    try:
        repo = expanded(plan.repo)
    except NoHomeDirectory as error:
        raise malformed("repo", f"{plan.repo!r}: nobody of this name has a home here") from error
    if not repo.is_absolute():
        if not base:
            raise malformed("repo", "must be absolute where the plan comes without a directory")
        if not Path(base).is_absolute():
            raise malformed("base", "must be absolute: a runtime stands in a directory of its own")
        repo = Path(base) / repo
    plan.repo = os.path.normpath(repo)


def _warnings(plan: Plan, found: Survey) -> list[str]:
    """Return what is worth knowing and refuses nothing, the most important first."""
    warnings = []
    if plan.test is None:
        warnings.append("the plan has no `test`: what lands is NOT TESTED")
    warnings += [*_exposed(plan), *found.notes]
    warnings += [
        f"copy: {pattern!r} matches no file in {plan.repo}; nothing is copied"
        for pattern in without_match(Path(plan.repo), plan.copy)
    ]
    warnings += [
        f"setup_inputs: {pattern!r} matches no file in {plan.repo}; setup runs in each tree"
        for pattern in without_match(Path(plan.repo), plan.setup_inputs)
    ]
    if found.changed:
        warnings.append(
            f"{plan.target} is checked out with changed files; if the merge touches them it "
            "will not land: " + ", ".join(found.changed[:5])
        )
    if plan.orchestrator is not None:
        warnings += about_orchestrator(plan)
    return [*warnings, *_about_identity(plan)]


def _about_identity(plan: Plan) -> list[str]:
    try:
        if identity.can_commit(plan.repo):
            return []
    except GitUnknown as error:
        return [f"git does not say with which name it commits: {error}"]
    return [f"{identity.NO_IDENTITY}; {identity.HOW_TO_SET}"]


def check_part(plan: Plan, home: Path, *, branches: bool) -> None:
    """Check a plan of which a part is new; its branches only if they are. Raise `Refused`.

    Decide which of its programs run in a sandbox (`actors.plan.fence`).
    """
    found = _survey(plan)
    if branches:
        refuse_existing(plan, found)
    fence.decide(plan, home)
    fence.check(plan)
    _check_clis(plan)
    _check_checks(plan)


def check_test(test: list[str], environment: Mapping[str, str], at: str = "test") -> None:
    """Raise `Refused` if the program of a test, or of the check of a task, is not there.

    `environment` is the plan's.
    """
    path = with_plans(environment).get("PATH")
    if "/" not in test[0] and shutil.which(test[0], path=path) is None:
        raise malformed(f"{at}[0]", f"{test[0]!r} is not on the PATH; no tree would be green")


def _check_checks(plan: Plan) -> None:
    for index, task in enumerate(plan.task):
        if task.check is not None:
            check_test(task.check, plan.environment, f"task[{index}].check")


def _launch_order(plan: Plan) -> list[str]:
    """The terminals as `TASK/POSITION`, each after those of the tasks that its task waits for."""
    tasks = {task.id: task for task in plan.task}
    return [
        f"{id}/{n}" for id in in_order(plan.graph) for n in range(1, len(tasks[id].terminal) + 1)
    ]


def _check_place(plan: Plan, found: Survey) -> None:
    """The plan's place in the repository is in every worktree, so it must be in the target."""
    place = place_within(plan.repo)
    tree = tree_of(opened(found.git_dir), found.target_oid)
    if place.parts and place.as_posix() not in tree:
        raise malformed("repo", f"{place} is not a directory of branch {plan.target!r}")


def place_programs(plan: Plan, base: str) -> None:
    """Make relative paths of the programs of `[cli.X]` absolute.

    They (`./agent`, `bin/agent`) are relative to the plan, and terminals start elsewhere.
    """
    for table in plan.cli.values():
        command = table.get("command")
        if isinstance(command, list) and command and isinstance(command[0], str):
            program = command[0]
            if "/" in program and base and not program.startswith(("/", "~")):
                table["command"] = [os.path.normpath(Path(base) / program), *command[1:]]


def _survey(plan: Plan) -> Survey:
    branches = [task.branch for task in plan.task]
    try:
        return survey(plan.repo, plan.target, branches)
    except RepositoryError as error:
        raise malformed(_path_of(plan, error), error.message, help=error.help) from error


def _path_of(plan: Plan, error: RepositoryError) -> str:
    """The key at fault: a branch's, the target's, or the repository's."""
    if error.rule == Rule.TARGET_MISSING:
        return "target"
    if error.rule in _BRANCH_RULES:
        for index, task in enumerate(plan.task):
            name = repr(task.branch[:80])
            if error.message.startswith((name, f"branch {name}")):
                return f"task[{index}].branch"
        return "target"
    return "repo"


def _check_clis(plan: Plan) -> list[str]:
    """Every named profile and provider is known, and the profile's program is installed."""
    warnings = []
    try:
        for name in plan.provider:
            lookup.named(plan, name, "")
        for path, cli, provider, switch in _programs(plan):
            profile = check_cli(plan, cli, f"{path}.cli")
            if switch == "global" and provider and profile.not_global:
                raise malformed(f"{path}.switch", profile.not_global)
            if provider:
                found = lookup.named(plan, provider, f"{path}.provider")
                warnings += lookup.without_key(found)
        for path, name in _fallbacks(plan):
            warnings += lookup.without_key(lookup.named(plan, name, path))
    except ProviderError as error:
        raise malformed(error.path, error.rule) from error
    return sorted(set(warnings))


def _exposed(plan: Plan) -> list[str]:
    """Files to be copied into worktrees that a `git add -A` there would take up."""
    return [
        f"copy: {name} is not ignored by git; a terminal may commit it"
        for name in to_copy(Path(plan.repo), plan.copy)
        if not pygit2.Repository(plan.repo).path_is_ignored(str(place_within(plan.repo) / name))
    ]


def check_cli(plan: Plan, cli: str, path: str) -> Profile:
    """Raises `Refused` where this plan knows no such program, or it is not installed."""
    try:
        profiles = lookup.profiles(plan.cli)
    except ProfileError as error:
        raise malformed(error.path, error.rule) from error
    if cli not in profiles:
        raise malformed(path, f"no profile {cli!r}; there are {', '.join(sorted(profiles))}")
    _check_program(path, profiles[cli], _path(plan))
    return profiles[cli]


def _taken_over(variables: Mapping[str, str]) -> dict[str, str]:
    for name in variables:
        if name not in BROUGHT:
            rule = "is no variable that a plan takes over; the plan can set it in [environment]"
            raise malformed(f"variables.{name}", rule)
    return taken_over(variables)


def _path(plan: Plan) -> str | None:
    """Return where the programs of a plan are looked for."""
    return with_plans(plan.environment).get("PATH")


def _check_program(path: str, profile: Profile, places: str | None) -> None:
    if not profile.command:
        raise malformed(path, f"profile {profile.name!r} needs a command: [cli.{profile.name}]")
    if shutil.which(profile.command[0], path=places) is None:
        raise malformed(
            path,
            f"{profile.command[0]!r} is not installed, or not on the PATH",
            actions=[Action(Do.DOCTOR)],
        )


def _programs(plan: Plan) -> list[tuple[str, str, str, str]]:
    found: list[tuple[str, str, str, str]] = [
        (f"task[{i}].terminal[{j}]", terminal.cli, terminal.provider, terminal.switch)
        for i, task in enumerate(plan.task)
        for j, terminal in enumerate(task.terminal)
    ]
    helpers = (("merge", plan.merge), ("error", plan.error))
    found += [(name, each.cli, each.provider, each.switch) for name, each in helpers if each]
    return found


def _fallbacks(plan: Plan) -> list[tuple[str, str]]:
    """Return each provider to fall back on, with the key that names it."""
    terminals = [
        (f"task[{i}].terminal[{j}]", terminal.fallback)
        for i, task in enumerate(plan.task)
        for j, terminal in enumerate(task.terminal)
    ]
    helpers = (("merge", plan.merge), ("error", plan.error))
    lists = terminals + [(name, helper.fallback) for name, helper in helpers if helper]
    return [
        (f"{path}.fallback[{index}]", name)
        for path, names in lists
        for index, name in enumerate(names)
    ]


def shown(checked: Checked, home: Path | None) -> CheckedPlan:
    """What `check` shows: what would run, and what is worth knowing."""
    plan = checked.plan
    return CheckedPlan(
        name=plan.name,
        repo=plan.repo,
        target=plan.target,
        target_commit=checked.survey.target_oid,
        test=plan.test,
        setup=plan.setup,
        setup_inputs=plan.setup_inputs,
        max_terminals=plan.max_terminals,
        tasks=[
            CheckedTask(
                t.id,
                t.branch,
                [s.cli for s in t.terminal],
                t.after,
                t.check,
                [s.instruction for s in t.terminal],
            )
            for t in plan.task
        ],
        launch_order=checked.order,
        warnings=checked.warnings,
        programs=programs(plan),
        copied=[str(name) for name in to_copy(Path(plan.repo), plan.copy)],
        test_env=[name for name in plan.test_env if name in os.environ],
        tests_fenced=plan.is_fenced,
        environment=dict(checked.environment),
        notify=told_by(plan),
        starters=sorted(checked.starters),
        untrusted=untrusted(checked, home),
    )
