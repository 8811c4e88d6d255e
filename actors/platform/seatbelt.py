"""The sandbox of macOS (seatbelt): a profile for `sandbox-exec`. Generated, and not run by anybody.

What is written here follows what others publish about the language; no Mac was there to try it.
The last rule that matches counts, as in the list of `openings`. A path is refused and not hidden,
and nothing is seen in the place of another.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Final

from actors.platform.openings import Kind, Limits, Opening, opened

PROGRAM: Final = "/usr/bin/sandbox-exec"

_HEAD: Final = """(version 1)
(allow default)
(deny signal)
(allow signal (target same-sandbox))
(deny process-info*)
(allow process-info* (target same-sandbox))
(deny appleevent-send)
(deny mach-lookup (global-name "com.apple.coreservices.launchservicesd"))
(deny file-write*)
(allow file-write* (literal "/dev/null") (literal "/dev/zero") (literal "/dev/tty"))
(allow file-write* (literal "/dev/ptmx") (regex #"^/dev/ttys[0-9]+$") (subpath "/dev/fd"))"""
_NO_NETWORK: Final = """(deny network*)
(allow network* (local unix-socket))
(allow network* (remote unix-socket))"""


def wrapped(argv: Sequence[str], limits: Limits) -> list[str]:
    """Return the command line that runs `argv` within the limits, as far as seatbelt holds it."""
    command = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sandbox", limits.cwd, *argv]
    return [PROGRAM, "-p", profile(argv, limits), *command]


def profile(argv: Sequence[str], limits: Limits) -> str:
    """Return the profile for `sandbox-exec -p`."""
    lines = [_HEAD] if limits.network else [_HEAD, _NO_NETWORK]
    for each in opened(argv, limits):
        lines += _rules(each)
    return "\n".join(lines)


def _rules(each: Opening) -> Iterator[str]:
    if each.is_moved or each.kind is Kind.GPG:
        return
    at = f'(subpath "{_quoted(os.path.realpath(each.path))}")'
    match each.kind:
        case Kind.HIDDEN | Kind.PRIVATE | Kind.EMPTY:
            yield f"(deny file-read* file-write* {at})"
            yield f"(deny network-outbound (remote unix-socket {at}))"
        case Kind.READ:
            yield f"(allow file-read* {at})"
            yield f"(deny file-write* {at})"
            yield f"(allow network-outbound (remote unix-socket {at}))"
        case Kind.WRITE | Kind.SCRATCH:
            yield f"(allow file-read* file-write* {at})"
            yield f"(allow network-outbound (remote unix-socket {at}))"


def _quoted(path: str) -> str:
    return path.replace("\\", "\\\\").replace('"', '\\"')
