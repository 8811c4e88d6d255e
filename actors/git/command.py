"""Run the `git` program: scrubbed environment, no prompts, hooks only on request, a time limit.

Every end of a git process is one of three:

- *done*: it exited with one of the expected codes;
- *refused* (`GitRefused`): it exited by itself and stated a reason that the caller listed in
  `refusals`. Git changed nothing, and the caller may act on that;
- *unknown* (`GitUnknown`): everything else. It was killed, ran out of memory or disk, took too
  long (`GitLate`), or said something else. What it did is not known, and is never taken for
  success or for a refusal.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from actors.git.environment import git_env
from actors.git.places import explicit
from actors.platform.owners import owner_mark
from actors.platform.processes import end_session

_ALWAYS: Final = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    "GIT_MERGE_AUTOEDIT": "no",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",  # a clone does not get them: what is read is what is stored
}
PINNED: Final = {
    "advice.detachedHead": "false",
    "color.ui": "false",
    "commit.gpgSign": "false",
    "core.fsmonitor": "false",
    "core.fsync": "all",
    "core.quotePath": "false",
    "core.safecrlf": "false",
    "gc.auto": "0",
    "i18n.commitEncoding": "UTF-8",
    "maintenance.auto": "false",
    "merge.autoStash": "false",
    "merge.verifySignatures": "false",
    "rerere.autoUpdate": "false",
    "submodule.recurse": "false",
    "worktree.guessRemote": "false",
    "worktree.useRelativePaths": "false",
}
"""Settings of every git that runs here, whatever the user has set (docs/git-settings.md)."""
_OPTIONS: Final = tuple(f"{key}={value}" for key, value in PINNED.items())
NOT_INSIDE: Final = "--ignore-submodules=dirty"
"""For each command that compares files: the worktree of a nested repository is not looked into.
Git would run a git in there, which obeys the nested repository's own configuration and runs its
filters; no setting forbids that, because `.gitmodules` may say otherwise."""

_NO_HOOKS: Final = f"core.hooksPath={os.devnull}"


GIT_SECONDS: Final = 240.0
"""What one `git` may take: less than a call of a worker process (`actors.system.stage`)."""
HOOK_SECONDS: Final = 60.0
"""The same where the user's hooks run."""
_GRACE: Final = 2.0
"""Seconds between TERM, at which git takes its lock files away, and KILL."""


class GitFailed(Exception):
    """The `git` program did not do what it was asked to; raised as one of the two below."""

    def __init__(self, args: tuple[str, ...], code: int, stderr: str) -> None:
        super().__init__(f"git {' '.join(args[:2])} ended with {code}: {stderr.strip()}")
        self.code = code
        self.stderr = stderr.strip()


class GitRefused(GitFailed):
    """Git stated one of the reasons that the caller knows, and changed nothing."""


class GitUnknown(GitFailed):
    """Git ended in any other way: what it did is unknown."""


class GitLate(GitUnknown):
    """It took too long and was ended, with all it had started."""

    def __init__(self, args: tuple[str, ...], seconds: float) -> None:
        super().__init__(args, -1, f"it took longer than {seconds:g} s and was ended")


def git(
    *args: str,
    at: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    hooks: bool = False,
    codes: tuple[int, ...] = (0,),
    refusals: str = "",
    everywhere: bool = False,
) -> bytes:
    """Run `git ARGS` in directory `at` and return what it prints.

    In the root of a checkout git is told that it is there, so that no configuration sends it to
    another one; with `everywhere` it looks for itself, as an agent's git does. `env` adds
    variables; `hooks` lets the user's hooks run; `codes` are the exit codes that mean done;
    `refusals` is a regular expression for the error messages by which git refuses. Raises
    `GitRefused` or `GitUnknown` (see above), and `FileNotFoundError` when there is no `git` or no
    `at`.
    """
    # A worktree that lost its `.git` must not make git find a repository above it.
    above = str(Path(at).absolute().parent)
    environ = git_env()
    options = _OPTIONS if hooks else (*_OPTIONS, _NO_HOOKS)
    command = ["git", "-C", at]
    for option in (*options, owner_mark()):
        command += ["-c", option]
    place = {} if everywhere else explicit(at)
    environ |= {**_ALWAYS, "GIT_CEILING_DIRECTORIES": above, **place, **(env or {})}
    limit = HOOK_SECONDS if hooks else GIT_SECONDS
    try:
        code, output, errors = run([*command, *args], stdin, environ, limit)
    except subprocess.TimeoutExpired:
        raise GitLate(args, limit) from None
    if code not in codes:
        words = errors.decode(errors="replace")
        stated = code > 0 and refusals and re.search(refusals, words)
        raise (GitRefused if stated else GitUnknown)(args, code, words)
    return output


def run(
    command: list[str], stdin: bytes, env: Mapping[str, str], limit: float
) -> tuple[int, bytes, bytes]:
    """Run a program to its end: exit code, output, errors.

    Raises `subprocess.TimeoutExpired` after `limit` seconds, when it has been ended with all it had
    started.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=env, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(stdin, limit)
        finally:
            if process.returncode is None:
                end_session(process.pid, _GRACE)
    return process.returncode, output, errors


def git_line(
    *args: str, at: str, env: Mapping[str, str] | None = None, codes: tuple[int, ...] = (0,)
) -> str:
    """Run `git ARGS` and return its one line of output."""
    return os.fsdecode(git(*args, at=at, env=env, codes=codes)).rstrip("\n")


def split0(output: bytes) -> list[str]:
    """The names in NUL-separated output (`-z`)."""
    return [os.fsdecode(name) for name in output.split(b"\0") if name]


def is_installed() -> bool:
    """Whether there is a `git` program on the path."""
    return shutil.which("git") is not None
