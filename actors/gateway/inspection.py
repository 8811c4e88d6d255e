"""The answer to `tree.inspect`.

It has the records of the supervisors, and for each terminal the memory of its host process.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from actors.platform import processes
from actors.pty import records
from actors.supervision.inspection import Node
from actors.system.stage import Stage
from bus import address as addresses
from bus.errors import unknown
from bus.results import UsageReport
from bus.rows import Workflow


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


def known(workflow: Workflow, where: str) -> str:
    """The address, if it is one of the workflow. Raises `Refused` (404)."""
    found = [workflow.address, *(task.address for task in workflow.tasks)]
    if where not in [*found, *(terminal.address for terminal in workflow.terminals())]:
        raise unknown("address", where)
    return where


def usage(stage: Stage, address: str, find: Callable[[str], Workflow]) -> UsageReport:
    """What the terminals of an address and below have used; those of all workflows with "".

    What the orchestrator's model has used stands at the workflow's own address. `find` returns a
    workflow by its name. A terminal that worked and has no count is unknown, and has not used 0; so
    is a workflow whose model did not tell what each question used. Raises `Refused` (404).
    """
    id, _, rest = addresses.normal(address).partition("/")
    workflow = find(id) if address else None
    names = [] if workflow else stage.reader.workflow_ids()
    rows = [workflow, *(stage.reader.workflow(name) for name in names)]
    where = known(workflow, f"{workflow.id}/{rest}") if workflow else ""
    used = stage.reader.usage(workflow.id if workflow else "")
    counted = {each.terminal for each in used}
    worked = [t for row in rows if row is not None for t in row.terminals() if t.working_since]
    missing = [t.address for t in worked if t.address not in counted]
    missing += [f"{id}/" for id in stage.reader.untold(workflow.id if workflow else "")]
    return UsageReport(
        [each for each in used if each.terminal.startswith(where)],
        [address for address in missing if address.startswith(where)],
    )
