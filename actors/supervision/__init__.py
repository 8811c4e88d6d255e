"""Actors, mailboxes, supervisors with OTP's semantics; knows nothing of Callboard.

`actor` has actors with typed messages, `mailbox` mailboxes that outlive them, `supervisor` starts,
stops and restarts them. `docs/supervision.md` is the manual. It needs only Pykka.
"""

from actors.supervision.actor import Actor, handles
from actors.supervision.backoff import NO_BACKOFF, Backoff, RestartState, RestartStore
from actors.supervision.errors import (
    AddressTaken,
    AlreadyPresent,
    AlreadyStarted,
    CallerStopping,
    Fenced,
    IsDynamic,
    MailboxClosed,
    NoSupervisor,
    NotFound,
    Restarting,
    Running,
    StartFailed,
    StartInterrupted,
    StartTimeout,
    SupervisorError,
    UnhandledMessage,
    WouldDeadlock,
    one_line,
)
from actors.supervision.events import (
    Abandoned,
    ChildFailed,
    ChildRestarted,
    ChildStarted,
    ChildStopped,
    DeadLetter,
    Event,
    GaveUp,
    Stuck,
)
from actors.supervision.inspection import Node
from actors.supervision.life import Fence, current_fence
from actors.supervision.mailbox import Directory, Mailbox
from actors.supervision.ref import Child, Counts, SupervisorRef
from actors.supervision.spec import (
    ChildSpec,
    DynamicSpec,
    Restart,
    Spec,
    Strategy,
    SupervisorSpec,
    worker,
)
from actors.supervision.tree import Tree, start_tree

__all__ = [
    "NO_BACKOFF",
    "Abandoned",
    "Actor",
    "AddressTaken",
    "AlreadyPresent",
    "AlreadyStarted",
    "Backoff",
    "CallerStopping",
    "Child",
    "ChildFailed",
    "ChildRestarted",
    "ChildSpec",
    "ChildStarted",
    "ChildStopped",
    "Counts",
    "DeadLetter",
    "Directory",
    "DynamicSpec",
    "Event",
    "Fence",
    "Fenced",
    "GaveUp",
    "IsDynamic",
    "Mailbox",
    "MailboxClosed",
    "NoSupervisor",
    "Node",
    "NotFound",
    "Restart",
    "RestartState",
    "RestartStore",
    "Restarting",
    "Running",
    "Spec",
    "StartFailed",
    "StartInterrupted",
    "StartTimeout",
    "Strategy",
    "Stuck",
    "SupervisorError",
    "SupervisorRef",
    "SupervisorSpec",
    "Tree",
    "UnhandledMessage",
    "WouldDeadlock",
    "current_fence",
    "handles",
    "one_line",
    "start_tree",
    "worker",
]
