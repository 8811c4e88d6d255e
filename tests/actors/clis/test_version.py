"""A program is asked for its version once for each file it is."""

import os
from pathlib import Path

import pytest

from actors.clis.profile import Profile, Version
from actors.clis.version import installed, unverified

PROFILE = Profile(name="mine", command=("mine",), version=Version(verified=("1.2.3",)))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "bin/mine"
    path.parent.mkdir()
    write(path, "1.2.3")
    return path


def write(path: Path, version: str) -> None:
    path.write_text(f"#!/bin/sh\necho asked >> {path}.log\necho v {version}\n")
    path.chmod(0o755)


def env(program: Path) -> dict[str, str]:
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


def asked(program: Path) -> int:
    return len(Path(f"{program}.log").read_text().splitlines())


def test_it_is_asked_once_and_again_when_the_file_changes(program: Path, tmp_path: Path) -> None:
    cache = tmp_path / "versions.json"
    assert [installed(PROFILE, env(program), cache) for _ in range(3)] == ["1.2.3"] * 3
    assert asked(program) == 1
    assert cache.stat().st_mode & 0o777 == 0o600
    write(program, "1.2.40")
    assert installed(PROFILE, env(program), cache) == "1.2.40"
    assert asked(program) == 2
    assert len(cache.read_text().split("mine ")) == 2, "the old entry is forgotten"


def test_only_a_listed_version_is_verified(program: Path, tmp_path: Path) -> None:
    cache = tmp_path / "versions.json"
    assert unverified(PROFILE, env(program), cache) is None
    write(program, "2.0.0")
    assert unverified(PROFILE, env(program), cache) == "2.0.0"
    write(program, "")
    assert unverified(PROFILE, env(program), cache) == ""
    program.unlink()
    assert unverified(PROFILE, env(program), cache) == ""


def test_a_profile_that_lists_none_is_its_user_s_own_word(program: Path, tmp_path: Path) -> None:
    mine = Profile(name="mine", command=("mine",))
    assert unverified(mine, env(program), tmp_path / "versions.json") is None
    assert not Path(f"{program}.log").exists()


def test_a_torn_cache_is_no_error(program: Path, tmp_path: Path) -> None:
    cache = tmp_path / "versions.json"
    cache.write_text('{"x": ')
    assert installed(PROFILE, env(program), cache) == "1.2.3"
