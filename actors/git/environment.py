"""The environment of what belongs to the project: its tests and its `setup`."""

import os

from actors.git.command import LOCAL_VARIABLES
from bus.plan import Plan


def project_env(plan: Plan) -> dict[str, str]:
    """Return the runtime's environment without the keys of the plan's providers, and without
    the variables that point git at another repository."""
    secret = {provider.api_key_env for provider in plan.provider.values()}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in secret and name not in LOCAL_VARIABLES
    }
