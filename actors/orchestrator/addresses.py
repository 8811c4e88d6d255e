"""Which endpoints a key may be sent to."""

from urllib.parse import urlsplit

from actors.orchestrator.failures import Failure, Next
from actors.orchestrator.thoughts import Endpoint
from bus.model_address import fault


def check(endpoint: Endpoint) -> None:
    """Raise `Failure` if this endpoint must not be asked, or its key cannot be sent."""
    if reason := fault(endpoint.base_url):
        raise Failure(f"base_url {reason}", Next.OTHER_ENDPOINT)
    if not all("!" <= letter <= "~" for letter in endpoint.key):
        reason = "the key holds spaces or letters that no header can carry"
        raise Failure(reason, Next.OTHER_ENDPOINT)


def shown(endpoint: Endpoint) -> str:
    """Return the endpoint's name in errors: its host and its model."""
    try:
        host = urlsplit(endpoint.base_url).netloc.rpartition("@")[2]
    except ValueError:
        host = "?"
    return f"{host or endpoint.api_type}, {endpoint.model}"
