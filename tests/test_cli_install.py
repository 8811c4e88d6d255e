"""A real CLI is brought by npm within a limit, or the test that wants it says why not."""

import os
import shutil
import time
from pathlib import Path

import pytest

from tests import cli_install
from tests.cli_install import Missing, cli_path, install


def fake_npm(directory: Path, script: str) -> None:
    directory.mkdir(exist_ok=True)
    npm = directory / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place programs of this test are found, beside the system's own `sh` and `sleep`."""
    made = tmp_path / "bin"
    made.mkdir()
    for name in ("sh", "sleep", "mkdir", "touch", "chmod"):
        found = shutil.which(name)
        assert found
        (made / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(made))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CALLBOARD_TEST_CLIS", raising=False)
    return made


@pytest.mark.usefixtures("bin")
def test_without_npm_it_says_so() -> None:
    with pytest.raises(Missing, match=r"codex is neither on PATH .*, and npm is not installed"):
        cli_path("codex")
    with pytest.raises(
        Missing, match=r"claude is neither on PATH nor below \$CALLBOARD_TEST_CLIS$"
    ):
        cli_path("claude")


def test_a_failure_of_npm_is_told_and_nothing_is_left(bin: Path, tmp_path: Path) -> None:
    fake_npm(bin, "echo no such host >&2; exit 1")
    with pytest.raises(Missing, match="failed: no such host"):
        cli_path("codex")
    assert list((tmp_path / "cache/callboard-tests").iterdir()) == []


def test_at_the_limit_npm_and_its_children_are_ended(bin: Path, tmp_path: Path) -> None:
    children = tmp_path / "child"
    fake_npm(bin, f"sleep 1000 & echo $! > {children}; echo $$ >> {children}; wait")
    problem = install("some-package", tmp_path / "made", 1.0)
    assert problem == "npm install some-package took longer than 1 s and was ended"
    assert not (tmp_path / "made").exists()
    for pid in children.read_text().split():
        assert is_gone(int(pid)), pid


def is_gone(pid: int) -> bool:
    """A child of a process that was killed is reaped by somebody else, in a moment."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


def test_what_npm_brings_is_kept_and_asked_for_once(bin: Path, tmp_path: Path) -> None:
    where = '$(while [ "$1" != --prefix ]; do shift; done; echo $2)/node_modules/.bin'
    script = (
        f'echo x >> {tmp_path}/asked; d="{where}"; mkdir -p $d; touch $d/codex; chmod +x $d/codex'
    )
    fake_npm(bin, script)
    for _ in range(2):
        assert shutil.which("codex", path=cli_path("codex"))
        cli_install.install.cache_clear()
    assert (tmp_path / "asked").read_text() == "x\n"
