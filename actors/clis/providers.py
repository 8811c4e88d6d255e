"""Model endpoints a terminal may use, and where their keys come from.

A provider names its key, it never holds it: `api_key_env` is a variable of the user's
environment; `api_key_from = "cc-switch:APP/ID"` points into cc-switch's own database, where the
key stays. Keys are read at launch and live in the program's environment only (or in a 0600 file
of its config home where the program cannot do otherwise).

The user's providers are in `~/.config/callboard/providers.toml`, one table each:

    [glm]
    base_url = "https://…"
    model = "glm-4.6"
    api_key_env = "GLM_API_KEY"
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from actors.clis import cc_switch
from actors.clis.edit import Document, replace_file
from bus import toml
from bus.converting import converter

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class ProviderError(Exception):
    """A provider that cannot be used: `path` is the key (`glm.base_url`), `rule` what it broke."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path}: {rule}")
        self.path = path
        self.rule = rule


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One endpoint.

    `base_url` as the CLI's makers write it; empty leaves the CLI's own endpoint and login and only
    sets the `model`.
    """

    name: str
    base_url: str = ""
    model: str = ""
    api_key_env: str = ""
    api_key_from: str = ""

    @property
    def base_url_v1(self) -> str:
        """With `/v1` where the address has no path of its own (OpenAI's way)."""
        return self._bare + ("" if urlsplit(self._bare).path else "/v1")

    @property
    def base_url_root(self) -> str:
        """Without `/v1` at its end (Anthropic's way)."""
        return self._bare.removesuffix("/v1")

    @property
    def _bare(self) -> str:
        return self.base_url.rstrip("/")


_convert = converter(Provider)


def load_providers(path: Path) -> dict[str, Provider]:
    """The providers of a TOML file, by name; none where it does not exist.

    Raises `ProviderError` with the key's path and the rule.
    """
    if not path.exists():
        return {}
    try:
        tables = toml.loads(path.read_text(encoding="utf-8"))
    except (toml.TomlError, UnicodeDecodeError) as error:
        raise ProviderError(str(path), f"is not TOML: {error}") from error
    except OSError as error:
        raise ProviderError(str(path), f"cannot be read: {error.strerror}") from error
    return {name: provider(name, table) for name, table in tables.items()}


def provider(name: str, table: object) -> Provider:
    """A checked provider from its table. Raises `ProviderError`."""
    if not _NAME.match(name):
        raise ProviderError(name, "a name is letters, digits, `.`, `_` and `-`")
    if not isinstance(table, Mapping):
        raise ProviderError(name, "must be a table")
    if "name" in table:
        raise ProviderError(f"{name}.name", "is the table's own name, not a key")
    try:
        made = _convert({**table, "name": name})
    except msgspec.ValidationError as error:
        rule, _, at = str(error).partition(" - at `$")
        unknown = re.match(r"Object contains unknown field `(.*)`", rule)
        if unknown:
            raise ProviderError(f"{name}.{unknown[1]}", "unknown key") from error
        raise ProviderError(name + at.rstrip("`"), rule[:1].lower() + rule[1:]) from error
    _check(made)
    return made


def _check(made: Provider) -> None:
    name = made.name
    if made.base_url:
        parts = urlsplit(made.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ProviderError(f"{name}.base_url", "must be an http:// or https:// address")
        if parts.username or parts.password:
            raise ProviderError(f"{name}.base_url", "must not hold a password")
    if made.api_key_env and not _VARIABLE.match(made.api_key_env):
        raise ProviderError(f"{name}.api_key_env", "must be the name of a variable, not a key")
    if made.api_key_from and not made.api_key_from.startswith(cc_switch.PREFIX):
        raise ProviderError(f"{name}.api_key_from", "must be `cc-switch:APP/ID`")
    if made.api_key_env and made.api_key_from:
        raise ProviderError(f"{name}.api_key_from", "give this or api_key_env, not both")


def key_of(made: Provider, env: Mapping[str, str], database: Path | None = None) -> str | None:
    """The key, read now from where it lives; None where the provider names none.

    Raises `ProviderError` where what it names is not there. The key is in no message.
    """
    if made.api_key_env:
        value = env.get(made.api_key_env, "")
        if not value:
            raise ProviderError(
                f"{made.name}.api_key_env", f"the variable {made.api_key_env} is not set"
            )
        return value
    if made.api_key_from:
        try:
            return cc_switch.key_from(made.api_key_from, database)
        except cc_switch.CcSwitchError as error:
            raise ProviderError(f"{made.name}.api_key_from", str(error)) from error
    return None


def import_cc_switch(path: Path | None = None) -> dict[str, Provider]:
    """cc-switch's providers by name (`APP-NAME`), their keys left where they are.

    Read-only. Raises `cc_switch.CcSwitchError`.
    """
    found: dict[str, Provider] = {}
    for entry in cc_switch.read_entries(path):
        name = f"{entry.app}-{cc_switch.slug(entry.name) or cc_switch.slug(entry.id) or 'provider'}"
        if name in found:
            name = f"{name}-{sum(other.startswith(name) for other in found) + 1}"
        table = {"base_url": entry.base_url, "model": entry.model, "api_key_from": entry.reference}
        found[name] = provider(name, {key: value for key, value in table.items() if value})
    return found


def add_providers(path: Path, providers: Mapping[str, Provider]) -> list[str]:
    """Add those whose names are new to a providers file, which keeps its comments and order.

    Returns the names added. The file is 0600; it holds no keys.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    document = Document(text, "toml")
    added = [name for name in providers if name not in document.root]
    for name in added:
        for key, value in msgspec.to_builtins(providers[name]).items():
            if value and key != "name":
                document.set((name, key), value)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, document.dump().encode(), 0o600)
    return added
