"""How the `git` program is run: scrubbed environment, no prompts, hooks only on request."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# What git itself treats as local to one repository (`git rev-parse --local-env-vars`). Callboard
# may be started from a hook or from `git rebase --exec`, where these point somewhere else.
LOCAL_VARIABLES: Final = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
_ALWAYS: Final = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    "GIT_MERGE_AUTOEDIT": "no",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
}
_OPTIONS: Final = (
    "core.fsmonitor=false",
    "core.quotePath=false",
    "gc.auto=0",
    "advice.detachedHead=false",
)
_NO_HOOKS: Final = f"core.hooksPath={os.devnull}"


class GitFailed(Exception):
    """The `git` program ended with an unexpected code."""

    def __init__(self, args: tuple[str, ...], code: int, stderr: str) -> None:
        super().__init__(f"git {' '.join(args[:2])} ended with {code}: {stderr.strip()}")
        self.code = code
        self.stderr = stderr.strip()


def git(
    *args: str,
    at: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    hooks: bool = False,
    codes: tuple[int, ...] = (0,),
) -> bytes:
    """Run `git ARGS` in directory `at` and return what it prints.

    `env` adds variables; `hooks` lets the user's hooks run. Raises `GitFailed` unless the exit
    code is one of `codes`, and `FileNotFoundError` when there is no `git` or no `at`.
    """
    # A worktree that lost its `.git` must not make git find a repository above it.
    above = str(Path(at).absolute().parent)
    environ = {key: value for key, value in os.environ.items() if key not in LOCAL_VARIABLES}
    options = _OPTIONS if hooks else (*_OPTIONS, _NO_HOOKS)
    command = ["git", "-C", at]
    for option in options:
        command += ["-c", option]
    done = subprocess.run(
        [*command, *args],
        input=stdin,
        capture_output=True,
        env={**environ, **_ALWAYS, "GIT_CEILING_DIRECTORIES": above, **(env or {})},
        check=False,
    )
    if done.returncode not in codes:
        raise GitFailed(args, done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout


def git_line(*args: str, at: str, env: Mapping[str, str] | None = None) -> str:
    """Run `git ARGS` and return its one line of output."""
    return os.fsdecode(git(*args, at=at, env=env)).rstrip("\n")


def split0(output: bytes) -> list[str]:
    """The names in NUL-separated output (`-z`)."""
    return [os.fsdecode(name) for name in output.split(b"\0") if name]


def is_installed() -> bool:
    """Whether there is a `git` program on the path."""
    return shutil.which("git") is not None
