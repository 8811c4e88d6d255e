"""Open the address where HTTP is served."""

import ipaddress
import socket
from pathlib import Path

from actors.gateway.web import WebSettings

BACKLOG = 512


class BadAddress(Exception):
    """HTTP cannot be served there; the message says why and what is possible."""


def open_http(
    where: str, *, allow_remote: bool = False, certificate: str = "", key: str = ""
) -> WebSettings:
    """Listen on `HOST:PORT`, `HOST`, or `:PORT`; port 0 takes a free one.

    Any address that is not of this machine's loopback is refused without `allow_remote` and the
    two files of TLS. Raises `BadAddress`.
    """
    host, port = _parse(where)
    if bool(certificate) != bool(key):
        raise BadAddress("--tls-cert and --tls-key belong together")
    for path in (certificate, key):
        if path and not Path(path).is_file():
            raise BadAddress(f"{path} is not a file")
    if not _is_loopback(host) and not (allow_remote and certificate):
        raise BadAddress(
            f"{host} can be reached from other machines: serve on 127.0.0.1 and forward the port "
            "(ssh -L), or give --allow-remote with --tls-cert and --tls-key"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise BadAddress(f"cannot listen on {where}: {error.strerror or error}") from error
    port = listening.getsockname()[1]
    return WebSettings(listening, _hosts(host, port), certificate, key)


def _parse(where: str) -> tuple[str, int]:
    """`[::1]:8000` -> (`::1`, 8000)."""
    if where.startswith("["):
        host, _, rest = where[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = where.rpartition(":") if ":" in where else (where, "", "")
    if where.isdecimal():
        host, port = "", where
    if port and not (port.isdecimal() and int(port) < 65536):
        raise BadAddress(f"{where!r} is not HOST:PORT")
    host = host or "127.0.0.1"
    if host == "localhost":
        host = "127.0.0.1"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise BadAddress(f"{host!r} is not an IP address of this machine") from None
    return host, int(port or 0)


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback


def _hosts(host: str, port: int) -> tuple[str, ...]:
    """The values of `Host` that name this server; the first is shown to people."""
    own = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not _is_loopback(host):
        return (own,)
    names = (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}")
    return (own, *(name for name in names if name != own))
