"""Open the addresses of the doors: where HTTP is served, and the two sockets over TCP."""

import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

from actors.gateway.doors import Doors, TcpSettings, WebSettings

BACKLOG = 512
MAX_PORT = 65_535


class BadAddress(Exception):
    """A door cannot be opened there; the message says why and what is possible."""


def open_doors(
    http: str | None,
    tcp: str | None,
    repositories: Sequence[str] = (),
    *,
    allow_remote: bool = False,
    certificate: str = "",
    key: str = "",
) -> Doors:
    """Listen where HTTP and TCP are to be served, None for a door that stays closed.

    `repositories` are those that plans may name which come through these doors. Raise `BadAddress`,
    which names the option.
    """
    for each in repositories:
        if not Path(each).is_dir():
            raise BadAddress(f"--allow-repo: {each} is no directory")
    web = tcp_at = None
    option = "--http"
    try:
        if http:
            web = open_http(http, allow_remote, certificate, key)
        option = "--tcp"
        if tcp:
            tcp_at = open_tcp(tcp)
    except BadAddress as error:
        raise BadAddress(f"{option}: {error}") from error
    return Doors(web, tcp_at, tuple(Path(each).resolve() for each in repositories))


def open_tcp(where: str) -> TcpSettings:
    """Listen for requests on `HOST` or `HOST:PORT`, and for the feed on the next port.

    Without a port take two free ones. Any address of this machine will do, because a client must
    show a key that the user made. Raise `BadAddress`.
    """
    host, port = _parse(where)
    if port == MAX_PORT:
        raise BadAddress(f"port {port} leaves none for the feed, which is on the next one")
    requests = _listen(where, host, port)
    try:
        feed = _listen(where, host, port + 1 if port else 0)
    except BadAddress:
        requests.close()
        raise
    return TcpSettings(requests, feed)


def open_http(
    where: str, allow_remote: bool = False, certificate: str = "", key: str = ""
) -> WebSettings:
    """Listen on `HOST:PORT`, `HOST`, or `:PORT`; port 0 takes a free one.

    Any address that is not of this machine's loopback is refused without `allow_remote` and the
    two files of TLS; so is one that stands for all addresses, because no client names it in `Host`.
    Raises `BadAddress`.
    """
    host, port = _parse(where)
    _check_tls(certificate, key)
    if not _is_loopback(host) and not (allow_remote and certificate):
        raise BadAddress(
            f"{host} can be reached from other machines: serve on 127.0.0.1 and forward the port "
            "(ssh -L), or give --allow-remote with --tls-cert and --tls-key"
        )
    if ipaddress.ip_address(host).is_unspecified:
        raise BadAddress(f"{host} is no address that a client can name: name one of this machine's")
    listening = _listen(where, host, port)
    port = listening.getsockname()[1]
    return WebSettings(listening, _hosts(host, port), certificate, key)


def _check_tls(certificate: str, key: str) -> None:
    """Raise `BadAddress` for files with which the web door could not speak TLS."""
    if bool(certificate) != bool(key):
        raise BadAddress("--tls-cert and --tls-key belong together")
    if certificate:
        import ssl  # only where it is wanted: it takes long to load

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Without a password: nobody is there to type it each time the door is started.
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ValueError) as error:
            raise BadAddress(f"{certificate} and {key} cannot be used for TLS: {error}") from error


def _listen(where: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise BadAddress(f"cannot listen on {where}: {error.strerror or error}") from error
    return listening


def _parse(where: str) -> tuple[str, int]:
    """`[::1]:8000` -> (`::1`, 8000)."""
    if where.startswith("["):
        host, _, rest = where[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = where.rpartition(":") if ":" in where else (where, "", "")
    if where.isdecimal():
        host, port = "", where
    if port and not (port.isdecimal() and int(port) <= MAX_PORT):
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
