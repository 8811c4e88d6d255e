"""The user's `config.toml`: read it, and say which value counts for a plan and why."""

from pathlib import Path
from typing import Any

import msgspec

from actors.plan.text import as_written
from bus import config, toml
from bus.errors import malformed
from bus.plan import Defaults, Plan, TerminalPlan
from bus.results import Setting, Settings
from bus.user import config_path

_FILES = (config.NAME, "profiles.toml", "providers.toml")
_BUILT_IN = "built in"


def of_user() -> dict[str, Any]:
    """Return the user's defaults by key; none if there is no file. Raise `Refused` (422)."""
    path = config_path(config.NAME)
    if path is None or not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise malformed(str(path), f"cannot be read: {error}") from error
    return config.decode(text, str(path))


def settings(home: Path, plan: str | None = None) -> Settings:
    """Return what counts for a terminal of the plan, or of any plan, that says nothing itself.

    `plan` is the text of a plan. Only its `[defaults]` and its own keys are read. Raise `Refused`
    (422) if a file is not valid.
    """
    users, plans = of_user(), _of_plan(plan)
    file = str(config_path(config.NAME) or config.NAME)
    found = []
    for key in config.UserDefaults.__struct_fields__:
        if key in plans:
            value, source = plans[key], "the plan"
        elif key in users:
            value, source = users[key], file
        else:
            value, source = _built_in(key), _BUILT_IN
        found.append(Setting(key, "" if value is None else as_written(value), source))
    return Settings(str(home), {name: _shown(name) for name in _FILES}, found)


def _of_plan(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        raw = toml.loads(text)
    except toml.TomlError as error:
        raise malformed("", f"the plan is not TOML: {error}") from error
    defaults = raw.get("defaults")
    own = {key: value for key, value in raw.items() if key not in Defaults.__struct_fields__}
    return {**own, **(defaults if isinstance(defaults, dict) else {})}


def _built_in(key: str) -> Any:
    """Return the value of a key that neither a plan nor the user gives; None if it has none."""
    kind = TerminalPlan if key in Defaults.__struct_fields__ else Plan
    (field,) = (field for field in msgspec.structs.fields(kind) if field.name == key)
    if key == "sandbox":
        return "worktree, where a CLI was verified in it"
    return None if field.default is msgspec.NODEFAULT else field.default


def _shown(name: str) -> str:
    path = config_path(name)
    if path is None:
        return "no home directory"
    return str(path) + ("" if path.exists() else " (not there)")
