"""Read the providers of an existing cc-switch installation.

cc-switch keeps them in `~/.cc-switch/cc-switch.db` (SQLite, table `providers`: `id`, `app_type`,
`name`, `settings_config` as JSON). Before version 3.8 it kept them in `~/.cc-switch/config.json`.
This module only reads these files. It copies no key: an imported provider refers to its key as
`cc-switch:APP/ID`, and `key_from` reads the key at launch.
"""

import json
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from bus import toml
from bus.user import expanded

DEFAULT: Final = Path("~/.cc-switch")
PREFIX: Final = "cc-switch:"
APPS: Final = ("claude", "codex", "gemini", "opencode")


class CcSwitchError(Exception):
    """The data of cc-switch is missing or malformed. The message holds no key."""


class Entry(msgspec.Struct, frozen=True):
    """One provider of cc-switch.

    `reference` is the argument for `key_from`. It is empty if the provider has no key and uses the
    CLI's own login. `is_current` is true for the provider that cc-switch has switched on for `app`.
    """

    app: str
    id: str
    name: str
    base_url: str
    model: str
    reference: str
    is_current: bool


def read_entries(path: Path | None = None) -> list[Entry]:
    """Return the providers that have an address and belong to one of `APPS`.

    `path` is a database, a `config.json`, or the directory that holds one of them. Raise
    `CcSwitchError` if it cannot be read.
    """
    entries = []
    for app, ident, name, settings, is_current in _rows(_found(path)):
        base_url, model, key = _facts(app, settings)
        if base_url:
            reference = f"{PREFIX}{app}/{ident}" if key else ""
            entries.append(Entry(app, ident, name, base_url, model, reference, is_current))
    return entries


def key_from(reference: str, path: Path | None = None) -> str:
    """Read the key that a reference points to. Raise `CcSwitchError` if there is none."""
    app, _, ident = reference.removeprefix(PREFIX).partition("/")
    for row_app, row_id, _, settings, _ in _rows(_found(path)):
        if (row_app, row_id) == (app, ident):
            key = _facts(app, settings)[2]
            if key:
                return key
    raise CcSwitchError(f"cc-switch has no provider with a key for {reference}")


Row = tuple[str, str, str, dict[str, Any], bool]


def _found(path: Path | None) -> Path:
    path = expanded(path or DEFAULT)
    if path.is_dir():
        inside = [path / "cc-switch.db", path / "config.json"]
        path = next((file for file in inside if file.is_file()), inside[0])
    if not path.is_file():
        raise CcSwitchError(f"{path} is not there")
    return path


def _rows(path: Path) -> list[Row]:
    rows = _json_rows(path) if path.suffix == ".json" else _sqlite_rows(path)
    return [row for row in rows if row[0] in APPS]


def _sqlite_rows(path: Path) -> list[Row]:
    try:
        database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        try:
            found = database.execute(
                "SELECT app_type, id, name, settings_config, is_current FROM providers"
                " ORDER BY app_type, sort_index, name"
            ).fetchall()
        finally:
            database.close()
    except sqlite3.Error as error:
        raise CcSwitchError(f"{path} is not a cc-switch database: {error}") from error
    return [
        (app, _shown(ident), _shown(name), _object(path, text), bool(now))
        for app, ident, name, text, now in found
    ]


def _json_rows(path: Path) -> list[Row]:
    """Return the rows of a `config.json`.

    Version 2 of the format has one manager for each app. Version 1 has only that of Claude, at the
    top level.
    """
    root = _object(path, path.read_text(encoding="utf-8", errors="replace"))
    managers = {"claude": root} if "providers" in root else root
    rows: list[Row] = []
    for app, manager in managers.items():
        if not isinstance(manager, Mapping) or not isinstance(manager.get("providers"), Mapping):
            continue
        for ident, item in manager["providers"].items():
            settings = item.get("settingsConfig") if isinstance(item, Mapping) else None
            if isinstance(settings, dict):
                name, now = _shown(item.get("name", ident)), manager.get("current") == ident
                rows.append((app, _shown(ident), name, settings, now))
    return rows


def _shown(value: object) -> str:
    """Return a value as text that can be stored and sent: SQLite keeps any type in any column."""
    return str(value).encode("utf-8", "replace").decode()


def _object(path: Path, text: object) -> dict[str, Any]:
    if not isinstance(text, str):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CcSwitchError(f"{path} holds something that is not JSON") from error
    return value if isinstance(value, dict) else {}


def _facts(app: str, settings: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return `(base_url, model, key)` of an app's settings. A missing value is `""`."""
    env = _table(settings, "env")
    if app == "claude":
        key = _text(env, "ANTHROPIC_AUTH_TOKEN") or _text(env, "ANTHROPIC_API_KEY")
        return _text(env, "ANTHROPIC_BASE_URL"), _text(env, "ANTHROPIC_MODEL"), key
    if app == "gemini":
        key = _text(env, "GEMINI_API_KEY") or _text(env, "GOOGLE_API_KEY")
        return _text(env, "GOOGLE_GEMINI_BASE_URL"), _text(env, "GEMINI_MODEL"), key
    if app == "opencode":
        options = _table(settings, "options")
        model = next(iter(_table(settings, "models")), "")
        key = _text(options, "apiKey")
        return _text(options, "baseURL"), _shown(model), "" if key.startswith("{") else key
    return _codex_facts(settings)


def _codex_facts(settings: Mapping[str, Any]) -> tuple[str, str, str]:
    try:
        config: dict[str, Any] = toml.loads(_text(settings, "config"))
    except toml.TomlError:
        return "", "", ""
    chosen = _table(_table(config, "model_providers"), _text(config, "model_provider"))
    key = _text(_table(settings, "auth"), "OPENAI_API_KEY")
    key = key or _text(chosen, "experimental_bearer_token")
    return _text(chosen, "base_url") or _text(config, "base_url"), _text(config, "model"), key


def _table(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, Mapping) else {}


def _text(value: Mapping[str, Any], key: str) -> str:
    text = value.get(key)
    return _shown(text).strip() if isinstance(text, str) else ""


def slug(text: str) -> str:
    """Make a provider's name from a title: lower-case letters, digits and `-`. It may be empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
