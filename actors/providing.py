"""Which provider a plan means by a name: its own `[provider.NAME]`, else the user's."""

import os
from pathlib import Path

import msgspec

from actors.clis.providers import Provider, ProviderError, key_of, load_providers, provider
from bus.plan import HelperPlan, Plan, TerminalPlan

USER_PROVIDERS = Path("~/.config/callboard/providers.toml")


def of_user() -> dict[str, Provider]:
    """Raises `ProviderError`, which names the file and the key's path."""
    path = USER_PROVIDERS.expanduser()
    try:
        return load_providers(path)
    except ProviderError as error:
        raise ProviderError(f"{path}: {error.path}", error.rule) from error


def named(plan: Plan, name: str, path: str) -> Provider:
    """The provider `name`, which the plan's key `path` asks for. Raises `ProviderError`."""
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
            path, f"no provider {name!r} in the plan or in {USER_PROVIDERS}; there are: {known}"
        )
    return users[name]


def asked_for(plan: Plan, asked: TerminalPlan | HelperPlan, path: str) -> Provider | None:
    """What a terminal of the plan is to use; None: the CLI's own. Raises `ProviderError`."""
    if not asked.provider:
        return Provider(name="", model=asked.model) if asked.model else None
    found = named(plan, asked.provider, path)
    return msgspec.structs.replace(found, model=asked.model or found.model)


def key(made: Provider | None) -> str | None:
    """Its key, read where the runtime runs. Raises `ProviderError`."""
    return key_of(made, os.environ) if made is not None else None
