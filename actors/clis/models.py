"""The models of the orchestrator, with their keys, as far as this process has them."""

import os

import msgspec

from actors.clis import lookup
from actors.clis.providers import ProviderError
from bus.plan import Plan

OWN = "orchestrator"
"""The account of the model that `[orchestrator]` itself names."""


class Model(msgspec.Struct, frozen=True):
    """A model that may be asked, with the account that pays for it. `repr` leaves its key out."""

    base_url: str
    model: str
    key: str
    account: str

    def __repr__(self) -> str:
        """Name the model without its key."""
        return f"Model({self.base_url!r}, {self.model!r})"


def of_orchestrator(plan: Plan) -> tuple[list[Model], list[ProviderError]]:
    """Return the models that can be asked, in order, and why others cannot.

    The first is that of `[orchestrator]` itself; the others are its `fallback`.
    """
    asked = plan.orchestrator
    if asked is None:
        return [], []
    models: list[Model] = []
    missing: list[ProviderError] = []
    key = os.environ.get(asked.api_key_env, "") if asked.api_key_env else ""
    if asked.api_key_env and not key:
        rule = f"the variable {asked.api_key_env} is not set in the runtime's environment"
        missing.append(ProviderError("orchestrator.api_key_env", rule))
    else:
        models.append(Model(asked.base_url, asked.model, key, OWN))
    for index, name in enumerate(asked.fallback):
        try:
            found = lookup.named(plan, name, f"orchestrator.fallback[{index}]")
            key = lookup.key(found) or ""
            models.append(Model(found.base_url, found.model or asked.model, key, name))
        except ProviderError as error:
            missing.append(error)
    return models, missing
