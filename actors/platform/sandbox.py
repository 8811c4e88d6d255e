"""The sandbox of a program: bubblewrap, with the whole system read-only but for what is named.

A program in it sees the files of the system and of the user, but not what is hidden, and it writes
only below what is named. What it changes in the user's home directory is its own: the directory is
layered (`OwnHome`). It has process and IPC namespaces of its own: it sees, signals and traces none
but its own processes. The network stays unless it is taken away. Linux only, where `bwrap` may make
namespaces.
"""

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import msgspec

from actors.platform import disk
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
_PRIVATE = ("--perms", "0700", "--tmpfs")
_DOORS_IN_TMP = ("/tmp/.X11-unix", f"/tmp/tmux-{os.getuid()}")

OWN = "own"
"""The directory, beside the records of a program, of what it changed in its own home directory."""

AGENTS = ("ssh-agent", "gpg-agent")
"""What may be opened besides paths: agents of the user that sign and log in. Keys stay hidden."""

DOOR = "/dev/shm/callboard"
"""Where a program in a sandbox sees the directory `Limits.door`."""

_GPG_KEYS = ("private-keys-v1.d", "secring.gpg", "openpgp-revocs.d")
"""What of GnuPG's directory is not shown to a program that may use its agent."""

TRIAL_SECONDS = 10.0
_NONE = subprocess.DEVNULL

_LAYER = """
if [ -d "$3" ] && [ ! -e "$2/changed" ]; then
    rm -rf "$2/begun" && mkdir -p "$2" &&
    cp -a "$3" "$2/begun" && mv "$2/begun" "$2/changed" || exit 1
fi
mkdir -p "$2/changed" "$2/work" "$2/all" &&
mount -t overlay -o "lowerdir=$1,upperdir=$2/changed,workdir=$2/work,userxattr" overlay "$2/all" ||
exit 1
shift 3
exec "$@"
"""
"""Lays a directory that can be changed over the user's home directory, and starts what follows.

It begins with a copy of what an earlier program changed: layers must not lie in one another.
"""
_KEYS_OF_NPM = re.compile(rb"(?:_auth(?:Token)?|_password|key|keyfile|certfile)\s*=(?!\s*\$\{)")
_MOST_OF_NPM = 1 << 16
"""Bytes of npm's settings that are looked at; one that holds more is hidden."""

_SEPARATORS = frozenset(",:\\")
"""What a path in the options of overlayfs must not hold."""


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


@functools.cache
def trouble() -> str:
    """Return why no sandbox can be made on this machine; "" where one can. Tries it once."""
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap (`bwrap`) is not installed"
    argv = [program, "--ro-bind", "/", "/", "--proc", "/proc", "--unshare-pid", "--", "true"]
    said = _tried(argv)
    return f"bubblewrap does not work here: {said}" if said else ""


@functools.cache
def own_home_trouble(place: str) -> str:
    """Return why no program can have a home directory of its own; "" where it can.

    Its changes would lie below `place`, an absolute path. Tries it once, in that directory or the
    nearest that is there.
    """
    if said := trouble():
        return said
    home = _home_directory()
    if not home:
        return "the user has no home directory that can be layered"
    above = next(path for path in (Path(place), *Path(place).parents) if path.is_dir())
    try:
        at = tempfile.mkdtemp(prefix=".trial-", dir=above)
    except OSError as error:
        return f"the home directory cannot be layered: {error}"
    try:
        limits = Limits(cwd="/", writable=(at,), home=OwnHome(home, str(Path(at, "own"))))
        said = _tried(wrapped(["true"], limits))
    finally:
        disk.remove_tree(Path(at))
    return f"the home directory cannot be layered: {said}" if said else ""


def own_home(place: Path, *kept: str, under: str = "") -> OwnHome | None:
    """Return the home directory for a program whose changes lie in `place`.

    Return None where there can be none; then the program only reads the user's.
    """
    home = _home_directory()
    if own_home_trouble(str(place.parent)):
        return None
    return OwnHome(home, str(place), kept, under)


def _home_directory() -> str:
    """Return the user's home directory; "" if it is none, or overlayfs cannot name it."""
    home = file_of_user("~")
    if home is None or not home.is_dir():
        return ""
    real = os.path.realpath(home)
    return "" if real == "/" or set(real) & _SEPARATORS else real


def _tried(argv: Sequence[str]) -> str:
    """Run a program; return why it failed, or ""."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip()[:300] or f"status {done.returncode}") if done.returncode else ""


def wrapped(argv: Sequence[str], limits: Limits) -> list[str]:
    """Return the command line that runs `argv` within the limits."""
    home = limits.home
    words = [] if home is None else ["unshare", "--user", "--map-root-user", "--mount"]
    words += (
        [] if home is None else ["sh", "-c", _LAYER, "own-home", home.path, home.place, home.under]
    )
    words += ["bwrap", "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--tmpfs", "/dev/shm"]
    words += ["--proc", "/proc", "--unshare-pid", "--unshare-ipc"]
    words += [] if limits.network else ["--unshare-net"]
    for place in ("/tmp", "/var/tmp"):
        if not _is_needed(place, argv, limits):
            words += ["--tmpfs", place]
        elif place == "/tmp":
            words += [w for d in _DOORS_IN_TMP if Path(d).is_dir() for w in (*_PRIVATE, d)]
    words += [] if home is None else _as_own(home)
    for secret in (*_secrets(), *DOORS, _runtime_dir(), *limits.hidden):
        words += _hide(secret)
    words += _opened(limits.agents, home)
    for path in limits.writable:
        if Path(path).exists():
            words += ["--bind", path, path]
    for path in limits.read_only:
        if Path(path).exists():
            words += ["--ro-bind", path, path]
    for path in limits.scratch:
        words += ["--tmpfs", path] if Path(path).is_dir() else []
    for each in limits.shown:
        words += ["--bind" if each.writable else "--ro-bind", each.path, each.at]
    if limits.door:
        words += ["--ro-bind", limits.door, DOOR]
    return [*words, "--chdir", limits.cwd, "--", *argv]


def changed_in(place: Path) -> Path:
    """Return the directory of what a program has changed whose home directory lay in `place`."""
    return place / "changed"


def _as_own(home: OwnHome) -> list[str]:
    """Show the layered home directory in the place of the user's, to the user.

    What is mounted within it is no part of the layer, and is shown as it is.
    """
    words = ["--unshare-user", "--uid", str(os.getuid()), "--gid", str(os.getgid())]
    words += ["--bind", str(Path(home.place, "all")), home.path]
    for path in (*_mounted_within(home.path), *home.kept):
        if Path(path).exists():
            words += ["--ro-bind", path, path]
    return words


def _mounted_within(directory: str) -> list[str]:
    """Return the mount points within the directory; none where the system does not tell."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    points = [_unescaped(line.split(" ")[4]) for line in lines]
    return sorted({point for point in points if point.startswith(f"{directory}/")})


def _unescaped(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def without_ways_out(env: dict[str, str], limits: Limits) -> dict[str, str]:
    """Return the environment without the variables that name a way out of the sandbox."""
    kept = {"SSH_AUTH_SOCK"} if "ssh-agent" in limits.agents else set()
    return {name: value for name, value in env.items() if name not in DROPPED or name in kept}


def _opened(agents: Sequence[str], home: OwnHome | None) -> list[str]:
    """Show the sockets of the agents, and what of the user's is public. The keys stay hidden."""
    words: list[str] = []
    if "ssh-agent" in agents:
        shown = [os.environ.get("SSH_AUTH_SOCK", "")]
        place = file_of_user("~/.ssh")
        public = [] if place is None else [place / "known_hosts", *sorted(place.glob("*.pub"))]
        words += _shown([*shown, *map(str, public)])
    place = file_of_user(os.environ.get("GNUPGHOME") or "~/.gnupg")
    if "gpg-agent" in agents and place is not None and place.is_dir():
        words += [*_gpg(place, home), *_gpg_agent()]
    return words


def _gpg(place: Path, home: OwnHome | None) -> list[str]:
    """Show GnuPG's directory without its keys, as the program's own where its home directory is.

    gpg writes there what it finds out about the trust in keys.
    """
    entries = sorted(place.iterdir())
    if home is None or not place.is_relative_to(home.path):
        public = [str(each) for each in entries if each.name not in _GPG_KEYS]
        return ["--tmpfs", str(place), *_shown(public)]
    own = Path(home.place, "all", place.relative_to(home.path))
    words = ["--bind", str(own), str(place)]
    for each in entries:
        words += _hide(str(each)) if each.name in _GPG_KEYS else []
    return words


def _gpg_agent() -> list[str]:
    """Start GnuPG's agent, and show its socket for others in the place of the user's.

    Through that one it signs, and hands no key out. An agent that is started within a sandbox would
    find no keys.
    """
    try:
        started = ["gpgconf", "--launch", "gpg-agent"]  # it keeps what it inherits
        subprocess.run(started, stdout=_NONE, stderr=_NONE, timeout=TRIAL_SECONDS, check=False)
        listed = ["gpgconf", "--list-dirs"]
        said = subprocess.run(
            listed, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    users, others = (unquote(found.get(f"agent-{name}", "")) for name in ("socket", "extra-socket"))
    return ["--ro-bind", others, users] if users and Path(others).is_socket() else []


def _shown(paths: Sequence[str]) -> list[str]:
    return [word for path in paths if Path(path).exists() for word in ("--ro-bind", path, path)]


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
