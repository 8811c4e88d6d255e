"""The user's configuration file, `config.toml`: what holds for every plan that says nothing else.

Its one table is `[defaults]`. It holds the keys of a plan's `[defaults]`, and `max_terminals` and
`notify`.
"""

from typing import Any

import msgspec

from bus import toml
from bus.converting import converter
from bus.errors import malformed
from bus.notify import Notify, faults
from bus.plan import Count, Defaults, refused
from bus.plan_problems import Problem, Shape, collect

NAME = "config.toml"


class UserDefaults(Defaults):
    """The values for each key that a plan does not give."""

    max_terminals: Count | None = None
    notify: Notify | None = None


class Config(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    defaults: UserDefaults = msgspec.field(default_factory=UserDefaults)


_SHAPE: Shape[Config] = Shape(
    converter(Config),
    {(): Config, ("defaults",): UserDefaults, ("defaults", "notify"): Notify},
    {},
)


def decode(text: str, file: str) -> dict[str, Any]:
    """Return the defaults that the text of `file` sets, by key.

    Raise `Refused` (422) with the file, the key's path and the rule.
    """
    try:
        raw = toml.loads(text)
    except toml.TomlError as error:
        raise malformed(file, f"is not TOML: {error}") from error
    config, found = collect(raw, _SHAPE)
    if config is not None:
        of_notify = faults(config.defaults.notify)
        found += [Problem(("defaults", "notify", key), rule) for key, rule in of_notify]
    if config is None or found:
        refusal = refused(found, text)
        refusal.body.path = f"{file}: {refusal.body.path}"
        raise refusal
    given: dict[str, Any] = msgspec.to_builtins(config.defaults)
    return given
