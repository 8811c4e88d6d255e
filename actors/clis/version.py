"""Find the installed version of a CLI.

Asking a program takes 1 to 3 s, so the answer is cached in a file of the Callboard home, by the
program file's path, time and size.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from actors.clis.edit import replace_file
from actors.clis.profile import Profile, find_version, version_is_verified

SECONDS: Final = 15.0
"""How long a program may take to print its version."""

PRINTED: Final = 10_000
"""Characters of the output in which the version is looked for."""

_decode = msgspec.json.Decoder(dict[str, str]).decode


Find = Callable[[Profile, str], str | None]
"""Finds the version in what the program printed: `find_version`, or a call of it elsewhere."""


def unverified(
    profile: Profile, env: Mapping[str, str], cache: Path, find: Find = find_version
) -> str | None:
    """Return the installed version if the profile was not tested with it, else None.

    `find` searches with the profile's pattern, which may be a user's own and slow. The result
    is `""` if the version is unknown. A profile that lists no versions is trusted.
    """
    if not profile.version.verified:
        return None
    version = installed(profile, env, cache, find)
    return None if version_is_verified(profile, version) else version or ""


def installed(
    profile: Profile, env: Mapping[str, str], cache: Path, find: Find = find_version
) -> str | None:
    """Return the version of the program that `env` finds, or None. It is cached in `cache`."""
    found = shutil.which(profile.command[0], path=env.get("PATH")) if profile.command else None
    if found is None:
        return None
    program = Path(found).resolve()
    state = program.stat()
    key = f"{program} {state.st_mtime_ns} {state.st_size} {' '.join(profile.version.args)}"
    known = _read(cache)
    if key not in known:
        said = ask([found, *profile.version.args], env)
        if not said:
            return None
        kept = {k: v for k, v in known.items() if not k.startswith(f"{program} ")}
        known = {**kept, key: said}
        with contextlib.suppress(OSError):
            replace_file(cache, msgspec.json.encode(known), 0o600)
    return find(profile, known[key])


def ask(argv: list[str], env: Mapping[str, str] | None = None, seconds: float | None = None) -> str:
    """Run a program and return its output, stripped; empty if it does not start or end in time.

    It has `seconds`; without them, `SECONDS`.
    """
    try:
        done = subprocess.run(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS if seconds is None else seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr)[:PRINTED].strip()


def _read(cache: Path) -> dict[str, str]:
    try:
        return _decode(cache.read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}
