"""F18, F19, F20: an address that is none, ways out of a sandbox, names that others take first."""

import stat
from pathlib import Path

import pytest

from actors.platform import sandbox
from actors.runtime.doctor import examine
from bus import plan as plans
from bus.sockets import socket_directory
from tests.doors.acting import Acting
from tests.doors.kit import Home, coder, plan_text
from tests.repositories import git

NO_ADDRESS = ("example.org", "ftp://x", "https://", "https://[", "https://x:99999", "https://a b/")


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_an_address_that_is_none_is_refused_with_its_key(
    home: Home, repo: Path, tmp_path: Path, address: str
) -> None:
    tail = f'[provider.x]\nbase_url = "{address}"\n'
    file = tmp_path / "plan.toml"
    file.write_text(plan_text(repo, {"a": [coder("x", provider="x")]}, tail=tail))
    plans.decode(file.read_text())  # its shape is right: the check of the machine refuses it
    done = home.run("check", str(file))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "provider.x.base_url" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(bool(sandbox.trouble()), reason=sandbox.trouble())
def test_a_program_in_a_sandbox_gets_no_socket_of_the_users(repo: Path, tmp_path: Path) -> None:
    ways = ("SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST", "XDG_RUNTIME_DIR")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
    (tmp_path / "run").mkdir(mode=0o700)
    env |= {name: str(tmp_path / "run") for name in ways}
    home = Home(tmp_path / "home", env=env)
    try:
        home.serve()
        script = "$ env > seen; git add -A; git commit -qm 'a #done'\n"
        plan = plan_text(repo, {"a": [coder(script, sandbox="worktree")]})
        acting = Acting(home)
        acting.begin(plan)
        acting.status("completed")
    finally:
        home.close()
    seen = git(repo, "show", "main:seen")
    assert "PATH=" in seen
    assert not [name for name in ways if f"{name}=" in seen]


def test_a_directory_for_sockets_that_somebody_opened_or_replaced_is_not_used(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    first = socket_directory(home)
    assert socket_directory(home) == first
    first.chmod(0o755)
    second = socket_directory(home)
    assert second != first
    second.rmdir()
    second.symlink_to(tmp_path)
    third = socket_directory(home)
    assert third not in (first, second)
    assert stat.S_IMODE(third.stat().st_mode) == 0o700
    for place in (first, third):
        place.rmdir()
    second.unlink()


def test_the_doctor_says_whether_there_is_a_sandbox(tmp_path: Path) -> None:
    found = examine(tmp_path / "home").items
    (item,) = [each for each in found if each.what.startswith(("sandbox:", "no sandbox:"))]
    assert (item.state == "ok") == (not sandbox.trouble())
