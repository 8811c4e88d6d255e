"""The sandbox of bubblewrap: the program sees another tree of files, and its own processes alone.

Its home directory is layered (`OwnHome`). It has process and IPC namespaces of its own: it sees,
signals and traces none but its own processes. Linux only, where `bwrap` may make namespaces.
"""

import os
from collections.abc import Sequence

from actors.platform.openings import Kind, Limits, Opening, opened

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
_HERE_GPG = "--callboard-gpg-agent"
_GPG = f"""
users=$(timeout 10 gpgconf --list-dirs agent-socket)
others=$(timeout 10 gpgconf --list-dirs agent-extra-socket)
tries=0
while [ -n "$others" ] && [ ! -S "$others" ] && [ $tries -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
left=$#
while [ $left -gt 0 ]; do
    word=$1 left=$((left - 1))
    shift
    if [ "$word" != {_HERE_GPG} ]; then
        set -- "$@" "$word"
    elif [ -S "$others" ]; then
        set -- "$@" --ro-bind "$others" "$users"
    fi
done
exec "$@"
"""
"""Waits for GnuPG's agent, and shows its socket for others in the place of the user's.

Through that one it signs, and hands no key out. `sandbox` has the agent started, outside of all
sandboxes: one that is started within would find no keys.
"""


def wrapped(argv: Sequence[str], limits: Limits) -> list[str]:
    """Return the command line that runs `argv` within the limits."""
    home, shown = limits.home, opened(argv, limits)
    words: list[str] = []
    if any(each.kind is Kind.GPG for each in shown):
        words += ["sh", "-c", _GPG, "gpg-agent"]
    if home is not None:
        words += ["unshare", "--user", "--map-root-user", "--mount"]
        words += ["sh", "-c", _LAYER, "own-home", home.path, home.place, home.under]
    words += ["bwrap", "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--tmpfs", "/dev/shm"]
    words += ["--proc", "/proc", "--unshare-pid", "--unshare-ipc"]
    words += ["--cap-drop", "ALL"]  # root keeps them else, and unmounts what hides its keys
    words += [] if limits.network else ["--unshare-net"]
    if home is not None:  # it is the user again, and not the root that laid the layer
        words += ["--unshare-user", "--uid", str(os.getuid()), "--gid", str(os.getgid())]
    for each in shown:
        words += _mounted(each)
    return [*words, "--chdir", limits.cwd, "--", *argv]


def _mounted(each: Opening) -> list[str]:
    """Return the words that show one path, or hide it."""
    match each.kind:
        case Kind.HIDDEN if os.path.isdir(each.path):  # noqa: PTH112 - a str
            return ["--tmpfs", each.path]
        case Kind.HIDDEN:
            return ["--ro-bind", "/dev/null", each.path]
        case Kind.PRIVATE:
            return ["--perms", "0700", "--tmpfs", each.path]
        case Kind.EMPTY | Kind.SCRATCH:
            return ["--tmpfs", each.path]
        case Kind.READ:
            return ["--ro-bind", each.path, each.at]
        case Kind.WRITE:
            return ["--bind", each.path, each.at]
        case Kind.GPG:
            return [_HERE_GPG]
