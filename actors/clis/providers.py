"""Read the model endpoints that terminals may use, and their keys.

A provider refers to its key and never holds it. `api_key_env` names a variable of the user's
environment. `api_key_from = "cc-switch:APP/ID"` refers to cc-switch's own database, where the key
stays. Keys are read at launch. They are kept only in the program's environment, or in a file of its
config home with mode 0600 if the program needs that.

The user's providers are in `~/.config/callboard/providers.toml`, one table each:

    [glm]
    base_url = "https://…"
    model = "glm-4.6"
    api_key_env = "GLM_API_KEY"
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from actors.clis import cc_switch
from actors.clis.edit import Document, replace_file
from bus import toml
from bus.converting import converter

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
_VISIBLE: Final = re.compile(r"[^\s\x00-\x20\x7f]+")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class ProviderError(Exception):
    """A provider is not valid. `path` is the key (`glm.base_url`), `rule` the rule it breaks."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path}: {rule}")
        self.path = path
        self.rule = rule


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model endpoint.

    `base_url` is written as the CLI's documentation writes it. If it is empty, the CLI keeps its
    own endpoint and login, and only the `model` is set. `models` are further ones that an agent may
    ask for. With `gateway` the key stays in the model gateway; without a word it does so where
    there are a key and an address. Prices are for a million tokens, in any
    currency; `price_cached` is `price_input` unless it is given.
    """

    name: str
    base_url: str = ""
    model: str = ""
    api_key_env: str = ""
    api_key_from: str = ""
    models: tuple[str, ...] = ()
    gateway: bool | None = None
    price_input: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    price_output: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    price_cached: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None

    @property
    def has_key(self) -> bool:
        """Whether it names a key."""
        return bool(self.api_key_env or self.api_key_from)

    @property
    def behind_gateway(self) -> bool:
        """Whether agents ask it through the model gateway, and never see its key."""
        could = bool(self.base_url) and self.has_key
        return could if self.gateway is None else self.gateway

    @property
    def all_models(self) -> tuple[str, ...]:
        """The models that agents may ask for through the gateway; none means any."""
        return tuple(dict.fromkeys(filter(None, (self.model, *self.models))))

    @property
    def base_url_v1(self) -> str:
        """The address with `/v1` added if it has no path (OpenAI's convention)."""
        return self._bare + ("" if urlsplit(self._bare).path else "/v1")

    @property
    def base_url_root(self) -> str:
        """The address without `/v1` at its end (Anthropic's convention)."""
        return self._bare.removesuffix("/v1")

    @property
    def _bare(self) -> str:
        return self.base_url.rstrip("/")


_convert = converter(Provider)


def load_providers(path: Path) -> dict[str, Provider]:
    """Return the providers of a TOML file by name; none if the file does not exist.

    Raise `ProviderError` with the key's path and the rule if one is not valid.
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
    """Make a provider from its table. Raise `ProviderError` if it is not valid."""
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


def _parts(address: str) -> SplitResult | None:
    """Return the parts of a web address; None if it is none."""
    try:
        parts = urlsplit(address)
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets that do not match, or a port that is no port
        return None
    return parts if is_one and _VISIBLE.fullmatch(address) else None


def _check(made: Provider) -> None:
    name = made.name
    if made.base_url:
        parts = _parts(made.base_url)
        if parts is None:
            raise ProviderError(f"{name}.base_url", "must be an http:// or https:// address")
        if parts.username or parts.password:
            raise ProviderError(f"{name}.base_url", "must not hold a password")
    if made.api_key_env and not _VARIABLE.match(made.api_key_env):
        raise ProviderError(f"{name}.api_key_env", "must be the name of a variable, not a key")
    if made.api_key_from and not made.api_key_from.startswith(cc_switch.PREFIX):
        raise ProviderError(f"{name}.api_key_from", "must be `cc-switch:APP/ID`")
    if made.gateway and not (made.base_url and made.has_key):
        rule = "needs `base_url` and `api_key_env`: a login of the CLI goes to its own address"
        raise ProviderError(f"{name}.gateway", rule)
    if made.api_key_env and made.api_key_from:
        raise ProviderError(f"{name}.api_key_from", "give this or api_key_env, not both")


def key_of(made: Provider, env: Mapping[str, str], database: Path | None = None) -> str | None:
    """Read the provider's key; return None if the provider names none.

    Raise `ProviderError` if the named key is missing. No message holds the key.
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
    """Return cc-switch's providers by name (`APP-NAME`), without their keys.

    Nothing is written. Raise `cc_switch.CcSwitchError` if cc-switch's data cannot be read.
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
    """Add the providers with new names to a providers file; return the names added.

    The file keeps its comments and its order. It has mode 0600 and holds no keys.
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
