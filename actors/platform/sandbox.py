"""The sandbox of a program: bubblewrap, with the whole system read-only but for what is named.

A program in it sees the files of the system and of the user, but not what is hidden, and it writes
only below what is named. It has process and IPC namespaces of its own: it sees, signals and traces
none but its own processes. The network stays unless it is taken away. Linux only, where `bwrap` may
make namespaces.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bus.user import config_path, file_of_user

SECRETS = (
    "~/.ssh",
    "~/.gnupg",
    "~/.aws",
    "~/.azure",
    "~/.config/gcloud",
    "~/.config/callboard",
    "~/.config/gh",
    "~/.docker",
    "~/.kube",
    "~/.netrc",
    "~/.git-credentials",
    "~/.npmrc",
    "~/.pypirc",
)
"""The user's own keys, which no program in a sandbox sees."""

DROPPED = (
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GPG_AGENT_INFO",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_HOST",
    "XDG_RUNTIME_DIR",
    "WAYLAND_DISPLAY",
    "DISPLAY",
)
"""Variables that name a way out: sockets of agents, of D-Bus, of containers, of a desktop."""

DOOR = "/dev/shm/callboard"
"""Where a program in a sandbox sees the directory `Limits.door`."""

TRIAL_SECONDS = 10.0


class Shown(msgspec.Struct, frozen=True):
    """A path that the program sees in the place of another, `at`; it may write there or not."""

    path: str
    at: str
    writable: bool = False


class Limits(msgspec.Struct, frozen=True):
    """What a program may do: absolute paths; one that does not exist is left out.

    It writes below `writable` but not below `read_only`, does not see what is `hidden`, and works
    in `cwd`. Without `network` it has a loopback interface of its own, and no other. `shown` are
    in order, so that a later one may lie in an earlier one. `door` is a directory of sockets that
    it may connect to, and sees at `DOOR`; "" for none.
    """

    cwd: str
    writable: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    network: bool = True
    shown: tuple[Shown, ...] = ()
    door: str = ""


@functools.cache
def trouble() -> str:
    """Return why no sandbox can be made on this machine; "" where one can. Tries it once."""
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap (`bwrap`) is not installed"
    argv = [program, "--ro-bind", "/", "/", "--proc", "/proc", "--unshare-pid", "--", "true"]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here: {error}"
    if done.returncode:
        return f"bubblewrap does not work here: {done.stderr.strip()[:300]}"
    return ""


def wrapped(argv: Sequence[str], limits: Limits) -> list[str]:
    """Return the command line that runs `argv` within the limits."""
    words = ["bwrap", "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--tmpfs", "/dev/shm"]
    words += ["--proc", "/proc", "--unshare-pid", "--unshare-ipc"]
    words += [] if limits.network else ["--unshare-net"]
    for place in ("/tmp", "/var/tmp"):
        if not _is_needed(place, argv, limits):
            words += ["--tmpfs", place]
    for secret in (*_secrets(), _runtime_dir(), *limits.hidden):
        words += _hide(secret)
    for path in limits.writable:
        if Path(path).exists():
            words += ["--bind", path, path]
    for path in limits.read_only:
        if Path(path).exists():
            words += ["--ro-bind", path, path]
    for each in limits.shown:
        words += ["--bind" if each.writable else "--ro-bind", each.path, each.at]
    if limits.door:
        words += ["--ro-bind", limits.door, DOOR]
    return [*words, "--chdir", limits.cwd, "--", *argv]


def without_ways_out(env: dict[str, str]) -> dict[str, str]:
    """Return the environment without the variables that name a way out of the sandbox."""
    return {name: value for name, value in env.items() if name not in DROPPED}


def _secrets() -> list[str]:
    """The user's own keys; none for a user without a home directory."""
    found = [*map(file_of_user, SECRETS), config_path("")]
    return [str(path) for path in found if path is not None]


def _runtime_dir() -> str:
    return os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"


def _hide(path: str) -> list[str]:
    if not path or not os.path.lexists(path):
        return []
    if Path(path).is_dir():
        return ["--tmpfs", os.path.realpath(path)]
    return ["--ro-bind", "/dev/null", os.path.realpath(path)]


def _is_needed(place: str, argv: Sequence[str], limits: Limits) -> bool:
    """Return whether the program, or a place that it writes, lies below this directory.

    Then the program sees the directory; otherwise it gets an empty one of its own.
    """
    program = shutil.which(argv[0]) or argv[0]
    needed = [program, os.path.realpath(program), *argv[1:], limits.cwd]
    needed += [*limits.writable, *limits.read_only]
    return any(Path(place) in Path(path).parents for path in needed if path.startswith("/"))
