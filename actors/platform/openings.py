"""What of this machine is open to a program in a sandbox: one description for each kind of them.

A program in a sandbox sees the files of the system and of the user, but not what is hidden, and it
writes only below what is named. `opened` says so as a list. `bubblewrap`, `landlock` and `seatbelt`
read that list, and each holds the program to it as far as it can.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

import msgspec

from actors.platform.files import read_bounded
from bus.user import config_path, expanded, file_of_user

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
    "~/.Xauthority",
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
    "XAUTHORITY",
)
"""Variables that name a way out: sockets of agents, of D-Bus, of containers, of a desktop."""

DOORS = (
    *("/run/docker.sock", "/run/podman", "/run/containerd", "/run/libvirt", "/run/incus"),
    *("/var/lib/incus", "/var/lib/lxd", "/var/snap/lxd", "/run/screen", "/run/dbus"),
)
"""Sockets of services that do what root or the user may; a plan can open one."""
_DOORS_IN_TMP = ("/tmp/.X11-unix", f"/tmp/tmux-{os.getuid()}")

OWN = "own"
"""The directory, beside the records of a program, of what it changed in its own home directory."""

AGENTS = ("ssh-agent", "gpg-agent")
"""What may be opened besides paths: agents of the user that sign and log in. Keys stay hidden."""

DOOR = "/dev/shm/callboard"
"""Where a program in a sandbox sees the directory `Limits.door`."""

_GPG_KEYS = ("private-keys-v1.d", "secring.gpg", "openpgp-revocs.d")
"""What of GnuPG's directory is not shown to a program that may use its agent."""
_KEYS_OF_NPM = re.compile(rb"(?:_auth(?:Token)?|_password|key|keyfile|certfile)\s*=(?!\s*\$\{)")
_MOST_OF_NPM = 1 << 16
"""Bytes of npm's settings that are looked at; one that holds more is hidden."""


class Shown(msgspec.Struct, frozen=True):
    """A path that the program sees in the place of another, `at`; it may write there or not."""

    path: str
    at: str
    writable: bool = False


class OwnHome(msgspec.Struct, frozen=True):
    """The user's home directory `path` as a program sees it: it changes it for itself alone.

    What it writes there lies in `place`, a directory of the runtime's that is made if it is
    missing. It does not write in the directories `kept`, which may lie in the home directory: a
    program that changed them for itself alone would believe that it had changed the user's.
    `under` holds what an earlier program has changed, which it begins with; "" for nothing.
    """

    path: str
    place: str
    kept: tuple[str, ...] = ()
    under: str = ""


class Limits(msgspec.Struct, frozen=True):
    """What a program may do: absolute paths; one that does not exist is left out.

    It writes below `writable` but not below `read_only`, does not see what is `hidden`, and works
    in `cwd`. Without `network` it has a loopback interface of its own, and no other. `shown` are
    in order, so that a later one may lie in an earlier one. It sees an empty directory of its own,
    which goes with it, in the place of each of `scratch`. `door` is a directory of sockets that
    it may connect to, and sees at `DOOR`; "" for none. Without `home` the user's home directory is
    as all others are. `agents` are those of `AGENTS` that it may use.
    """

    cwd: str
    writable: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    network: bool = True
    shown: tuple[Shown, ...] = ()
    scratch: tuple[str, ...] = ()
    door: str = ""
    home: OwnHome | None = None
    agents: tuple[str, ...] = ()


def paths(allowed: Sequence[str]) -> list[str]:
    """Return the paths among what a plan allows. Raise `NoHomeDirectory`."""
    return [str(expanded(name)) for name in allowed if name not in AGENTS]


def agents(allowed: Sequence[str]) -> tuple[str, ...]:
    """Return those of `AGENTS` among what a plan allows."""
    return tuple(name for name in AGENTS if name in allowed)


class Kind(Enum):
    """What a program may do with a path, and with all below it."""

    HIDDEN = "hidden"
    """It sees nothing there."""
    PRIVATE = "private"
    """It sees an empty directory of its own, as nobody but its user may enter it."""
    EMPTY = "empty"
    """It sees an empty directory of its own. It needs none where it is refused the real one."""
    SCRATCH = "scratch"
    """It sees an empty directory of its own, in which it must be able to write."""
    READ = "read"
    WRITE = "write"
    GPG = "gpg-agent"
    """It reaches GnuPG's agent there, through the agent's socket for others."""


class Opening(msgspec.Struct, frozen=True):
    """What a program may do with `path`, which it sees at the path `at`."""

    kind: Kind
    path: str
    at: str

    @property
    def is_moved(self) -> bool:
        """Whether the program sees the path in the place of another one."""
        return self.path != self.at


def opened(argv: Sequence[str], limits: Limits) -> list[Opening]:
    """Return what is open to the program, in order: what comes later counts more.

    All else it reads. It needs no path that does not exist.
    """
    found = list(_of_tmp(argv, limits))
    found += [] if limits.home is None else _as_own(limits.home)
    for secret in (*_secrets(), *DOORS, _runtime_dir(), *limits.hidden):
        found += _hide(secret)
    found += _of_agents(limits.agents, limits.home)
    found += [_plain(Kind.WRITE, path) for path in _there(limits.writable)]
    found += [_plain(Kind.READ, path) for path in _there(limits.read_only)]
    found += [_plain(Kind.SCRATCH, path) for path in limits.scratch if Path(path).is_dir()]
    for each in limits.shown:
        found.append(Opening(Kind.WRITE if each.writable else Kind.READ, each.path, each.at))
    return [*found, Opening(Kind.READ, limits.door, DOOR)] if limits.door else found


def _plain(kind: Kind, path: str) -> Opening:
    return Opening(kind, path, path)


def _there(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if path and Path(path).exists()]


def _of_tmp(argv: Sequence[str], limits: Limits) -> Iterator[Opening]:
    for place in ("/tmp", "/var/tmp"):
        if not _is_needed(place, argv, limits):
            yield _plain(Kind.EMPTY, place)
        elif place == "/tmp":
            yield from (_plain(Kind.PRIVATE, path) for path in _DOORS_IN_TMP if Path(path).is_dir())


def _as_own(home: OwnHome) -> list[Opening]:
    """Show the layered home directory in the place of the user's.

    What is mounted within it is no part of the layer, and is shown as it is.
    """
    kept = _there([*_mounted_within(home.path), *home.kept])
    layered = Opening(Kind.WRITE, str(Path(home.place, "all")), home.path)
    return [layered, *(_plain(Kind.READ, path) for path in kept)]


def _hide(path: str) -> list[Opening]:
    there = bool(path) and os.path.lexists(path)
    return [_plain(Kind.HIDDEN, os.path.realpath(path))] if there else []


def _of_agents(agents: Sequence[str], home: OwnHome | None) -> Iterator[Opening]:
    """Show the sockets of the agents, and what of the user's is public. The keys stay hidden."""
    if "ssh-agent" in agents:
        shown = [os.environ.get("SSH_AUTH_SOCK", "")]
        place = file_of_user("~/.ssh")
        public = [] if place is None else [place / "known_hosts", *sorted(place.glob("*.pub"))]
        yield from (_plain(Kind.READ, path) for path in _there([*shown, *map(str, public)]))
    place = file_of_user(os.environ.get("GNUPGHOME") or "~/.gnupg")
    if "gpg-agent" in agents and place is not None and place.is_dir():
        yield from _of_gpg(place, home)
        yield _plain(Kind.GPG, str(place))


def _of_gpg(place: Path, home: OwnHome | None) -> Iterator[Opening]:
    """Show GnuPG's directory without its keys, as the program's own where its home directory is.

    gpg writes there what it finds out about the trust in keys.
    """
    entries = sorted(place.iterdir())
    if home is None or not place.is_relative_to(home.path):
        yield _plain(Kind.EMPTY, str(place))
        public = [str(each) for each in entries if each.name not in _GPG_KEYS]
        yield from (_plain(Kind.READ, path) for path in _there(public))
        return
    own = Path(home.place, "all", place.relative_to(home.path))
    yield Opening(Kind.WRITE, str(own), str(place))
    for each in entries:
        yield from _hide(str(each)) if each.name in _GPG_KEYS else ()


def changed_in(place: Path) -> Path:
    """Return the directory of what a program has changed whose home directory lay in `place`."""
    return place / "changed"


def _mounted_within(directory: str) -> list[str]:
    """Return the mount points within the directory; none where the system does not tell."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").split("\n")
    except OSError:
        return []
    points = [_unescaped(line.split(" ")[4]) for line in lines if line]
    return sorted({point for point in points if point.startswith(f"{directory}/")})


def _unescaped(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def without_ways_out(env: dict[str, str], limits: Limits) -> dict[str, str]:
    """Return the environment without the variables that name a way out of the sandbox."""
    kept = {"SSH_AUTH_SOCK"} if "ssh-agent" in limits.agents else set()
    return {name: value for name, value in env.items() if name not in DROPPED or name in kept}


def closed() -> list[str]:
    """Return what of this machine no program in a sandbox sees, and a program may look for."""
    own = {str(config_path("")), str(file_of_user("~/.config/callboard"))}
    found = [path for path in _secrets() if Path(path).exists() and path not in own]
    return found + [path for path in DOORS[:-1] if os.access(path, os.R_OK | os.W_OK)]


def _secrets() -> list[str]:
    """The user's own keys; none for a user without a home directory."""
    found = [*map(file_of_user, SECRETS), config_path("")]
    return [str(path) for path in found if path is not None and not _is_plain(path)]


def _is_plain(path: Path) -> bool:
    """Return whether it is npm's settings without a key: npm would ask another registry else."""
    try:
        return path.name == ".npmrc" and not _KEYS_OF_NPM.search(read_bounded(path, _MOST_OF_NPM))
    except OSError:
        return False


def _runtime_dir() -> str:
    return os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"


def _is_needed(place: str, argv: Sequence[str], limits: Limits) -> bool:
    """Return whether the program, or a place that it writes, lies below this directory.

    Then the program sees the directory; otherwise it gets an empty one of its own.
    """
    program = shutil.which(argv[0]) or argv[0]
    needed = [program, os.path.realpath(program), *argv[1:], limits.cwd]
    needed += [*limits.writable, *limits.read_only]
    return any(Path(place) in Path(path).parents for path in needed if path.startswith("/"))
