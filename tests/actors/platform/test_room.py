"""What is free is read as the system says it, and unknown is unknown."""

from pathlib import Path

import pytest

from actors.platform import room

MIB = 1 << 20


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "pressure").mkdir()
    (proc / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 4096000 kB\n")
    (proc / "self" / "cgroup").write_text("0::/a/b\n")
    return proc


def cgroup(place: Path, most: str, used: int, files: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / "memory.max").write_text(f"{most}\n")
    (place / "memory.current").write_text(f"{used * MIB}\n")
    (place / "memory.stat").write_text(f"anon 5\ninactive_file {files * MIB}\n")


def test_the_nearest_limit_counts(proc: Path, tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    assert room.free_memory(proc, groups) == 4000
    cgroup(groups / "a" / "b", "max", 10, 0)
    assert room.free_memory(proc, groups) == 4000
    cgroup(groups / "a", str(3000 * MIB), 2000, 500)
    assert room.free_memory(proc, groups) == 1500
    cgroup(groups / "a" / "b", str(MIB), 100, 0)
    assert room.free_memory(proc, groups) == 0


def test_all_that_the_machine_has(proc: Path) -> None:
    assert room.whole_memory(proc) == 8789


def test_unknown_is_none(tmp_path: Path) -> None:
    assert room.free_memory(tmp_path, tmp_path) is None
    assert room.whole_memory(tmp_path) is None
    assert room.memory_pressure(tmp_path) is None
    assert room.disk(tmp_path / "nowhere") is None


def test_pressure_is_that_of_all_programs(proc: Path) -> None:
    (proc / "pressure" / "memory").write_text(
        "some avg10=50.00 avg60=1.00 avg300=0.00 total=1\n"
        "full avg10=12.50 avg60=1.00 avg300=0.00 total=1\n"
    )
    assert room.memory_pressure(proc) == 12.5


def test_this_machine_says_what_it_has(tmp_path: Path) -> None:
    assert (room.disk(tmp_path) or (0, 0))[1] > 0
