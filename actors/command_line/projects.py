"""Recognise the test command of a project by the files in its directory."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Project(NamedTuple):
    """How to test a project.

    `test` is the test command, `setup` the command that prepares a new worktree. Either is empty if
    none was found. `why` is the name of the file that they were recognised by. `setup_inputs` are
    the files on which the result of `setup` depends, if it can be used in other worktrees.
    """

    test: list[str]
    setup: list[str]
    why: str
    setup_inputs: tuple[str, ...] = ()


def recognise(place: Path) -> Project:
    """Return the test command and setup of the first kind of project whose files exist."""
    for kind in _KINDS:
        found = kind(place)
        if found is not None:
            return found
    return Project([], [], "")


def places(root: Path, files: list[str]) -> list[tuple[str, Project]]:
    """Return the directories below `root` that are projects with tests, and their projects.

    `files` are the repository's files, relative to `root`. Nothing below a project is looked at.
    """
    found: list[tuple[str, Project]] = []
    directories = {parent for name in files for parent in PurePosixPath(name).parents}
    for directory in sorted(map(str, directories - {PurePosixPath(".")})):
        if not any(directory.startswith(f"{outer}/") for outer, _ in found):
            project = recognise(root / directory)
            if project.test:
                found.append((directory, project))
    return found


def _tox(place: Path) -> Project | None:
    return Project(["tox"], [], "tox.ini") if (place / "tox.ini").is_file() else None


def _python(place: Path) -> Project | None:
    files = ("pyproject.toml", "pytest.ini", "setup.cfg", "setup.py")
    named = next((name for name in files if (place / name).is_file()), None)
    if named is None:
        return None
    if (place / "uv.lock").is_file():
        return Project(["uv", "run", "pytest"], ["uv", "sync"], "uv.lock")
    if (place / "poetry.lock").is_file():
        return Project(["poetry", "run", "pytest"], ["poetry", "install"], "poetry.lock")
    return Project([_python_program(), "-m", "pytest"], [], named)


def _python_program() -> str:
    """Return the name under which Python is on the PATH: some systems have `python3` alone."""
    return "python3" if shutil.which("python") is None and shutil.which("python3") else "python"


def _javascript(place: Path) -> Project | None:
    try:
        described = json.loads((place / "package.json").read_bytes())
        scripts = described.get("scripts", {})
        test = scripts.get("test", "") if isinstance(scripts, dict) else ""
        has_test = bool(test) and "no test specified" not in str(test)  # what `npm init` writes
    except (OSError, ValueError, AttributeError):
        return None
    for lock, program, setup in _LOCKS:
        if (place / lock).is_file():
            if program == "yarn" and (place / ".yarnrc.yml").is_file():  # yarn 2 and later
                setup = ["yarn", "install", "--immutable"]
            kept = (lock,) if program == "npm" else ()
            return Project([program, "test"] if has_test else [], setup, lock, kept)
    return Project(["npm", "test"] if has_test else [], ["npm", "install"], "package.json")


_LOCKS = (
    ("pnpm-lock.yaml", "pnpm", ["pnpm", "install", "--frozen-lockfile"]),
    ("yarn.lock", "yarn", ["yarn", "install", "--frozen-lockfile"]),
    ("package-lock.json", "npm", ["npm", "ci"]),
)


def _gradle(place: Path) -> Project | None:
    if not any((place / name).is_file() for name in ("build.gradle", "build.gradle.kts")):
        return None
    wrapper = (place / "gradlew").is_file()
    return Project(["./gradlew" if wrapper else "gradle", "test"], [], "build.gradle")


def _dotnet(place: Path) -> Project | None:
    found = next((path for end in ("sln", "csproj") for path in place.glob(f"*.{end}")), None)
    return Project(["dotnet", "test"], [], found.name) if found else None


def _make(place: Path) -> Project | None:
    for name in ("GNUmakefile", "makefile", "Makefile"):
        path = place / name
        if path.is_file() and re.search(r"^test\s*:", path.read_text(errors="replace"), re.M):
            return Project(["make", "test"], [], name)
    return None


def _by_file(name: str, *test: str) -> Callable[[Path], Project | None]:
    """Return a function that recognises a kind of project by one file."""

    def kind(place: Path) -> Project | None:
        return Project(list(test), [], name) if (place / name).is_file() else None

    return kind


_KINDS: tuple[Callable[[Path], Project | None], ...] = (
    _tox,
    _python,
    _javascript,
    _by_file("Cargo.toml", "cargo", "test"),
    _by_file("go.mod", "go", "test", "./..."),
    _gradle,
    _by_file("pom.xml", "mvn", "-q", "test"),
    _by_file("mix.exs", "mix", "test"),
    _dotnet,
    _make,
)
