"""The answer to `tree.inspect`.

It has the records of the supervisors, and for each terminal the memory of its host process.
"""

from typing import Any

import msgspec

from actors.platform import processes
from actors.pty import records
from actors.supervision.inspection import Node
from actors.system.stage import Stage


def picture(stage: Stage, tree: Node) -> dict[str, Any]:
    """Plain data, nested in `children`. Asks no actor, so it works while any is stuck."""
    return _picture(stage, tree)


def _picture(stage: Stage, node: Node) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(node)
    shown["host_memory_kb"] = _host_memory(stage, node.address) if node.kind == "worker" else None
    shown["children"] = [_picture(stage, child) for child in node.children]
    return shown


def _host_memory(stage: Stage, address: str) -> int | None:
    """Resident KiB of the host of a terminal that is not gone; None elsewhere."""
    if address.count("/") < 2 or address.startswith("runtime/"):
        return None
    row = stage.reader.terminal(address)
    if row is None or row.gone:
        return None
    try:
        identity = records.read_identity(stage.paths.terminal_dir(address, row.incarnation))
    except (OSError, msgspec.DecodeError):
        return None
    return processes.resident_kb(identity.host_pid) if identity is not None else None
