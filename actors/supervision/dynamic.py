"""The supervisor of many like children, started on demand.

It differs from `Supervisor` as Elixir's `DynamicSupervisor` and OTP's `simple_one_for_one` do:

- It starts with no children; each comes with `start_child`.
- The strategy is `one_for_one`, for children started on demand have no order.
- It forgets every child that has ended for good or was terminated, not only temporary ones. So
  `restart_child` and `delete_child` have nothing to act on, and raise `IsDynamic`.
- When it stops, all children are ordered to stop at once, and each has its own limit.
"""

from __future__ import annotations

from actors.supervision.errors import IsDynamic
from actors.supervision.record import ChildRecord
from actors.supervision.ref import Ref
from actors.supervision.stopping import stop_together
from actors.supervision.supervisor import Supervisor


class DynamicSupervisor(Supervisor):
    """A supervisor of children started on demand. All methods run in its own thread."""

    def restart_child(self, id: str) -> Ref:
        raise IsDynamic(self.address)

    def delete_child(self, id: str) -> None:
        raise IsDynamic(self.address)

    def _affected(self, child: ChildRecord) -> list[ChildRecord]:
        return [child]

    def _terminate_all(self) -> None:
        self.fence.check()
        stop_together(list(self._children.values()), self._context)

    def _keep_or_forget(self, child: ChildRecord) -> None:
        self._forget(child)
