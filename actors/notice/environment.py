"""The environment of a program that tells a person: that of tests, without any key but its own."""

import os
from collections.abc import Sequence

import msgspec

from actors.git.running.environment import project_env
from bus.plan import Plan


class Keyless(Exception):
    """The key that signs a notice is not in the environment of the runtime."""


def environment(plans: Sequence[Plan], secret: str, id: str) -> dict[str, str]:
    """Return the environment for the notice `id` about workflows of these plans.

    No key of a provider is in it. `secret` is the variable with the key that signs the notice; ""
    if it is not signed. Raise `Keyless` if that key is not there.
    """
    keys = {each.api_key_env for plan in plans for each in plan.provider.values()}
    own = project_env(msgspec.structs.replace(plans[0], test_env=[]))
    env = {name: value for name, value in own.items() if name not in keys}
    if secret:
        if not os.environ.get(secret):
            raise Keyless(f"{secret} is not set in the environment of the runtime")
        env[secret] = os.environ[secret]
    return {**env, "TERM": "dumb", "CALLBOARD_NOTICE": id}
