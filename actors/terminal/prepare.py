"""What a program needs besides its worktree: its config home, its provider, its command line.

Runs in the terminal actor's thread during its turn with the launcher, so one at a time across all
workflows. Each step may be repeated after a crash, with the same result.
"""

from pathlib import Path

import msgspec

from actors.clis import home as config_home
from actors.clis import lookup, trust
from actors.clis.placeholders import LaunchError, placeholders
from actors.clis.profile import Profile, ProfileError, find_version
from actors.clis.providers import ProviderError
from actors.clis.version import unverified
from actors.git.users import keeping, settings
from actors.platform import openings, sandbox
from actors.platform.workers import WorkerDied
from actors.system.stage import Stage
from actors.terminal import conversation, switching
from actors.terminal.errors import LaunchRefused
from actors.terminal.models import not_by_proxy, put_behind
from actors.terminal.port import Port
from actors.terminal.sandbox import limits, reaching_models
from actors.terminal.worktree import working_directory
from bus.action import Action, Do
from bus.environment import with_plans
from bus.plan import Plan, TerminalPlan
from bus.rows import Workflow


class Prepared(msgspec.Struct, frozen=True):
    """The arguments for `Session.start`."""

    argv: list[str]
    env: dict[str, str]
    cwd: Path


def profile_for(plan: Plan, cli: str) -> Profile:
    """Return the profile of this name. Raise `LaunchRefused` if there is none."""
    try:
        profiles = lookup.profiles(plan.cli)
    except ProfileError as error:
        raise LaunchRefused(str(error)) from error
    if cli not in profiles:
        raise LaunchRefused(f"no profile {cli!r}; there are {', '.join(sorted(profiles))}")
    return profiles[cli]


def unverified_version(stage: Stage, plan: Plan, profile: Profile) -> str | None:
    """Return the installed version if the profile was not verified with it; else None.

    The profile's pattern is the user's, so a worker process searches with it. One that takes too
    long finds no version.
    """

    def find(profile: Profile, printed: str) -> str | None:
        try:
            return stage.workers.screens.call(find_version, profile, printed)
        except WorkerDied:
            return None

    user = with_plans(plan.environment)
    env = config_home.environment(profile, user, own_provider=True)
    return unverified(profile, env, stage.paths.home / "versions.json", find)


def is_isolated(asked: TerminalPlan, profile: Profile) -> bool:
    """Return whether the program has a config home of its own."""
    return "global" not in (asked.switch, profile.switch)


def prepare(port: Port, workflow: Workflow, worktree: Path) -> Prepared:
    """Make the config home and set the provider. Raise `LaunchRefused`."""
    stage, row, asked, profile = port.stage, port.row, port.asked, port.profile
    cwd = working_directory(worktree, port.plan)
    _check_trust(port, workflow, worktree, cwd)
    try:
        provider = lookup.asked_for(port.plan, asked, f"{row.address}: provider")
        key, main_repo = lookup.key(provider), Path(workflow.git_dir).parent
        isolated = is_isolated(asked, profile)
        if profile.not_global and not isolated and provider is not None:
            raise LaunchRefused(f'switch = "global": {profile.not_global}')
        session = conversation.session_of(port) if isolated else ""
        home, _ = conversation.home_of(port)
        behind = provider is not None and provider.behind_gateway
        if asked.network == "model" and not behind:
            raise LaunchRefused('network = "model": its provider is not behind the model gateway')
        if provider is not None and behind:
            provider, key = put_behind(port, provider)
        launch = config_home.prepare(
            profile,
            provider,
            home,
            with_plans(port.plan.environment),
            worktree,
            main_repo,
            git_dir=workflow.git_dir,
            key=key,
            bypass=asked.auto_confirm == "bypass",
            isolated=isolated,
            session=session,
        )
        conversation.note(home, profile)
        conversation.tell(port, session)
        if provider is not None and not isolated:
            known = placeholders(provider, key, launch.home, worktree, main_repo)
            switching.write(stage, row.address, row.incarnation, profile, provider, known)
    except (LaunchError, ProviderError, OSError) as error:
        raise LaunchRefused(str(error)) from error
    env = with_plans(port.plan.environment, {}) | launch.env | _own_git(stage, workflow)
    env = not_by_proxy(env) if behind else env
    if not asked.is_fenced:
        return Prepared(argv=launch.argv, env=env, cwd=cwd)
    argv = reaching_models(port, launch.argv, provider)
    within = limits(port, workflow, worktree)
    env = openings.without_ways_out(env, within)
    return Prepared(argv=sandbox.wrapped(argv, within), env=env, cwd=cwd)


def _check_trust(port: Port, workflow: Workflow, worktree: Path, cwd: Path) -> None:
    """Raise `LaunchRefused` if the program would start what nobody has trusted (`clis.trust`)."""
    found = trust.in_directory(port.profile.starters, worktree, cwd)
    if names := trust.untrusted(port.stage.paths.home, workflow.git_dir, found):
        raise LaunchRefused(
            f"{port.row.cli} would start what {trust.listed(names)} in {worktree} name (hooks, MCP "
            "servers, plugins), and nobody has trusted them",
            Action(Do.TRUST, str(worktree)),
        )


def _own_git(stage: Stage, workflow: Workflow) -> dict[str, str]:
    """Return the variables with git's settings for an agent: also the hooks that its git runs.

    They are the hooks as they were at the submission (`git.keeping`), whatever another agent has
    put into the repository since.
    """
    place = stage.paths.kept(workflow.id)
    kept = keeping.load(place, stage.reader.kept(workflow.id)[0])
    try:
        hooks = keeping.environment(workflow.git_dir, place, kept)
    except OSError as error:
        raise LaunchRefused(f"the hooks of the repository cannot be copied: {error}") from error
    return settings.for_agents(hooks)
