"""What a program left in its config home, which its next start renews, is not believed.

Hazards 98, 100.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.clis.home import prepare
from actors.clis.placeholders import LaunchError
from actors.clis.profile import load
from actors.clis.providers import Provider
from actors.clis.usage import MOST_FILES, count

PROFILES = load()
GLM = Provider("glm", base_url="https://glm.example/v1", model="glm", api_key_env="K")
SECRET = {"auths": {"registry.example": {"auth": "c2VjcmV0"}}}
AT = {"opencode": "opencode.json", "qwen": "settings.json", "cline": "settings/providers.json"}


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "user/.docker").mkdir(parents=True)
    (tmp_path / "user/.docker/config.json").write_text(json.dumps(SECRET))
    (tmp_path / "user/.gemini").mkdir(mode=0o755)
    (tmp_path / "user/.gemini/settings.json").write_text('{"theme": "mine"}')
    return {"HOME": str(tmp_path / "user"), "PATH": "/usr/bin:/bin", "USER": "me"}


Again = Callable[[str], Path]


@pytest.fixture
def again(tmp_path: Path, user: dict[str, str]) -> Again:
    (tmp_path / "wt").mkdir()
    (tmp_path / "repo/.git").mkdir(parents=True)

    def again(name: str) -> Path:
        """A start of this CLI; its config home is the same each time."""
        at = tmp_path / "t", user, tmp_path / "wt", tmp_path / "repo"
        return prepare(PROFILES[name], GLM, *at, key="k").home

    return again


@pytest.mark.parametrize("cli", AT)
def test_what_a_link_of_the_program_leads_to_is_not_copied_for_it(
    again: Again, user: dict[str, str], cli: str
) -> None:
    file = again(cli) / AT[cli]
    before = file.read_bytes()
    file.unlink()
    file.symlink_to(Path(user["HOME"], ".docker/config.json"))
    again(cli)
    assert not file.is_symlink()
    assert file.read_bytes() == before


@pytest.mark.parametrize("cli", ["gemini", "cline"])
def test_a_link_in_place_of_a_directory_leads_nobody_to_the_user_s_files(
    again: Again, user: dict[str, str], cli: str
) -> None:
    inner = again(cli) / {"gemini": ".gemini", "cline": "settings"}[cli]
    inner.rename(inner.with_name("moved"))
    inner.symlink_to(Path(user["HOME"], ".gemini"))
    again(cli)
    assert not inner.is_symlink()
    users = Path(user["HOME"], ".gemini")
    assert users.stat().st_mode & 0o777 == 0o755
    assert {each.name: each.read_text() for each in users.iterdir()} == {
        "settings.json": '{"theme": "mine"}'
    }


PLANTS: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a directory": lambda path: (path / "more").mkdir(parents=True),
    "no text": lambda path: path.write_bytes(b"\xff\xfe"),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_no_text_is_written_anew(again: Again, plant: str) -> None:
    file = again("opencode") / "opencode.json"
    before = file.read_bytes()
    file.unlink()
    PLANTS[plant](file)
    again("opencode")
    assert file.read_bytes() == before


def test_a_file_in_place_of_a_directory_or_of_a_link_of_ours_is_no_end(
    again: Again, user: dict[str, str]
) -> None:
    Path(user["HOME"], ".gemini/GEMINI.md").write_text("mine")
    config = again("gemini")
    linked = config / ".gemini/GEMINI.md"
    linked.unlink()
    linked.write_text("the program's own")
    again("gemini")
    assert linked.read_text() == "the program's own"
    (config.with_name("tmp")).rmdir()
    os.mkfifo(config.with_name("tmp"))
    again("gemini")
    assert config.with_name("tmp").is_dir()


def test_the_user_s_file_that_is_no_text_is_an_error_and_not_left_out(
    again: Again, user: dict[str, str]
) -> None:
    Path(user["HOME"], ".gemini/settings.json").write_bytes(b'{"theme": "caf\xe9"}')
    with pytest.raises(LaunchError, match=r"the user's .*settings.json"):
        again("gemini")


def test_of_more_files_than_are_read_no_more_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = 0

    def endless(_self: Path, _pattern: str) -> object:
        nonlocal seen
        while seen < 10 * MOST_FILES:
            seen += 1
            yield tmp_path / str(seen)

    monkeypatch.setattr(Path, "glob", endless)
    assert count(PROFILES["claude"], tmp_path) is None
    assert seen <= MOST_FILES + 1
