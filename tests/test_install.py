"""Callboard from a wheel.

Beside packages that have the names of its parts, in a clean environment, as a command and as a
module.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
THEIRS = ("store", "bus", "actors", "run")


def ran(*words: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        env={**env, **{k: str(v) for k, v in more.items() if k.isupper()}},
        cwd=str(more.get("cwd", "/")),
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the files that are here, committed or not."""
    place = tmp_path_factory.mktemp("wheel")
    leave = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "tests", "site", "build")
    shutil.copytree(ROOT, place / "source", ignore=leave)
    pip = (sys.executable, "-m", "pip")
    ran(*pip, "wheel", "-q", "--no-deps", "-w", place, place / "source")
    (built,) = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that had packages of these names before; its `bin`."""
    place = tmp_path_factory.mktemp("environment")
    ran(sys.executable, "-m", "venv", "--without-pip", place)
    (packages,) = place.glob("lib/python*/site-packages")
    for name in THEIRS:
        (packages / name).mkdir()
        (packages / name / "__init__.py").write_text(f"WHOSE = 'theirs: {name}'\n")
    (packages / "needed.pth").write_text(sysconfig.get_paths()["purelib"])
    python = place / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    # The environment that runs the tests, seen through the .pth, may hold a Callboard of its own.
    ran(*pip, "install", "-q", "--no-deps", "--ignore-installed", wheel)
    return place / "bin"


def test_a_wheel_holds_one_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as held:
        names = held.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"callboard"}
    inside = {name.removeprefix("callboard/app/") for name in names}
    assert {"run.py", "actors/clis/profiles.toml", "examples/scripted_agent.py"} <= inside
    assert not any("__pycache__" in name or "/tests/" in name for name in names)


def test_packages_of_the_same_names_are_left_alone(installed: Path) -> None:
    for name in THEIRS:
        said = ran(installed / "python", "-c", f"import callboard, {name}; print({name}.WHOSE)")
        assert said.stdout == f"theirs: {name}\n"


def test_the_command_and_the_module_say_their_version_and_name(
    installed: Path, tmp_path: Path
) -> None:
    for words in ([installed / "callboard"], [installed / "python", "-m", "callboard"]):
        assert ran(*words, "--version").stdout.startswith("callboard 0.")
        spelled = " ".join(map(str, words))
        empty = subprocess.run(
            [*words, "ps", "--home", tmp_path], capture_output=True, text=True, check=False
        )
        assert empty.returncode == 3
        help = f"help: {spelled} serve --home {tmp_path}"
        assert empty.stderr.splitlines()[-1] == help
    path = f"{installed}:{os.environ['PATH']}"
    usage = ran("callboard", "ps", "--help", PATH=path)
    assert usage.stdout.startswith("Usage: callboard ps ")


def test_completion_is_for_the_installed_command(installed: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_CALLBOARD_COMPLETE" in ran(installed / "callboard", "completion", shell).stdout
    asked = {"_CALLBOARD_COMPLETE": "fish_complete", "COMP_WORDS": "callboard d", "COMP_CWORD": "d"}
    found = ran(installed / "callboard", **asked).stdout
    assert all(name in found for name in ("demo", "doctor", "down"))
    assert "approve" not in found


def test_the_main_job_is_done_from_an_installation(installed: Path, tmp_path: Path) -> None:
    done = ran(installed / "callboard", "demo", "--dir", tmp_path / "demo", cwd=tmp_path)
    assert "the demo landed" in done.stdout
