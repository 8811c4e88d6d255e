"""The plan's `[orchestrator]` held against this machine."""

from actors.clis import lookup
from actors.clis.models import of_orchestrator
from actors.clis.providers import ProviderError
from bus.errors import malformed
from bus.model_address import fault
from bus.plan import Plan


def check_orchestrator(plan: Plan) -> None:
    """Raise `Refused` if `fallback` names a provider that is unknown or must not be asked."""
    for index, name in enumerate(plan.orchestrator.fallback if plan.orchestrator else ()):
        path = f"orchestrator.fallback[{index}]"
        try:
            found = lookup.named(plan, name, path)
        except ProviderError as error:
            raise malformed(error.path, error.rule) from error
        if not found.base_url:
            raise malformed(path, f"the provider {name!r} has no address of its own")
        if reason := fault(found.base_url):
            raise malformed(path, f"the base_url of the provider {name!r} {reason}")


def about_orchestrator(plan: Plan) -> list[str]:
    """Return what is worth knowing: whom it asks, what it may do and use, and what is missing."""
    asked = plan.orchestrator
    if asked is None:
        return []
    place = asked.base_url or f"{asked.api_type}'s own address"
    may = ", ".join(asked.may) or "only to put questions to you"
    said = (
        f"[orchestrator]: when something happens, {asked.model} at {place} is shown instructions, "
        f"commits, screens and test output; it may {may}, with at most {asked.max_calls} questions "
        f"and {asked.tokens.workflow} tokens"
    )
    _, missing = of_orchestrator(plan)
    return [said, *(f"the orchestrator cannot be asked: {each}" for each in missing)]
