"""The sockets of a home: another environment at the next start, and a directory that is removed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.command_line.output.exits import as_stop
from actors.platform import processes
from actors.pty.ending import running_hosts
from bus import sockets
from tests.doors.kit import PYTHON, ROOT, Home, coder, commit, plan_text, types


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The runtime directory of a login session."""
    place = Path(tempfile.mkdtemp(prefix="session-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    yield place
    shutil.rmtree(place, ignore_errors=True)


def at_work(home: Home, repo: Path, tmp_path: Path) -> Path:
    """A workflow whose one terminal works until the file is there that is returned."""
    gate = tmp_path / "go"
    script = f"$ while [ ! -e {gate} ]; do sleep 0.05; done\n" + commit("a", "x", "write a #done")
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder(script)]}))
    home.serve()
    home.ok("submit", str(plan))
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    home.until(lambda row: row["tasks"][0]["terminals"][0]["delivered"] == 1)
    return gate


@pytest.mark.parametrize("left", ["the session's directory", "nothing"])
def test_the_next_start_has_another_environment(
    home: Home,
    repo: Path,
    tmp_path: Path,
    session: Path,
    monkeypatch: pytest.MonkeyPatch,
    left: str,
) -> None:
    """Hazard 66. After a logout, or from cron, the terminals are found and go on."""
    gate = at_work(home, repo, tmp_path)
    home.kill()
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    if left == "nothing":
        shutil.rmtree(session)
    home.serve()
    gate.touch()
    home.until(lambda row: row["status"] == "completed")
    assert "terminal.adopted" in types(home.facts())


@pytest.mark.usefixtures("session")
def test_sockets_that_are_removed_while_it_serves_are_made_again(
    home: Home,
    repo: Path,
    tmp_path: Path,
) -> None:
    """Hazard 66. The runtime and the hosts are found again, by old clients and by new ones."""
    gate = at_work(home, repo, tmp_path)
    shutil.rmtree(sockets.socket_directory(home.path))
    assert home.run("ps").returncode == 0
    assert len(running_hosts(home.path)) == 1
    home.kill()
    home.serve()
    gate.touch()
    home.until(lambda row: row["status"] == "completed")


@pytest.mark.usefixtures("session")
def test_a_clean_end_and_a_killed_host_leave_no_socket(
    home: Home,
    repo: Path,
    tmp_path: Path,
) -> None:
    at_work(home, repo, tmp_path)
    place = sockets.socket_directory(home.path)
    found = running_hosts(home.path)[0]
    assert found.identity is not None
    os.kill(found.identity.host_pid, 9)
    home.until(lambda row: row["tasks"][0]["terminals"][0]["gone"])
    home.ok("down", "--terminals")
    assert not place.exists()


@pytest.mark.usefixtures("session")
def test_the_terminals_of_a_deleted_home_are_ended(
    home: Home,
    repo: Path,
    tmp_path: Path,
) -> None:
    at_work(home, repo, tmp_path)
    found = running_hosts(home.path)[0].identity
    assert found is not None
    shutil.rmtree(home.path, ignore_errors=True)
    assert home.served is not None
    home.served.communicate(timeout=30)
    assert len(running_hosts(home.path)) == 1
    said = home.ok("down", "--terminals")
    assert "no terminal is left" in said
    assert running_hosts(home.path) == []
    assert processes.is_alive(found.program_pid, found.program_start) is False


def test_a_home_that_cannot_be_made_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place, why in ("file", "it is no directory"), ("file/home", "Not a directory"):
        said = Home(tmp_path / place).run("serve")
        assert said.returncode == 3
        assert f"the home cannot be made: {why}; name another" in said.stderr
        assert str(tmp_path / place) in said.stderr


@pytest.mark.parametrize("words", [["init"], ["ps", "--home", "../home"]], ids=" ".join)
def test_a_working_directory_that_was_removed_is_said(tmp_path: Path, words: list[str]) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    said = subprocess.run(
        ["sh", "-c", script, "sh", PYTHON, str(ROOT / "run.py"), *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 2
    assert said.stderr == "error: the directory in which this runs was removed\nhelp: cd\n"


def test_a_limit_is_said_with_what_helps(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [PYTHON, str(ROOT / "run.py"), "serve", "--home", str(home)]
    said = subprocess.run(
        ["sh", "-c", 'ulimit -f 0 && exec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 3
    assert f"File too large: '{home}/lock'; `ulimit -f unlimited` lifts" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_thread_that_cannot_be_started_is_no_traceback() -> None:
    """Seen with `ulimit -v`: how low that must be depends on the build of Python."""
    stop = as_stop(RuntimeError("can't start new thread"))
    assert "`ulimit -u`" in str(stop)
