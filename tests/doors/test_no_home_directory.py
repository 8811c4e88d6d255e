"""A user whom passwd does not know, without HOME: a container's uid."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.doors.kit import PYTHON, ROOT

UID = 54321
AS_NOBODY = ["unshare", "--user", f"--map-user={UID}", f"--map-group={UID}"]


@pytest.fixture(autouse=True)
def possible() -> None:
    try:
        probe = subprocess.run([*AS_NOBODY, "true"], capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"no unshare: {error}")
    if probe.returncode:
        pytest.skip(f"no user namespaces here: {probe.stderr.decode()}")


def run(place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    gone = ("HOME", "XDG", "CALLBOARD")
    return subprocess.run(
        [*AS_NOBODY, PYTHON, str(ROOT / "run.py"), *words],
        cwd=place,
        env={name: value for name, value in os.environ.items() if not name.startswith(gone)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.parametrize("words", [["ps"], ["serve"], ["doctor"], ["down"], ["ps", "--home", "~"]])
def test_what_needs_a_home_says_what_helps(tmp_path: Path, words: list[str]) -> None:
    said = run(tmp_path, *words)
    assert said.returncode == 2, said.stderr
    assert "Traceback" not in said.stderr
    assert f"user {UID} has none" in said.stderr
    assert "--home DIR" in said.stderr


@pytest.mark.parametrize("words", [["doctor"], ["providers"], ["ps"], ["demo"]])
def test_with_a_named_home_all_works(tmp_path: Path, words: list[str]) -> None:
    said = run(tmp_path, *words, "--home", str(tmp_path / "home"))
    assert "Traceback" not in said.stderr
    assert "home directory" not in said.stderr
    if words == ["demo"]:
        assert said.returncode == 0, said.stderr + said.stdout
        run(tmp_path, "down", "--terminals", "--home", str(tmp_path / "home"))


def test_the_home_directory_is_asked_for_in_one_place() -> None:
    """`Path.expanduser` and `Path.home` raise `RuntimeError` for such a user."""
    asks = re.compile(r"\.expanduser\(|Path\.home\(")
    sources = [path for room in ("actors", "bus", "store") for path in (ROOT / room).rglob("*.py")]
    found = [str(path.relative_to(ROOT)) for path in sources if asks.search(path.read_text())]
    assert found == ["bus/user.py"]
