"""The sandbox of one terminal: its worktree and its branch, and nothing else of the user's."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from actors.clis import lookup
from actors.clis.home import original
from actors.clis.providers import Provider, ProviderError
from actors.git.running.places import main_workdir
from actors.git.trees import reach
from actors.git.users import keeping
from actors.models.starting import FORWARD, door_of
from actors.platform import openings, sandbox
from actors.platform.files import read_bounded
from actors.terminal.conversation import home_of
from actors.terminal.errors import LaunchRefused
from actors.terminal.port import Port
from bus.environment import with_plans
from bus.rows import Workflow
from bus.user import file_of_user

_COPIED: Final = 1 << 20
"""Bytes of a file of the user's that is copied for a program in a sandbox."""


def limits(port: Port, workflow: Workflow, cwd: Path) -> openings.Limits:
    """Return what the terminal's program may write and see.

    Raise `LaunchRefused` if no sandbox can be made: a program that is to have one does not run
    without it.
    """
    if trouble := sandbox.trouble(port.asked.fence):
        raise LaunchRefused(f'sandbox = "worktree": {trouble}; or set sandbox = "off"')
    common = Path(workflow.git_dir)
    branch = next((t.branch for t in workflow.tasks if t.address == port.row.task), "")
    worktree = _worktree(cwd)
    try:
        writable, read_only = reach.of_branch(common, worktree, branch)
    except OSError as error:
        raise LaunchRefused(f"the sandbox needs the worktree: {error}") from error
    place, _ = home_of(port)
    home = own_home(workflow, place / openings.OWN, _of_setup(port))
    also = [place / "config", place / "tmp", *_renewed(port)]
    return openings.Limits(
        cwd=str(cwd),
        writable=tuple(map(str, [*writable, *also, *openings.paths(port.plan.sandbox_allow)])),
        read_only=tuple(
            map(str, [*read_only, *keeping.opened(port.stage.paths.kept(workflow.id))])
        ),
        hidden=(str(port.stage.paths.home), str(port.stage.paths.sockets)),
        network=port.asked.network == "on",
        shown=tuple(_private(port, home)),
        door=str(door_of(port.stage.paths.sockets).parent) if _by_door(port) else "",
        home=home,
        agents=openings.agents(port.plan.sandbox_allow),
    )


def _of_setup(port: Port) -> str:
    """Return the directory of what `setup` has changed in the home directory; "" if there is none.

    The task's agents see it, too: `setup` may have fetched there what they run.
    """
    top = port.stage.paths.terminal_dir(f"{port.row.task}setup/", 0).parent
    runs = [path for path in top.glob("*") if path.name.isdigit()] if port.row.task else []
    newest = max(runs, key=lambda path: int(path.name), default=None)
    return str(openings.changed_in(newest / openings.OWN)) if newest is not None else ""


def own_home(workflow: Workflow, place: Path, under: str = "") -> openings.OwnHome | None:
    """Return the home directory of a program of the workflow, whose changes lie in `place`.

    The repository is not its own: what it seems to change there is changed, or refused.
    """
    common = workflow.git_dir
    kept = (common, main_workdir(common, workflow.repo) or common)
    return sandbox.own_home(place, *kept, under=under)


def of_setup(port: Port, workflow: Workflow, worktree: Path, tmp: Path) -> openings.Limits | None:
    """Return what a task's `setup` may write and see; None if none of its terminals is fenced.

    It keeps the network, because it fetches what the task needs. Raise `LaunchRefused`.
    """
    task = next((t for t in workflow.tasks if t.address == port.row.task), None)
    planned = next((t for t in port.plan.task if task is not None and t.id == task.id), None)
    if planned is None or not any(each.is_fenced for each in planned.terminal):
        return None
    found = limits(port, workflow, worktree)
    writable = (*found.writable, str(tmp))
    home = own_home(workflow, tmp.with_name(openings.OWN))
    return msgspec.structs.replace(found, writable=writable, network=True, door="", home=home)


def _renewed(port: Port) -> Iterator[Path]:
    """Yield the user's own files in which the program renews its logins (`home.renewed`).

    A login that the terminal does not use, because it has a provider's address, is not among them.
    """
    profile, user = port.profile, with_plans(port.plan.environment)
    try:
        found = lookup.asked_for(port.plan, port.asked, f"{port.at}: provider")
    except ProviderError as error:
        raise LaunchRefused(str(error)) from error
    unused = profile.seed.login if found is not None and found.base_url else ()
    for name in profile.home.renewed:
        path = original(profile, name, user)
        if path is not None and path.is_file() and name not in unused:
            yield path.resolve()


def _private(port: Port, layered: openings.OwnHome | None) -> Iterator[openings.Shown]:
    """Make the directories that the program gets in the place of the user's (`home.private`).

    What lies in a home directory that is `layered` is the program's own already.

    One has copies of the user's files, at most `_COPIED` bytes of each, and shows the user's
    directories, which stay read-only. A directory that the user has not is made: the program would
    make it. `setup`, which has no config home yet, gets none. Raise `LaunchRefused`.
    """
    home, _ = home_of(port)
    for number, name in enumerate(port.profile.home.private if home.is_dir() else ()):
        users, own = file_of_user(name), home / f"private-{number}"
        if users is None or (layered is not None and Path(layered.path) in users.parents):
            continue
        try:
            users.mkdir(parents=True, exist_ok=True)
            own.mkdir(mode=0o700, exist_ok=True)
            entries = sorted(users.iterdir())
            for entry in entries:
                if entry.is_file() and not os.path.lexists(own / entry.name):
                    (own / entry.name).write_bytes(read_bounded(entry, _COPIED))
        except OSError as error:
            raise LaunchRefused(f"the sandbox needs a copy of {users}: {error}") from error
        yield openings.Shown(str(own), str(users), writable=True)
        for entry in entries:
            if entry.is_dir():
                yield openings.Shown(str(entry), str(entry))


def _by_door(port: Port) -> bool:
    return port.asked.network == "model"


def reaching_models(port: Port, argv: list[str], provider: Provider | None) -> list[str]:
    """Return the command line of a program that is to reach the model gateway, and nothing else.

    `provider` has the gateway's address, which is the same within the program's own network.
    """
    if not _by_door(port) or provider is None:
        return argv
    at = urlsplit(provider.base_url).port
    door = f"{openings.DOOR}/{door_of(port.stage.paths.sockets).name}"
    return [sys.executable, "-I", FORWARD, door, str(at), *argv]


def _worktree(cwd: Path) -> Path:
    """Return the root of the worktree that contains `cwd`. Raise `LaunchRefused` if none does."""
    for place in (cwd, *cwd.parents):
        if (place / ".git").exists():
            return place
    raise LaunchRefused(f"{cwd} is in no worktree")
