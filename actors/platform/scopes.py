"""A scope of systemd for each program: which this machine makes, and with how much memory.

A scope is a cgroup that systemd's manager makes. It keeps a program that takes memory without end
from taking all that the machine has. `actors.host.scope` enters one. Here it is decided whether
there is to be one, from a few small files, at each launch: nothing is started to find out.

A user's own manager may end when the user logs out, and ends what is in its scopes then. So it is
used only if it stays (`loginctl enable-linger`), or if this process is below it, too.
"""

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

from actors.platform.room import whole_memory

ENTER: Final = Path(__file__).parents[1] / "host" / "scope.py"
TRIAL_SECONDS: Final = 10.0
_ROOT: Final = Path("/")
_LEAST: Final = 512
"""MiB that no program may take, or an eighth of the memory: for the system and all others."""


LOGOUT: Final = "systemd may end what this user's scopes contain when the user logs out"


class Place(msgspec.Struct, frozen=True):
    """Where scopes are made: the slice ("" is the manager's own choice), the manager's socket."""

    slice: str
    socket: str
    mib: int
    """The most memory that all processes of a scope may take."""

    def option(self, name: str) -> str:
        """Return what a host is told of the scope of this name."""
        unit = re.sub(r"[^A-Za-z0-9_.-]", "-", name)[-200:]
        return f"callboard-{unit}.scope:{self.slice}:{self.mib << 20}:{self.socket}"


def find(
    root: Path = _ROOT, uid: int | None = None, pid: int | None = None
) -> tuple[Place | None, str]:
    """Return where the programs of a process get a scope; None, and why they get none.

    `root` is where the files of the system are, `pid` the process that starts them (None: this).
    """
    user = os.getuid() if uid is None else uid
    whole = whole_memory(root / "proc")
    own = _cgroup(root, pid)
    if own is None or whole is None:
        return None, "this system has no cgroups of version 2 alone"
    if _read(root / "proc" / "1" / "comm").strip() != "systemd":  # it knows us by another pid
        return None, "systemd is not the first process here"
    tree = root / "sys" / "fs" / "cgroup"
    manager = f"user.slice/user-{user}.slice/user@{user}.service"
    is_below = f"/{own}/".startswith(f"/{manager}/")
    if user == 0 and not is_below:
        socket, place, within = root / "run/systemd/private", own, tree
    else:
        socket, place, within = root / f"run/user/{user}/systemd/private", "", tree / manager
    if not os.path.exists(socket):  # noqa: PTH110 - `Path.exists` raises where nobody may look
        return None, "no manager of systemd runs here for this user"
    if not own.endswith(".scope") or _is_limited(tree / own):
        name = own.rpartition("/")[2]
        return None, f"it runs in {name or 'the root cgroup'}, not in a scope without a limit"
    if user != 0 and not (is_below or _lingers(root, user)):
        return None, LOGOUT
    if "memory" not in _read(within / "cgroup.controllers").split():
        return None, "systemd may set no limit for the memory of this user's programs"
    slices = [part for part in place.split("/") if part.endswith(".slice")]
    most = whole - max(_LEAST, whole // 8)
    return Place(slices[-1] if slices else "", str(socket), most), ""


def trouble(place: Place) -> str:
    """Let one process enter a scope there. Return why it is not in one, or ""."""
    command = [sys.executable, "-I", "-S", str(ENTER), place.option(f"trial-{os.getpid()}")]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode:
        return done.stderr.strip()[:300] or f"status {done.returncode}"
    return ""


def _cgroup(root: Path, pid: int | None) -> str | None:
    """Return the cgroup of a process; None where there are others than those of version 2."""
    lines = _read(root / "proc" / str(pid or "self") / "cgroup").splitlines()
    return lines[0][3:].strip("/") if len(lines) == 1 and lines[0].startswith("0::") else None


def _is_limited(cgroup: Path) -> bool:
    return _read(cgroup / "memory.max").strip() not in ("max", "")


def _lingers(root: Path, uid: int) -> bool:
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return False
    return os.path.exists(root / "var/lib/systemd/linger" / name)  # noqa: PTH110


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
