"""Run the `git` program: scrubbed environment, no prompts, hooks only on request, a time limit.

A git process ends in one of three ways (hazard 62):

- *done*: it exited with one of the expected codes;
- *refused* (`GitRefused`): it exited by itself and stated a reason that the caller listed in
  `refusals`. Git changed nothing, and the caller may rely on that;
- *unknown* (`GitUnknown`): anything else. It was killed, ran out of memory or disk, took too long
  (`GitLate`), or stated another reason. What it did is not known. The caller must take it neither
  for a success nor for a refusal.
"""

import contextlib
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from actors.git.running.environment import git_env
from actors.git.running.places import Within, explicit
from actors.platform import openings, sandbox
from actors.platform.owners import owner_mark
from actors.platform.processes import end_session

_ALWAYS: Final = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    "GIT_MERGE_AUTOEDIT": "no",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",  # a remote that somebody configured is asked for no missing object
    "GIT_NO_REPLACE_OBJECTS": "1",  # read the stored objects: a clone does not get replacements
}
PINNED: Final = {
    "advice.detachedHead": "false",
    "color.ui": "false",
    "commit.gpgSign": "false",
    "core.commitGraph": "false",
    "core.fsmonitor": "false",
    "core.fsync": "all",
    "core.quotePath": "false",
    "core.safecrlf": "false",
    "gc.auto": "0",
    "i18n.commitEncoding": "UTF-8",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "merge.autoStash": "false",
    "merge.verifySignatures": "false",
    "rerere.enabled": "false",
    "submodule.recurse": "false",
    "worktree.guessRemote": "false",
    "worktree.useRelativePaths": "false",
}
"""Settings of every git that Callboard runs; they override the user's (docs/git-settings.md)."""
_OPTIONS: Final = tuple(f"{key}={value}" for key, value in PINNED.items())
NOT_INSIDE: Final = "--ignore-submodules=dirty"
"""Option of each command that compares files: do not look into nested repositories' worktrees.
Otherwise git runs a git there, which obeys the nested repository's own configuration and runs its
filters. No setting can forbid that, because `.gitmodules` overrides it (hazard 59)."""

_NO_HOOKS: Final = f"core.hooksPath={os.devnull}"
_MORE: Final[ContextVar[Mapping[str, str]]] = ContextVar("further settings, by key")


GIT_SECONDS: Final = 240.0
"""Time limit of one `git`: shorter than that of a worker process's call (`actors.system.stage`)."""
HOOK_SECONDS: Final = 60.0
"""Time limit of a `git` that runs the user's hooks."""
MEMORY: Final = min(4 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
"""Bytes that one `git` may take for itself where an agent works (Linux). Ten trees that hold one
another say that there are ten thousand million files, and git notes each. A `git` of the user's
files has no such limit: it holds all that a filter gives out, and a file may be large."""
_BOUNDED: Final = 'ulimit -d "$0" 2>/dev/null; exec "$@"'
_GRACE: Final = 2.0
"""Seconds between SIGTERM, at which git removes its lock files, and SIGKILL."""
_WORDS: Final = 5_000
"""How many of the first characters of an error are told: more than a line with a path has."""
_LAST_WORDS: Final = 3_000
"""How many of the last ones."""


class GitFailed(Exception):
    """The `git` program failed. Always raised as `GitRefused` or `GitUnknown`."""

    def __init__(self, args: tuple[str, ...], code: int, stderr: str) -> None:
        self.code = code
        self.stderr = _bounded(stderr.strip())
        super().__init__(f"git {' '.join(args[:2])} ended with {code}: {self.stderr}")


class GitRefused(GitFailed):
    """Git stated one of the reasons in `refusals`, and changed nothing."""


class GitUnknown(GitFailed):
    """Git ended in any other way. What it did is unknown."""


class GitLate(GitUnknown):
    """Git took too long and was ended, with all the processes that it had started."""

    def __init__(self, args: tuple[str, ...], seconds: float) -> None:
        super().__init__(args, -1, f"it took longer than {seconds:g} s and was ended")
        self.seconds = seconds


def git(
    *args: str,
    at: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    hooks: bool = False,
    codes: tuple[int, ...] = (0,),
    refusals: str = "",
    everywhere: bool = False,
    within: Within | None = None,
) -> bytes:
    """Run `git ARGS` in directory `at` and return its output.

    If `at` is the root of a checkout, git is told to work there, so that no configuration sends it
    to another one.

    Args:
        args: The arguments of `git`.
        at: The directory.
        stdin: The input.
        env: Further environment variables.
        hooks: Let the user's hooks run, with the limit `HOOK_SECONDS`.
        codes: The exit codes that mean done.
        refusals: A regular expression for the error messages by which git refuses.
        everywhere: Let git find its repository and worktree itself, as an agent's git does.
        within: What is believed of `at`, a worktree that an agent can write.

    Raises:
        GitRefused: Git stated one of the `refusals`.
        GitUnknown: Git ended in any other way.
        FileNotFoundError: There is no `git`, or no `at`.
    """
    return git_and_words(
        *args,
        at=at,
        stdin=stdin,
        env=env,
        hooks=hooks,
        codes=codes,
        refusals=refusals,
        everywhere=everywhere,
        within=within,
    )[0]


def git_and_words(
    *args: str,
    at: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    hooks: bool = False,
    codes: tuple[int, ...] = (0,),
    refusals: str = "",
    everywhere: bool = False,
    seconds: float | None = None,
    within: Within | None = None,
) -> tuple[bytes, str]:
    """Run git as `git` does; return its output and what it, or what it ran, said of errors.

    It may take `seconds`; without it `GIT_SECONDS`, or `HOOK_SECONDS` with hooks.
    """
    # A worktree that lost its `.git` must not make git find a repository above it.
    above = str(Path(at).absolute().parent)
    environ = git_env()
    options = _OPTIONS if hooks else (*_OPTIONS, _NO_HOOKS)
    command = ["git", "-C", at]
    for option in (*options, owner_mark()):
        command += ["-c", option]
    place = {} if everywhere else explicit(at) if within is None else within.environment(at)
    if not place and not everywhere:
        # of a checkout that the user trusts, git would ask whether its git directory is trusted
        command += ["-c", f"safe.directory={os.path.realpath(at)}"]
        command += ["-c", "safe.bareRepository=all"]  # we chose it: `at` is the git directory
    environ |= {**_ALWAYS, "GIT_CEILING_DIRECTORIES": above, **place}
    environ |= {**as_variables(_MORE.get({})), **(env or {})}
    limit = seconds or (HOOK_SECONDS if hooks else GIT_SECONDS)
    command += args
    if within is not None and within.fence is not None:
        command = ["sh", "-c", _BOUNDED, str(MEMORY >> 10), *command]
        command = sandbox.wrapped(command, within.fence)
        environ = openings.without_ways_out(environ, within.fence)
    try:
        code, output, errors = run(command, stdin, environ, limit, within is not None)
    except subprocess.TimeoutExpired:
        raise GitLate(args, limit) from None
    words = errors.decode(errors="replace")
    if code not in codes:
        stated = code > 0 and refusals and re.search(refusals, words)
        raise (GitRefused if stated else GitUnknown)(args, code, words)
    return output, words


def run(
    command: list[str], stdin: bytes, env: Mapping[str, str], limit: float, bounded: bool
) -> tuple[int, bytes, bytes]:
    """Run a program to its end; return its exit code, output and error output.

    After `limit` seconds, end it with all the processes that it started, and raise
    `subprocess.TimeoutExpired`. One that is `bounded` may take `MEMORY` bytes.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=env, start_new_session=True
    ) as process:
        try:
            if bounded and sys.platform == "linux":
                with contextlib.suppress(OSError, ValueError):  # it has ended, or has less
                    resource.prlimit(process.pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))
            output, errors = process.communicate(stdin, limit)
        finally:
            if process.returncode is None:
                end_session(process.pid, _GRACE)
    return process.returncode, output, errors


def _bounded(words: str) -> str:
    """Return the first and the last lines, and how much is left out between them.

    Git may fail on each of thousands of files, and a hook or a filter may say anything.
    """
    if len(words) <= _WORDS + _LAST_WORDS:
        return words
    first, cut, _ = words[:_WORDS].rpartition("\n")
    _, _, last = words[-_LAST_WORDS:].partition("\n")
    if not cut or not last:
        first, last = words[:_WORDS], words[-_LAST_WORDS:]
        return f"{first}… ({len(words) - _WORDS - _LAST_WORDS} characters are left out) …{last}"
    left = words.count("\n") - first.count("\n") - last.count("\n") - 1
    return f"{first}\n… lines left out: {left} …\n{last}"


def as_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that set these git settings, by key."""
    found = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


@contextlib.contextmanager
def overriding(settings: Mapping[str, str]) -> Iterator[None]:
    """Have every git that this thread runs meanwhile obey these settings, whatever files say.

    Within another `overriding`, the other settings of that one go on. No `env` may set settings.
    """
    token = _MORE.set({**_MORE.get({}), **settings})
    try:
        yield
    finally:
        _MORE.reset(token)


def git_line(
    *args: str, at: str, env: Mapping[str, str] | None = None, codes: tuple[int, ...] = (0,)
) -> str:
    """Run `git ARGS` and return its single line of output. See `git`."""
    return os.fsdecode(git(*args, at=at, env=env, codes=codes)).rstrip("\n")


def split0(output: bytes) -> list[str]:
    """Return the names in NUL-separated output (`-z`)."""
    return [os.fsdecode(name) for name in output.split(b"\0") if name]


def is_installed() -> bool:
    """Return whether there is a `git` program on the path."""
    return shutil.which("git") is not None
