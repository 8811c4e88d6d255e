"""Profiles are data: merged in layers, wrong ones refused with the key and the rule."""

from pathlib import Path
from typing import Any

import pytest

from actors.clis.profile import ProfileError, find_version, load, version_is_verified


def test_the_built_in_profiles_are_there() -> None:
    names = {"aider", "claude", "codex", "continue", "custom", "gemini", "opencode", "pi", "qwen"}
    names |= {"cline", "copilot", "kilo"}
    profiles = load()
    assert set(profiles) == names
    for name in names - {"custom"}:
        assert profiles[name].version.verified, name
        assert profiles[name].ready, name


def test_a_plan_wins_over_the_user_who_wins_over_the_built_in(tmp_path: Path) -> None:
    user = tmp_path / "profiles.toml"
    user.write_text('[claude]\nready = "user"\nbusy = "user"\n[claude.env]\nA = "1"\n')
    profile = load(user, {"claude": {"busy": "plan", "env": {"B": "2"}}})["claude"]
    assert (profile.ready, profile.busy) == ("user", "plan")
    assert profile.env["A"] == "1"
    assert profile.env["B"] == "2"
    assert profile.env["DISABLE_AUTOUPDATER"] == "1"


def test_command_and_ready_are_enough_for_ones_own_program() -> None:
    mine = load(None, {"mine": {"command": ["mine", "--model", "{model}"], "ready": "^> "}})["mine"]
    assert mine.command == ("mine", "--model", "{model}")
    assert version_is_verified(mine, None)


def test_a_missing_user_file_is_well(tmp_path: Path) -> None:
    assert load(tmp_path / "absent.toml") == load()


@pytest.mark.parametrize(
    ("table", "path", "rule"),
    [
        ({"redy": "x"}, "cli.mine.redy", "unknown key"),
        ({"submit": {"delay": 3}}, "cli.mine.submit.delay", "unknown key"),
        ({"ready": 3}, "cli.mine.ready", "expected `str`, got `int`"),
        ({"ready": "("}, "cli.mine.ready", "not a regular expression"),
        ({"prompts": [{"name": "a", "pattern": "["}]}, "cli.mine.prompts[0].pattern", "not a reg"),
        ({"prompts": [{"name": "a"}]}, "cli.mine.prompts[0].pattern", "missing"),
        ({"command": []}, "cli.mine.command", "missing"),
        ({"command": "mine"}, "cli.mine.command", "expected `array`"),
        ({"command": ["x", "--key={key}"]}, "cli.mine.command[1]", "never goes on a command line"),
        ({"provider": {"args": ["{key}"]}}, "cli.mine.provider.args[0]", "never goes on"),
        ({"command": ["x", "{modle}"]}, "cli.mine.command[1]", "unknown placeholder {modle}"),
        ({"version": {"pattern": "x"}}, "cli.mine.version.pattern", "must have a group"),
        ({"ready_timeout": 0}, "cli.mine.ready_timeout", "more than 0"),
        ({"submit": {"enter_delay_ms": -1}}, "cli.mine.submit.enter_delay_ms", "0 to 10000"),
        ({"submit": {"bracketed": "no"}}, "cli.mine.submit.bracketed", "invalid enum value"),
        ({"submit": {"file": "Read it"}}, "cli.mine.submit.file", "one line that holds {file}"),
        (
            {"submit": {"file": "{file}", "bracketed": "always"}},
            "cli.mine.submit.file",
            "never used with",
        ),
        ({"name": "x"}, "cli.mine.name", "the table's own name"),
    ],
)
def test_what_is_wrong_is_refused_with_its_path_and_rule(
    table: dict[str, Any], path: str, rule: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        load(None, {"mine": {"command": ["mine"], **table}})
    assert caught.value.path == path
    assert rule in caught.value.rule


def test_a_table_replaced_by_a_value_is_refused() -> None:
    with pytest.raises(ProfileError) as caught:
        load(None, {"claude": {"home": "x"}})
    assert (caught.value.path, caught.value.rule) == ("cli.claude.home", "must be a table")


def test_a_user_file_that_is_not_toml_is_refused_by_name(tmp_path: Path) -> None:
    user = tmp_path / "profiles.toml"
    user.write_text("[claude\n")
    with pytest.raises(ProfileError, match="not TOML"):
        load(user)


@pytest.mark.parametrize(
    ("name", "output", "version"),
    [
        ("claude", "2.1.197 (Claude Code)\n", "2.1.197"),
        ("codex", "codex-cli 0.169.0\n", "0.169.0"),
        ("gemini", "0.61.0\n", "0.61.0"),
        ("qwen", "0.15.10\n", "0.15.10"),
        ("opencode", "1.18.33\n", "1.18.33"),
        ("aider", "aider 0.86.2\n", "0.86.2"),
    ],
)
def test_the_version_is_found_and_known(name: str, output: str, version: str) -> None:
    profile = load()[name]
    assert find_version(profile, output) == version
    assert version_is_verified(profile, version)
    assert not version_is_verified(profile, "99.0.0")
    assert not version_is_verified(profile, None)


def test_another_command_is_another_program_to_the_sandbox() -> None:
    changed = {"command": ["./mine"]}
    assert load()["claude"].in_sandbox
    assert load(None, {"claude": {"ready": "x"}})["claude"].in_sandbox
    assert not load(None, {"claude": changed})["claude"].in_sandbox
    assert load(None, {"claude": {**changed, "in_sandbox": True}})["claude"].in_sandbox
