"""Where the real CLIs are.

One of them, codex, is installed by npm where nobody has it, if that takes no longer than two
minutes; npm asks the registry its user has set.
"""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

OURS = {"codex": "@openai/codex@0.169.0"}
PROGRAMS = {"continue": "cn"}
"""The programs that are not called as their profiles."""
LIMIT = 120.0
"""Seconds an installation may take."""
_QUICK = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
_INSTALL = ["install", "--no-audit", "--no-fund", "--no-update-notifier", *_QUICK]


class Missing(Exception):
    """A CLI that is not here: which, where it was looked for, and why npm did not bring it."""


def cli_path(name: str) -> str:
    """A PATH with the CLI on it.

    The user's, or one below `$CALLBOARD_TEST_CLIS` (where npm or pip installed some), or our own
    cache. Raises `Missing`.
    """
    below = Path(os.environ.get("CALLBOARD_TEST_CLIS") or "/nonexistent")
    places = [below / "node_modules/.bin", below / f"{name}-venv/bin"]
    if name in OURS:
        places.append(cache_of(name) / "node_modules/.bin")
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", "")])
    if shutil.which(PROGRAMS.get(name, name), path=path):
        return path
    looked = f"{name} is neither on PATH nor below $CALLBOARD_TEST_CLIS"
    if name not in OURS:
        raise Missing(looked)
    problem = install(OURS[name], cache_of(name))
    if problem:
        raise Missing(f"{looked}, and {problem}")
    return path


def cache_of(name: str) -> Path:
    """One directory for each version, so that another one is not taken for it."""
    top = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return top / "callboard-tests" / OURS[name].rpartition("/")[2]


@functools.cache
def install(package: str, directory: Path, limit: float = LIMIT) -> str:
    """Install an npm package into `directory`, all of it or nothing.

    Says why not, else "". Tried once in a run: the next test that asks is told the same.
    """
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, ignore_cleanup_errors=True) as partial:
        made = subprocess.Popen(
            [npm, *_INSTALL, "--prefix", partial, package],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            said, _ = made.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return f"npm install {package} took longer than {limit:g} s and was ended"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(made.pid, signal.SIGKILL)  # npm and whatever it started
            made.communicate()
        if made.returncode:
            errors = [line for line in said.splitlines() if line and "npm warn" not in line]
            return f"npm install {package} failed: {' / '.join(errors[:3])[:300]}"
        with contextlib.suppress(OSError):  # somebody else was faster
            Path(partial).rename(directory)
    return ""
