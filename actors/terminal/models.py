"""A program whose provider is behind the model gateway gets the gateway's address and a token."""

from urllib.parse import urlsplit

import msgspec

from actors.clis.providers import Provider
from actors.models.keeper import Wanted
from actors.models.said import COUNTED, Used, read_used, token_of
from actors.platform.disk import write_durably
from actors.terminal.errors import LaunchRefused
from actors.terminal.port import Port
from bus import address as addresses

START_SECONDS = 20.0
"""How long a launch waits for the gateway's process."""


def put_behind(port: Port, provider: Provider) -> tuple[Provider, str]:
    """Return the provider as the program sees it, and the token in place of its key.

    Start the gateway if it does not run. Raise `LaunchRefused` if it does not start.
    """
    stage = port.stage
    stage.models.forget_trouble()
    stage.timers.notify(addresses.MODELS, Wanted())
    try:
        at = stage.models.wait(START_SECONDS)
    except OSError as error:
        raise LaunchRefused(
            f"the model gateway: {error}; with `gateway = false` the provider {provider.name} "
            "goes on without it, and its agents get the key"
        ) from error
    if read_used(port.directory) is None:  # a launch may be repeated
        port.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(port.directory / COUNTED, msgspec.json.encode(Used()))
    path = urlsplit(provider.base_url).path
    seen = msgspec.structs.replace(provider, base_url=f"http://127.0.0.1:{at}{path}")
    return seen, token_of(port.row.token)


def not_by_proxy(env: dict[str, str]) -> dict[str, str]:
    """Return the environment of a program that reaches the gateway directly, past any proxy."""
    own = {}
    for name in ("NO_PROXY", "no_proxy"):
        others = [each for each in env.get(name, "").split(",") if each]
        own[name] = ",".join([*others, "127.0.0.1"])
    return env | own
