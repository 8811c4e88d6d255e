"""Which addresses a model may be asked at, and so a key be sent to."""

import ipaddress
from urllib.parse import SplitResult, urlsplit


def fault(base_url: str) -> str:
    """Return why a model must not be asked at this address; "" if it may. Pure."""
    if not base_url:
        return ""  # the vendor's own
    try:
        parts = urlsplit(base_url)
        has_port = parts.port != 0
    except ValueError:
        return "must be an https:// address"
    if not parts.hostname or not has_port or not base_url.isprintable() or " " in base_url:
        return "must be an https:// address"
    if "@" in parts.netloc:
        return "must not hold a password"
    if parts.query or parts.fragment:
        return "must end with its path, without `?` and `#`"
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts)):
        return "must begin with https://; http:// is for this machine (127.0.0.1, localhost)"
    return ""


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
