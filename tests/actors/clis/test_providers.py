"""Providers name their keys and never hold them; cc-switch's stay in cc-switch."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from actors.clis.cc_switch import CcSwitchError, key_from
from actors.clis.providers import (
    Provider,
    ProviderError,
    add_providers,
    import_cc_switch,
    key_of,
    load_providers,
    provider,
)

CODEX = 'model_provider = "x"\nmodel = "gpt"\n[model_providers.x]\nbase_url = "https://x/v1"\n'
ROWS: list[tuple[str, str, str, dict[str, Any], int]] = [
    (
        "1",
        "claude",
        "GLM 4.6",
        {
            "env": {
                "ANTHROPIC_BASE_URL": "https://glm",
                "ANTHROPIC_AUTH_TOKEN": "sk-glm",
                "ANTHROPIC_MODEL": "glm-4.6",
            }
        },
        1,
    ),
    ("official", "claude", "Claude Official", {"env": {}}, 0),
    ("2", "codex", "X", {"auth": {"OPENAI_API_KEY": "sk-x"}, "config": CODEX}, 1),
    (
        "3",
        "gemini",
        "智谱",
        {"env": {"GOOGLE_GEMINI_BASE_URL": "https://g", "GEMINI_API_KEY": "sk-g"}},
        0,
    ),
    (
        "4",
        "opencode",
        "O",
        {"options": {"baseURL": "https://o", "apiKey": "sk-o"}, "models": {"m1": {}}},
        0,
    ),
    ("5", "grokbuild", "Grok", {"config": ""}, 0),
]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database as cc-switch 3.8 and later keeps it."""
    path = tmp_path / "cc-switch.db"
    made = sqlite3.connect(path)
    made.execute(
        "CREATE TABLE providers (id TEXT NOT NULL, app_type TEXT NOT NULL, name TEXT NOT NULL,"
        " settings_config TEXT NOT NULL, sort_index INTEGER,"
        " is_current BOOLEAN NOT NULL DEFAULT 0, PRIMARY KEY (id, app_type))"
    )
    made.executemany(
        "INSERT INTO providers (id, app_type, name, settings_config, is_current)"
        " VALUES (?, ?, ?, ?, ?)",
        [(i, app, name, json.dumps(settings), now) for i, app, name, settings, now in ROWS],
    )
    made.commit()
    made.close()
    return path


def test_a_database_is_imported_with_its_keys_left_where_they_are(database: Path) -> None:
    before = database.read_bytes()
    found = import_cc_switch(database)
    assert found == {
        "claude-glm-4-6": Provider(
            "claude-glm-4-6", "https://glm", "glm-4.6", api_key_from="cc-switch:claude/1"
        ),
        "codex-x": Provider("codex-x", "https://x/v1", "gpt", api_key_from="cc-switch:codex/2"),
        "gemini-3": Provider("gemini-3", "https://g", "", api_key_from="cc-switch:gemini/3"),
        "opencode-o": Provider(
            "opencode-o", "https://o", "m1", api_key_from="cc-switch:opencode/4"
        ),
    }
    assert "sk-" not in repr(found)
    assert database.read_bytes() == before
    keys = [key_of(item, {}, database) for item in found.values()]
    assert keys == ["sk-glm", "sk-x", "sk-g", "sk-o"]


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_config_json_is_imported_too(tmp_path: Path, version: int) -> None:
    settings = ROWS[0][3]
    manager = {"providers": {"1": {"id": "1", "name": "GLM", "settingsConfig": settings}}}
    root = {"version": 2, "claude": manager} if version == 2 else manager
    (tmp_path / "config.json").write_text(json.dumps(root))
    found = import_cc_switch(tmp_path)
    assert list(found) == ["claude-glm"]
    assert key_of(found["claude-glm"], {}, tmp_path) == "sk-glm"


def test_a_key_that_is_gone_and_a_database_that_is_none_are_errors(
    tmp_path: Path, database: Path
) -> None:
    with pytest.raises(CcSwitchError, match="cc-switch:claude/9"):
        key_from("cc-switch:claude/9", database)
    with pytest.raises(CcSwitchError, match="is not there"):
        import_cc_switch(tmp_path / "absent.db")
    (tmp_path / "text.db").write_text("not a database, only text")
    with pytest.raises(CcSwitchError, match="not a cc-switch database"):
        import_cc_switch(tmp_path / "text.db")


def test_imported_providers_are_added_to_a_file_that_keeps_its_own(
    tmp_path: Path, database: Path
) -> None:
    path = tmp_path / "callboard/providers.toml"
    path.parent.mkdir()
    path.write_text('# mine\n[codex-x]\nbase_url = "https://mine"\n')
    added = add_providers(path, import_cc_switch(database))
    assert added == ["claude-glm-4-6", "gemini-3", "opencode-o"]
    text = path.read_text()
    assert text.startswith("# mine\n")
    assert "sk-" not in text
    loaded = load_providers(path)
    assert loaded["codex-x"].base_url == "https://mine"
    assert loaded["claude-glm-4-6"] == import_cc_switch(database)["claude-glm-4-6"]
    assert add_providers(path, import_cc_switch(database)) == []


def test_a_missing_file_is_no_providers(tmp_path: Path) -> None:
    assert load_providers(tmp_path / "absent.toml") == {}


@pytest.mark.parametrize(
    ("table", "path", "rule"),
    [
        ({"url": "x"}, "glm.url", "unknown key"),
        ({"api_key": "sk-secret"}, "glm.api_key", "unknown key"),
        ({"base_url": 3}, "glm.base_url", "expected `str`"),
        ({"base_url": "ftp://x"}, "glm.base_url", "http:// or https://"),
        ({"base_url": "https://me:pw@x"}, "glm.base_url", "password"),
        ({"api_key_env": "sk-secret-value"}, "glm.api_key_env", "the name of a variable"),
        ({"api_key_from": "elsewhere"}, "glm.api_key_from", "cc-switch:APP/ID"),
        (
            {"api_key_env": "A", "api_key_from": "cc-switch:claude/1"},
            "glm.api_key_from",
            "not both",
        ),
        ("x", "glm", "must be a table"),
    ],
)
def test_what_is_wrong_is_refused_without_showing_a_key(
    table: object, path: str, rule: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        provider("glm", table)
    assert caught.value.path == path
    assert rule in caught.value.rule
    assert "sk-secret" not in str(caught.value)


def test_a_key_comes_from_its_variable_or_is_missed_by_name() -> None:
    made = provider("glm", {"api_key_env": "GLM_KEY"})
    assert key_of(made, {"GLM_KEY": "sk-1"}) == "sk-1"
    with pytest.raises(ProviderError, match="GLM_KEY is not set"):
        key_of(made, {"GLM_KEY": ""})
    assert key_of(provider("plain", {}), {}) is None


@pytest.mark.parametrize(
    ("given", "root", "v1"),
    [
        ("https://h", "https://h", "https://h/v1"),
        ("https://h/", "https://h", "https://h/v1"),
        ("https://h/v1", "https://h", "https://h/v1"),
        ("https://h/api/paas/v4", "https://h/api/paas/v4", "https://h/api/paas/v4"),
    ],
)
def test_each_cli_gets_the_address_its_own_way(given: str, root: str, v1: str) -> None:
    made = provider("p", {"base_url": given})
    assert (made.base_url_root, made.base_url_v1) == (root, v1)
