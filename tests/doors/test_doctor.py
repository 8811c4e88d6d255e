"""The doctor says what `check` and the launches would say later."""

import json
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.clis import profile
from actors.platform import room, scopes
from actors.runtime import doctor, machine
from bus.action import Do
from tests.doors.kit import Home

BUILT_IN = [(name, each.command[0]) for name, each in profile.load().items() if each.command]


class User:
    """A user with a home directory and a PATH of his own."""

    def __init__(self, home: Home, tmp_path: Path) -> None:
        self.home = home
        self.place = tmp_path / "user"
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        self.place.mkdir()

    def installs(self, name: str, says: str) -> None:
        program = self.bin / name
        program.write_text(f"#!/bin/sh\necho '{says}'\n")
        program.chmod(0o755)

    def doctor(self, *words: str, path: str = "") -> dict[str, dict[str, Any]]:
        """The findings by their text."""
        path = path or f"{self.bin}:{os.environ['PATH']}"
        env = {**os.environ, "HOME": str(self.place), "PATH": path}
        env = {k: v for k, v in env.items() if not k.startswith(("XDG_CONFIG", "CODEX"))}
        ran = self.home.run("doctor", *words, "--json", env=env)
        return {item["what"]: item for item in json.loads(ran.stdout)["items"]}


@pytest.fixture
def user(home: Home, tmp_path: Path) -> User:
    return User(home, tmp_path)


def line(found: dict[str, dict[str, Any]], begin: str) -> str:
    (what,) = [what for what in found if what.startswith(begin)]
    return what


def test_a_cli_is_said_to_be_logged_in_or_not(user: User) -> None:
    user.installs("codex", "codex-cli 0.169.0")
    without = user.doctor()["codex 0.169.0, no login of yours found"]
    assert (without["state"], "(codex)" in without["help"]) == ("note", True)
    (user.place / ".codex").mkdir()
    (user.place / ".codex" / "auth.json").write_text("{}")
    assert user.doctor()["codex 0.169.0, logged in"]["state"] == "ok"


def test_a_cli_that_is_missing_is_named_with_the_command_that_installs_it(user: User) -> None:
    user.installs("git", "git version 2.39.5")
    found = user.doctor(path=str(user.bin))
    missing = {name: found[f"{name}: {command} is not installed"] for name, command in BUILT_IN}
    assert all(item["help"] for item in missing.values()), missing
    assert missing["codex"]["help"] == "npm install -g @openai/codex"


def test_what_the_machine_has_room_for_is_said(user: User) -> None:
    found = user.doctor()
    for words in (
        "open files: room for about",
        "of memory free: room for about",
        "sandbox",
        "no board",
    ):
        assert [what for what in found if words in what], words
    user.installs("node", "v99.0.0")
    assert "node v99.0.0" in user.doctor()


def test_a_machine_without_room_says_what_makes_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may raise a hard limit again in some places only, so the limits are said to be low."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    monkeypatch.setenv("PATH", "")
    found = {item.what: item for item in machine.findings(online=False)}
    (files,) = [item for what, item in found.items() if what.startswith("256 open files")]
    assert (files.state, "--nofile=8192" in files.help) == ("note", sys.platform == "linux")
    (node,) = [item for what, item in found.items() if what.startswith("node is not installed")]
    assert (node.state, "https://" in node.help) == ("note", True)


def test_a_full_disk_is_said_with_what_stays_free(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The doctor and the launches have one limit."""
    for free, state in ((511, "note"), (512, "ok")):
        monkeypatch.setattr(room, "disk", lambda _, free=free: (free, 100_000))
        report = doctor.examine(tmp_path / "home")
        (item,) = [item for item in report.items if "MiB free" in item.what]
        assert (item.state, [each.do for each in item.actions]) == (
            state,
            [Do.CLEAN] if state == "note" else [],
        )
    assert doctor.examine(tmp_path / "home").ok


def test_providers_are_reached_only_where_that_is_asked(user: User) -> None:
    """A connection is opened, and no key is sent."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        there, gone = server.getsockname()[1], closed.getsockname()[1]
        config = user.place / ".config" / "callboard"
        config.mkdir(parents=True)
        (config / "providers.toml").write_text(
            f'[here]\nbase_url = "http://127.0.0.1:{there}/v1"\napi_key_env = "NO_SUCH_KEY"\n'
            f'[away]\nbase_url = "http://127.0.0.1:{gone}/v1"\n'
        )
        offline = user.doctor()
        assert not [what for what in offline if what.startswith("provider here at")]
        assert [what for what in offline if "NO_SUCH_KEY" in what]
        online = user.doctor("--online")
        assert online[f"provider here at 127.0.0.1:{there} can be reached"]["state"] == "ok"
        assert online[line(online, "provider away")]["state"] == "note"
        connection, _ = server.accept()
        connection.settimeout(5)
        assert connection.recv(100) == b""
        connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="systemd runs on Linux")
def test_it_says_whether_programs_run_in_scopes(user: User) -> None:
    said = [what for what in user.doctor() if " scope of systemd" in what]
    place, why = scopes.find()
    if place is None:
        assert said == [f"programs run in no scope of systemd: {why}"]
    else:
        assert len(said) == 1


def test_what_a_killed_runtime_left_is_mended_and_nothing_else(user: User) -> None:
    user.home.serve()
    served = user.doctor()
    assert line(served, "sockets in ")
    user.home.kill()
    (user.home.path / "callboard.db").chmod(0o644)
    user.home.path.chmod(0o755)
    faults = {what for what, item in user.doctor().items() if "--fix" in item["help"]}
    assert {what.split(" /")[0] for what in faults} == {
        "others can enter",
        "others can read",
        "connection.json was left by a runtime that has ended",
        "sockets in",
    }
    fixed = user.home.run("doctor", "--fix")
    assert set(fixed.stderr.splitlines()) == {f"mended: {what}" for what in faults}
    assert user.home.path.stat().st_mode & 0o777 == 0o700
    assert (user.home.path / "callboard.db").stat().st_mode & 0o777 == 0o600
    assert not any("--fix" in item["help"] for item in user.doctor().values())
    assert user.home.run("doctor", "--fix").stderr == "nothing to mend\n"
    user.home.serve()


def test_a_home_that_is_served_is_only_made_private(user: User) -> None:
    user.home.serve()
    user.home.path.chmod(0o755)
    assert user.home.run("doctor", "--fix").stderr == f"mended: others can enter {user.home.path}\n"
    assert user.home.json("ps") == []


def test_only_sockets_are_removed_where_the_home_says_they_are(user: User, tmp_path: Path) -> None:
    """The file that records the place may have been written by somebody else."""
    user.home.serve()
    user.home.kill()
    place = tmp_path / "theirs"
    place.mkdir(mode=0o700)
    (place / "feed").write_text("a file of the user's\n")
    record = user.home.path / "sockets"
    record.write_text(f"{place}\n" + record.read_text().split("\n", 1)[1])
    user.home.run("doctor", "--fix")
    assert (place / "feed").read_text() == "a file of the user's\n"
