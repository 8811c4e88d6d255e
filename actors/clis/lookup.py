"""Find the profile or the provider that a plan names: the plan's own, else the user's."""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from actors.clis.profile import Profile, ProfileError, load
from actors.clis.providers import (
    Provider,
    ProviderError,
    add_providers,
    import_cc_switch,
    key_of,
    load_providers,
    provider,
)
from bus.environment import PROVIDERS
from bus.plan import HelperPlan, Plan, TerminalPlan
from bus.user import NoHomeDirectory, config_path

PROFILES = "profiles.toml"
"""The user's file of profiles, in the directory of `bus.user.config_path`."""


def profiles(of_plan: Mapping[str, dict[str, Any]] | None = None) -> Mapping[str, Profile]:
    """Return all profiles by name: built-in, the user's and the plan's.

    Calls with the same plan and an unchanged file share the result. Raise `ProfileError` if one
    is not valid.
    """
    path = config_path(PROFILES)
    try:
        found = path.stat() if path is not None else None
    except OSError:
        found = None
    version = (found.st_ino, found.st_mtime_ns, found.st_size) if found is not None else None
    return _profiles(path, version, msgspec.json.encode(of_plan or {}))


@lru_cache(maxsize=16)
def _profiles(
    path: Path | None, _version: tuple[int, int, int] | None, of_plan: bytes
) -> Mapping[str, Profile]:
    tables = msgspec.json.decode(of_plan)
    for name, table in tables.items():
        if "starters" in table:
            raise ProfileError(f"cli.{name}.starters", "only the user's own profiles may have this")
    return load(path, tables)


def of_user() -> dict[str, Provider]:
    """Return the user's providers by name.

    Raise `ProviderError`, which names the file and the path of the key, if one is not valid.
    """
    path = config_path(PROVIDERS)
    try:
        return load_providers(path) if path is not None else {}
    except ProviderError as error:
        raise ProviderError(f"{path}: {error.path}", error.rule) from error


def named(plan: Plan, name: str, path: str) -> Provider:
    """Return the provider `name`. Raise `ProviderError` if there is none or it is not valid.

    `path` is the key of the plan that names the provider; the error reports it.
    """
    if name in plan.provider:
        table = msgspec.to_builtins(plan.provider[name])
        try:
            return provider(name, table)
        except ProviderError as error:
            raise ProviderError(f"provider.{error.path}", error.rule) from error
    users = of_user()
    if name not in users:
        known = ", ".join(sorted({*plan.provider, *users})) or "none"
        raise ProviderError(
            path,
            f"no provider {name!r} in the plan or in {config_path(PROVIDERS)}; there are: {known}",
        )
    return users[name]


def asked_for(plan: Plan, asked: TerminalPlan | HelperPlan, path: str) -> Provider | None:
    """Return the provider and model of a terminal of the plan; None for the CLI's own.

    Raise `ProviderError` if the provider is missing or not valid.
    """
    if not asked.provider:
        return Provider(name="", model=asked.model) if asked.model else None
    found = named(plan, asked.provider, path)
    models = (found.model, *found.models) if asked.model else found.models
    return msgspec.structs.replace(found, model=asked.model or found.model, models=models)


def account_of(plan: Plan, asked: TerminalPlan) -> str:
    """Return the name of the account with which a terminal of the plan asks its model."""
    try:
        found = asked_for(plan, asked, "provider")
    except ProviderError:
        found = None
    if found is None or not found.base_url:
        return f"{asked.cli}, its own login"
    return f"{found.name} at {found.base_url}"


def key(made: Provider | None) -> str | None:
    """Return the provider's key, read in this process. Raise `ProviderError` if it is missing."""
    return key_of(made, os.environ) if made is not None else None


def without_key(made: Provider) -> list[str]:
    """Return a warning if the provider's key cannot be read in this process."""
    try:
        key(made)
    except ProviderError as error:
        return [f"provider {error}"]
    return []


def listed(found: Mapping[str, Provider]) -> list[dict[str, Any]]:
    """Return the providers as data to show.

    It never holds a key, only where the key is kept and why it cannot be read.
    """
    return [
        {
            "name": made.name,
            "base_url": made.base_url,
            "model": made.model,
            "key": made.api_key_env or made.api_key_from,
            "gateway": made.behind_gateway,
            "problem": "; ".join(without_key(made)),
        }
        for made in found.values()
    ]


def take_over(source: Path | None) -> dict[str, Any]:
    """Add the providers of cc-switch to the user's. Their keys stay in cc-switch.

    Providers with a name that exists already are not changed. Raise `CcSwitchError` or
    `ProviderError` if a source cannot be read.
    """
    path = config_path(PROVIDERS)
    if path is None:
        raise NoHomeDirectory(PROVIDERS)
    of_user()
    found = import_cc_switch(source)
    added = add_providers(path, found)
    kept = [name for name in found if name not in added]
    return {"file": str(path), "added": added, "kept": kept}
