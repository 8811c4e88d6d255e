"""What a program needs before it is started: its branch and worktree, its config home, its
provider, its command line. (What the plan runs in a new worktree is `actors.terminal.setup`'s.)

Runs in the terminal actor's thread: its place before its turn with the launcher, for git may
hang in a filter of the repository; the rest inside, so one at a time across all workflows. Every
step may be repeated after a crash and ends the same.
"""

import os
import shutil
from pathlib import Path

import msgspec

from actors.clis import home as config_home
from actors.clis import lookup
from actors.clis.profile import Profile, ProfileError
from actors.clis.providers import ProviderError
from actors.clis.version import unverified
from actors.git import worktrees
from actors.git.command import GitLate
from actors.git.copies import to_copy
from actors.git.errors import RepositoryError
from actors.git.refs import HEADS, read_ref
from actors.supervision.actor import Actor
from actors.system.stage import Stage
from actors.terminal import switching
from bus.plan import Plan, TerminalPlan
from bus.rows import Task, Terminal, Workflow
from store.change import Update


class LaunchRefused(Exception):
    """The program cannot be started; the message says why, for the fact and for people."""


class Prepared(msgspec.Struct, frozen=True):
    """All that `Session.start` needs, and how the screen is read."""

    argv: list[str]
    env: dict[str, str]
    cwd: Path


def profile_for(plan: Plan, cli: str) -> Profile:
    """Raises `LaunchRefused` where no profile has this name."""
    try:
        profiles = lookup.profiles(plan.cli)
    except ProfileError as error:
        raise LaunchRefused(str(error)) from error
    if cli not in profiles:
        raise LaunchRefused(f"no profile {cli!r}; there are {', '.join(sorted(profiles))}")
    return profiles[cli]


def unverified_version(stage: Stage, profile: Profile) -> str | None:
    """The installed version where the profile was not verified with it; else None."""
    env = config_home.environment(profile, os.environ, own_provider=True)
    return unverified(profile, env, stage.paths.home / "versions.json")


def place(stage: Stage, actor: Actor, workflow: Workflow, plan: Plan, terminal: Terminal) -> Path:
    """Where the program works: that is there afterwards. Raises `LaunchRefused`, or
    `StoreError`."""
    task = next((t for t in workflow.tasks if t.address == terminal.task), None)
    try:
        if task is None:
            return _merge_worktree(stage, workflow)
        return _task_worktree(stage, actor, workflow, plan, task)
    except RepositoryError as error:
        raise LaunchRefused(f"{error.message}; {error.help}") from error
    except GitLate as late:
        raise LaunchRefused(f"no worktree: does a filter of the repository hang? {late}") from late
    except OSError as error:
        raise LaunchRefused(str(error)) from error


def prepare(
    stage: Stage,
    workflow: Workflow,
    plan: Plan,
    terminal: Terminal,
    asked: TerminalPlan,
    profile: Profile,
    cwd: Path,
) -> Prepared:
    """Make ready what the program needs beyond its place. Raises `LaunchRefused`."""
    path = f"{terminal.address}: provider"
    try:
        provider = lookup.asked_for(plan, asked, path)
        key, main_repo = lookup.key(provider), Path(workflow.git_dir).parent
        isolated = "global" not in (asked.switch, profile.switch)
        if profile.not_global and not isolated and provider is not None:
            raise LaunchRefused(f'switch = "global": {profile.not_global}')
        launch = config_home.prepare(
            profile,
            provider,
            stage.paths.terminal_dir(terminal.address, terminal.incarnation) / "home",
            os.environ,
            cwd,
            main_repo,
            key=key,
            bypass=asked.auto_confirm == "bypass",
            isolated=isolated,
        )
        if provider is not None and not isolated:
            known = config_home.placeholders(provider, key, launch.home, cwd, main_repo)
            switching.write(stage, terminal.address, terminal.incarnation, profile, provider, known)
    except (config_home.LaunchError, ProviderError, OSError) as error:
        raise LaunchRefused(str(error)) from error
    return Prepared(argv=launch.argv, env=launch.env, cwd=cwd)


def _task_worktree(stage: Stage, actor: Actor, workflow: Workflow, plan: Plan, task: Task) -> Path:
    """The task's branch and worktree. The intent (base and path) is stored before anything
    is made, so that a crash in between ends with the same branch."""
    base, path = task.base, stage.paths.worktree(task.address)
    if not base:
        base = read_ref(workflow.git_dir, HEADS + workflow.target) or ""
        if not base:
            raise LaunchRefused(f"there is no branch {workflow.target!r} any more")
        stage.commit(
            actor,
            [
                Update(
                    "task",
                    task.address,
                    {"base": base, "tip": base, "worktree": str(path)},
                    {"base": ""},
                )
            ],
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    worktrees.add(
        workflow.git_dir,
        str(stage.paths.home),
        str(path),
        branch=task.branch,
        base=base,
        owner=workflow.id,
    )
    if not is_set_up(path):
        _copy(Path(workflow.repo), path, plan)
        if not plan.setup:
            set_up_mark(path).touch()
    return path


def set_up_mark(worktree: Path) -> Path:
    """The file that says that a worktree is set up."""
    return worktree.with_name(f".{worktree.name}.set-up")


def is_set_up(worktree: Path) -> bool:
    return set_up_mark(worktree).exists()


def _copy(repo: Path, worktree: Path, plan: Plan) -> None:
    """The files the plan names, from the user's checkout."""
    for name in to_copy(repo, plan.copy):
        target = worktree / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repo / name, target)


def _merge_worktree(stage: Stage, workflow: Workflow) -> Path:
    """The scratch worktree: the merger has put the conflict or the red tree there."""
    path = Path(workflow.merge.worktree)
    if not workflow.merge.worktree or not path.exists():
        raise LaunchRefused("the scratch worktree of the merge is not there")
    return path
