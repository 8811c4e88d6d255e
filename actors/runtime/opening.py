"""Which processes the open doors are, and what each is told."""

from pathlib import Path

import msgspec

from actors.gateway.doors import DoorProcess, Doors
from bus import keys
from bus.connection import TcpPlace
from bus.doors import Place, TcpDoor, WebDoor


def door_processes(
    doors: Doors, place: Place, home: Path, token: str
) -> list[tuple[str, DoorProcess]]:
    """Return the process of each open door, by its name in the tree.

    Raise `BadKey` or `OSError` if the TCP door's own keys cannot be made or read.
    """
    where = msgspec.structs.asdict(place)
    found = []
    if (web := doors.web) is not None:
        told = WebDoor(
            **where, token=token, hosts=web.hosts, certificate=web.certificate, key=web.key
        )
        found.append(("web", DoorProcess("actors.web", (web.listening,), told)))
    if (tcp := doors.tcp) is not None:
        keys.server_keys(home)  # made here, so that the process and the connection file agree
        requests, feed = tcp.endpoints
        door = TcpDoor(**where, home=str(home), tcp_requests=requests, tcp_feed=feed)
        found.append(("tcp", DoorProcess("actors.tcp", (tcp.requests, tcp.feed), door)))
    return found


def tcp_place(doors: Doors, home: Path) -> TcpPlace | None:
    """Return where the TCP door is, for the connection file; None if it is closed."""
    if doors.tcp is None:
        return None
    own = keys.server_keys(home)
    return TcpPlace(*doors.tcp.endpoints, own.requests.public, own.feed.public)
