"""Write a first plan for a repository, for the command `init`."""

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from actors.command_line.options import PLAN_FILE
from actors.command_line.output.exits import FAILED, USAGE, Stop
from actors.command_line.output.printing import say
from actors.command_line.output.program import command
from actors.command_line.projects import Project, places, recognise
from actors.runtime import local
from bus.address import slug
from bus.checked import PLACEHOLDER

_MOST_PLACES = 8
_SECRETS = (".env", ".env.local", ".env.test")
"""Files that programs often need and git often ignores."""


def write_plan(directory: Path) -> tuple[Path, str]:
    """Write a plan that `check` accepts into the directory; return its path and what was found.

    An existing file is never overwritten. Raise `Stop` or `Refused` if no plan can be written.
    """
    place = directory.resolve()
    if not place.is_dir():
        raise Stop(f"{place} is not a directory", USAGE)
    path = place / PLAN_FILE
    if path.exists() or path.is_symlink():
        raise Stop(f"{path} is there already", FAILED, command("check", str(path)))
    target = _target(place)
    project, clis = recognise(place), _clis()
    inner = [] if project.test else places(place, _git(place, "ls-files").splitlines())
    text = plan_text(place, target, project, clis, _copied(place), inner)
    local.check(text, str(place))
    with path.open("x") as file:
        file.write(text)
    tests = " ".join(project.test) if project.test else "none found: what lands is NOT TESTED"
    return path, f"target: {target}; tests: {tests}; agents: {clis[0]}"


def _clis() -> list[str]:
    """Return the installed CLIs, the user's own default first."""
    (wanted,) = (s.value for s in local.settings(Path()).settings if s.key == "cli")
    return sorted(local.installed_clis(), key=lambda name: name != wanted)


def plan_text(
    place: Path,
    target: str,
    project: Project,
    clis: list[str],
    copied: list[str],
    inner: Sequence[tuple[str, Project]] = (),
) -> str:
    """Return the text of the plan, with a comment for each choice.

    Raise `Stop` if no CLI is installed.
    """
    if not clis:
        raise Stop("no AI coding CLI is installed that Callboard knows", FAILED, command("doctor"))
    others = f"  # installed too: {', '.join(clis[1:])}" if clis[1:] else ""
    lines = [
        f"# A plan for {place.name}. What it would run: {command('check')}",
        f"name = {_toml(slug(place.name))}",
        'repo = "."                 # relative to this file',
        *_inner(inner),
        f"target = {_toml(target)}            # what is done lands here",
        "",
        *_test(project),
        *_setup(project),
        *_copy(copied),
        "max_terminals = 4          # at once; the rest waits",
        "",
        "# Agents are asked nothing. Those in a sandbox write their own branch only (`check` says",
        "# which). To change that for all of them:",
        "# [defaults]",
        '# auto_confirm = "known"    # never | known | bypass',
        '# sandbox = "off"           # "worktree": also what was not verified in one',
        "",
        "[merge]                    # resolves conflicts",
        f"cli = {_toml(clis[0])}{others}",
        "",
        "# One [[task]] for each thing that can be done by itself. They run in parallel, each on",
        "# its own branch. A terminal ends its work with a commit whose message says #done.",
        "[[task]]",
        'id = "first"',
        'branch = "callboard/first"',
        "[[task.terminal]]",
        f"cli = {_toml(clis[0])}",
        "instruction = '''",
        PLACEHOLDER,
        "'''",
    ]
    return "\n".join(lines) + "\n"


def _inner(found: Sequence[tuple[str, Project]]) -> list[str]:
    """Return comments that name the projects of a repository of several."""
    lines = [
        f"# repo = {_toml(directory)}  # then with: test = {_toml(project.test)}"
        + (f", setup = {_toml(project.setup)}" if project.setup else "")
        for directory, project in found[:_MOST_PLACES]
    ]
    if lines:
        lines.insert(0, "# There are projects in it; a plan for one of them has:")
    return lines


def _test(project: Project) -> list[str]:
    if not project.test:
        return ['# test = ["make", "test"]  # none was found: what lands is NOT TESTED', ""]
    return [f"test = {_toml(project.test)}  # found by {project.why}; runs on the merged tree", ""]


def _setup(project: Project) -> list[str]:
    if not project.setup:
        return []
    lines = [f"setup = {_toml(project.setup)}  # once in each worktree"]
    if project.setup_inputs:
        lines += [
            f"# setup_inputs = {_toml(project.setup_inputs)}  # once for all with the same file;",
            '# agents then have a sandbox only with sandbox = "worktree", see [defaults]',
        ]
    return lines


def _copy(names: list[str]) -> list[str]:
    return [f"copy = {_toml(names)}  # ignored by git, needed by programs"] if names else []


def _toml(value: str | Sequence[str]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _target(place: Path) -> str:
    """Return the branch that is checked out. Raise `Stop` if there is none."""
    try:
        return _git(place, "symbolic-ref", "--short", "HEAD")
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        help = "" if (place / ".git").exists() else f"git -C {shlex.quote(str(place))} init"
        raise Stop(f"{place}: {said[-1] if said else 'no branch'}", USAGE, help) from error


def _copied(place: Path) -> list[str]:
    """Return the ignored files that the user wants in each worktree.

    The user is asked for each file. Without a terminal, the result is empty.
    """
    found = []
    for name in _SECRETS:
        if (place / name).is_file() and _is_ignored(place, name) and _wanted(name):
            found.append(name)
    return found


def _is_ignored(place: Path, name: str) -> bool:
    try:
        _git(place, "check-ignore", "-q", name)
    except subprocess.CalledProcessError:
        return False
    return True


def _wanted(name: str) -> bool:
    if not sys.stdin.isatty():
        say(f"note: {name} is not copied into worktrees; `copy = [{_toml(name)}]` does that")
        return False
    return click.confirm(
        f"{name} is ignored by git. Copy it into each worktree, where agents can read it?",
        default=False,
    )


def _git(place: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=place, capture_output=True, text=True, errors="replace", check=True
    )
    return done.stdout.strip()
