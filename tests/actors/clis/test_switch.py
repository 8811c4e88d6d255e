"""The global switch changes the user's files and puts them back, whatever happens between."""

import json
import stat
import tomllib
from pathlib import Path

import pytest

from actors.clis import switch as switch_module
from actors.clis.edit import replace_file
from actors.clis.placeholders import LaunchError, placeholders
from actors.clis.profile import load
from actors.clis.providers import Provider
from actors.clis.switch import Switched, restore_pending, switch_off, switch_on

PROFILES = load()
PROVIDER = Provider("glm", base_url="https://glm.example", model="glm-4.6", api_key_env="K")
BEFORE = '# mine\nmodel = "gpt"  # good\nprofile = "work"\n\n[mcp_servers.db]\ncommand = "x"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "user/.codex/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(BEFORE)
    path.chmod(0o640)
    return path


def switched(tmp_path: Path, name: str = "codex") -> Switched:
    known = placeholders(PROVIDER, "sk-secret", tmp_path, tmp_path / "wt", tmp_path / "repo")
    env = {"HOME": str(tmp_path / "user")}
    return switch_on(PROFILES[name], PROVIDER, known, env, tmp_path / "journal")


def test_only_the_providers_keys_change_and_the_mode_stays(tmp_path: Path, config: Path) -> None:
    """Hazard 41."""
    on = switched(tmp_path)
    text = config.read_text()
    now = tomllib.loads(text)
    assert on.files == [config]
    assert "# mine" in text
    assert now["model"] == "glm-4.6"
    assert now["model_providers"]["callboard"]["base_url"] == "https://glm.example/v1"
    assert now["mcp_servers"] == {"db": {"command": "x"}}
    assert "profile" not in now
    assert "sk-secret" not in text
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert stat.S_IMODE(on.journal.stat().st_mode) == 0o600


def test_switching_off_is_exact_and_may_be_done_twice(tmp_path: Path, config: Path) -> None:
    """Hazard 41."""
    on = switched(tmp_path)
    assert [done.outcome for done in switch_off(on)] == ["restored"]
    assert config.read_text() == BEFORE
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert switch_off(on) == []
    assert list((tmp_path / "journal").iterdir()) == []


def test_after_a_crash_what_is_pending_is_put_back(tmp_path: Path, config: Path) -> None:
    switched(tmp_path)
    assert [done.outcome for done in restore_pending(tmp_path / "journal")] == ["restored"]
    assert config.read_text() == BEFORE
    assert restore_pending(tmp_path / "journal") == []


def test_a_crash_between_journal_and_write_leaves_the_file(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The process ends here."""

    def dies(path: Path, data: bytes, mode: int) -> None:
        if path == config:
            raise Killed
        replace_file(path, data, mode)

    monkeypatch.setattr(switch_module, "replace_file", dies)
    with pytest.raises(Killed):
        switched(tmp_path)
    monkeypatch.undo()
    assert [done.outcome for done in restore_pending(tmp_path / "journal")] == ["untouched"]
    assert config.read_text() == BEFORE


def test_what_others_wrote_meanwhile_stays(tmp_path: Path, config: Path) -> None:
    """Hazard 41."""
    on = switched(tmp_path)
    config.write_text(config.read_text() + '\n[new]\nkey = "theirs"\n')
    assert [done.outcome for done in switch_off(on)] == ["undone"]
    now = tomllib.loads(config.read_text())
    assert now == {**tomllib.loads(BEFORE), "new": {"key": "theirs"}}
    assert "# mine" in config.read_text()


def test_a_key_somebody_changed_again_is_theirs(tmp_path: Path, config: Path) -> None:
    on = switched(tmp_path)
    config.write_text(config.read_text().replace("glm-4.6", "theirs"))
    switch_off(on)
    assert tomllib.loads(config.read_text())["model"] == "theirs"


def test_a_file_that_was_not_there_goes_again(tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    on = switched(tmp_path)
    config = tmp_path / "user/.codex/config.toml"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    switch_off(on)
    assert not config.exists()


def test_nested_switches_come_off_in_any_order_of_crash(tmp_path: Path, config: Path) -> None:
    switched(tmp_path)
    switched(tmp_path)
    restore_pending(tmp_path / "journal")
    assert config.read_text() == BEFORE


def test_a_file_that_became_unreadable_is_left_with_its_backup(
    tmp_path: Path, config: Path
) -> None:
    on = switched(tmp_path)
    config.write_text("[broken")
    assert [done.outcome for done in switch_off(on)] == ["left"]
    assert config.read_text() == "[broken"
    assert [path.suffix for path in (tmp_path / "journal").iterdir()] == [".left"]


def test_a_linked_file_is_changed_where_it_really_is(tmp_path: Path, config: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    config.rename(real)
    config.symlink_to(real)
    on = switched(tmp_path)
    assert config.is_symlink()
    assert "glm-4.6" in real.read_text()
    switch_off(on)
    assert real.read_text() == BEFORE


def test_a_broken_file_is_refused_and_nothing_is_changed(tmp_path: Path, config: Path) -> None:
    config.write_text("[broken")
    with pytest.raises(LaunchError, match="not TOML"):
        switched(tmp_path)
    assert config.read_text() == "[broken"
    assert not (tmp_path / "journal").exists()


def test_claudes_settings_lose_what_would_win_over_the_environment(tmp_path: Path) -> None:
    settings = tmp_path / "user/.claude/settings.json"
    settings.parent.mkdir(parents=True)
    before = json.dumps({"env": {"ANTHROPIC_BASE_URL": "u", "A": "1"}, "model": "opus"})
    settings.write_text(before)
    on = switched(tmp_path, "claude")
    assert json.loads(settings.read_text()) == {"env": {"A": "1"}}
    switch_off(on)
    assert settings.read_text() == before
