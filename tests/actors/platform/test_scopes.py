"""Which programs get a scope of systemd is read from the files of the system."""

import pwd
from pathlib import Path

import pytest

from actors.platform import scopes

USER = next(each for each in pwd.getpwall() if each.pw_uid)
UID = USER.pw_uid
MANAGER = f"user.slice/user-{UID}.slice/user@{UID}.service"
SESSION = f"user.slice/user-{UID}.slice/session-3.scope"
TERMINAL = f"{MANAGER}/app.slice/vte-spawn-1.scope"


class System:
    """The files of a machine with systemd, on which a user lingers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/meminfo", "MemTotal: 16777216 kB\n")
        self.write("proc/1/comm", "systemd\n")
        self.runs_in(SESSION)
        self.write("run/systemd/private", "")
        self.write(f"run/user/{UID}/systemd/private", "")
        self.write(f"var/lib/systemd/linger/{USER.pw_name}", "")
        for cgroup in ("", MANAGER):
            self.write(f"sys/fs/cgroup/{cgroup}/cgroup.controllers", "cpu memory pids\n")

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def runs_in(self, cgroup: str, most: str = "max") -> None:
        self.write("proc/self/cgroup", f"0::/{cgroup}\n")
        self.write(f"sys/fs/cgroup/{cgroup}/memory.max", f"{most}\n")

    def says(self, uid: int = UID) -> scopes.Place:
        place, why = scopes.find(self.root, uid)
        assert place is not None, why
        return place

    def refuses(self, uid: int = UID) -> str:
        place, why = scopes.find(self.root, uid)
        assert place is None
        return why


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(tmp_path)


def test_a_user_who_lingers_has_scopes_of_his_own_manager(system: System) -> None:
    place = system.says()
    assert place.slice == ""
    assert place.socket == f"{system.root}/run/user/{UID}/systemd/private"
    assert place.mib == 16384 - 2048


def test_a_systemd_outside_of_this_container_is_not_asked(system: System) -> None:
    """It would take a process of its own with that pid for ours. Hazard 103."""
    system.write("proc/1/comm", "sh\n")
    assert "first process" in system.refuses()


def test_what_counts_is_the_cgroup_of_the_runtime(system: System) -> None:
    system.write("proc/77/cgroup", f"0::/{MANAGER}/app.slice/x.service\n")
    assert "x.service" in scopes.find(system.root, UID, 77)[1]


def test_a_small_machine_keeps_half_a_gibibyte(system: System) -> None:
    system.write("proc/meminfo", "MemTotal: 2097152 kB\n")
    assert system.says().mib == 2048 - 512


def test_a_manager_that_ends_at_the_logout_is_not_used(system: System) -> None:
    """Hazard 103."""
    system.remove(f"var/lib/systemd/linger/{USER.pw_name}")
    assert "logs out" in system.refuses()


def test_whoever_is_below_the_manager_ends_with_it_anyway(system: System) -> None:
    system.remove(f"var/lib/systemd/linger/{USER.pw_name}")
    system.runs_in(TERMINAL)
    assert system.says().slice == ""


def test_root_has_scopes_in_the_slice_of_the_session(system: System) -> None:
    system.runs_in("user.slice/user-0.slice/session-7.scope")
    place = system.says(0)
    assert place.slice == "user-0.slice"
    assert place.socket == f"{system.root}/run/systemd/private"


@pytest.mark.parametrize("cgroup", ["system.slice/ssh.service", f"{MANAGER}/app.slice/x.service"])
def test_a_service_keeps_its_programs(system: System, cgroup: str) -> None:
    """Its limits and its end are meant for all that it started."""
    system.runs_in(cgroup)
    assert "not in a scope" in system.refuses(0 if cgroup.startswith("system") else UID)


def test_a_scope_with_a_limit_keeps_its_programs(system: System) -> None:
    system.runs_in(SESSION, "1000000")
    assert "without a limit" in system.refuses()


def test_without_the_controller_there_would_be_no_limit(system: System) -> None:
    system.write(f"sys/fs/cgroup/{MANAGER}/cgroup.controllers", "pids\n")
    assert "no limit" in system.refuses()


def test_without_a_manager_there_are_none(system: System) -> None:
    system.remove(f"run/user/{UID}/systemd/private")
    assert "no manager" in system.refuses()


@pytest.mark.parametrize("text", ["", "1:name=systemd:/a\n0::/\n", "9:memory:/a\n"])
def test_without_cgroups_of_version_2_there_are_none(system: System, text: str) -> None:
    system.write("proc/self/cgroup", text)
    assert "cgroups" in system.refuses()


def test_the_name_of_a_unit_has_no_letter_that_systemd_refuses(system: System) -> None:
    option = system.says().option("p-tä sk:1-setup-2")
    unit, where, most, path = option.split(":", 3)
    assert unit == "callboard-p-t--sk-1-setup-2.scope"
    assert (where, int(most), path) == ("", 14336 << 20, system.says().socket)
