"""The supervisor of many similar children that are started on demand.

It differs from `Supervisor` as OTP's `simple_one_for_one` and Elixir's `DynamicSupervisor` do:

- It starts without children; `start_child` adds each.
- Its strategy is `one_for_one`, because children started on demand have no order.
- It deletes every child that was terminated or will not be restarted, not only temporary ones.
  `restart_child` and `delete_child` therefore raise `IsDynamic`.
- When it stops, it orders all children to stop at once. Each has its own time limit.
"""

from __future__ import annotations

from actors.supervision.errors import IsDynamic
from actors.supervision.record import ChildRecord
from actors.supervision.ref import Ref
from actors.supervision.stopping import stop_together
from actors.supervision.supervisor import Supervisor


class DynamicSupervisor(Supervisor):
    """A supervisor of children started on demand. All methods run in its own thread."""

    def restart_child(self, id: str) -> Ref:  # noqa: ARG002 - it is the same for every id
        """Raise `IsDynamic`."""
        raise IsDynamic(self.address)

    def delete_child(self, id: str) -> None:  # noqa: ARG002 - it is the same for every id
        """Raise `IsDynamic`."""
        raise IsDynamic(self.address)

    def _affected(self, child: ChildRecord) -> list[ChildRecord]:
        return [child]

    def _terminate_all(self) -> None:
        self.fence.check()
        stop_together(list(self._children.values()), self._context)

    def _keep_or_delete(self, child: ChildRecord) -> None:
        self._delete(child)
