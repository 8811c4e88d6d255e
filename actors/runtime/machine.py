"""What this machine has for terminals: files, watches, memory, programs, logins, providers."""

import os
import resource
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from actors.clis import home as config_home
from actors.clis import lookup
from actors.clis.profile import Profile
from actors.clis.providers import Provider, ProviderError
from actors.clis.version import ask
from actors.platform import descriptors, room
from bus.results import Finding

TERMINAL_MIB: Final = 300
"""Memory that a terminal with a real CLI takes: 190 to 270 MiB, and its host."""
_FEW_WATCHES: Final = 8_192
"""Below this, a few large repositories use up the watches of a user."""
_ONLINE_SECONDS: Final = 5.0
_INOTIFY: Final = Path("/proc/sys/fs/inotify")


def findings(online: bool) -> Iterator[Finding]:
    """Yield what was found; with `online`, also whether the user's providers can be reached."""
    yield _descriptors()
    yield from _watches()
    yield from _memory()
    yield _node()
    yield from _providers(online)


def _descriptors() -> Finding:
    """The runtime raises its soft limit as far as the hard one allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = descriptors.WANTED if hard == resource.RLIM_INFINITY else min(descriptors.WANTED, hard)
    room = most - min(descriptors.RESERVE, most // 4) - descriptors.CLIENTS
    what = f"{most} open files: room for about {max(room, 0)} terminals"
    if most >= descriptors.WANTED // 8:
        return Finding(what)
    what += f"; the hard limit of this shell is {hard}"
    if sys.platform != "linux":
        help = f"raise the hard limit of open files to {descriptors.WANTED}"
    else:
        help = f"sudo prlimit --pid $$ --nofile={descriptors.WANTED}"
    return Finding(what, "missing" if most < descriptors.LEAST else "note", help)


def _watches() -> Iterator[Finding]:
    try:
        watches = int((_INOTIFY / "max_user_watches").read_text())
        instances = int((_INOTIFY / "max_user_instances").read_text())
    except (OSError, ValueError):
        return  # another system
    what = f"inotify: {watches} watches, {instances} instances"
    if watches >= _FEW_WATCHES:
        yield Finding(what)
    else:
        yield Finding(what, "note", "sudo sysctl fs.inotify.max_user_watches=524288")


def _memory() -> Iterator[Finding]:
    free = room.free_memory()
    if free is None:
        return
    count = free // TERMINAL_MIB
    what = f"{free} MiB of memory free: room for about {count} terminals of a real CLI"
    yield Finding(what) if count else Finding(what, "note", "end other programs")


def _node() -> Finding:
    found = shutil.which("node")
    if found is None:
        what = "node is not installed; many CLIs and MCP servers need it"
        return Finding(what, "note", "install it: https://nodejs.org/en/download")
    return Finding(f"node {ask([found, '--version'])}".strip())


def logged_in(profile: Profile) -> bool | None:
    """Return whether the user has a login of his own of a CLI; None if that cannot be known."""
    if not profile.seed.login:
        return None
    paths = (config_home.original(profile, name, os.environ) for name in profile.seed.login)
    return any(path is not None and path.exists() for path in paths)


def _providers(online: bool) -> Iterator[Finding]:
    try:
        found = lookup.of_user()
    except ProviderError as error:
        yield Finding(str(error), "note", "mend the file")
        return
    for made in found.values():
        for problem in lookup.without_key(made):
            yield Finding(problem, "note", "set the variable where the runtime is started")
        if online and made.base_url:
            yield _reached(made)


def _reached(made: Provider) -> Finding:
    """A connection is opened, and nothing is sent."""
    parts = urlsplit(made.base_url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    what = f"provider {made.name} at {parts.hostname}:{port}"
    try:
        with socket.create_connection((parts.hostname or "", port), _ONLINE_SECONDS):
            return Finding(f"{what} can be reached")
    except OSError as error:
        return Finding(f"{what} cannot be reached: {error}", "note", "check the network")
