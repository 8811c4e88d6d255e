"""The errors of supervisors, actors and mailboxes.

Every error that a call to a supervisor raises is a `SupervisorError`. Its `answer` is the word that
OTP uses for it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pykka import ActorDeadError, ActorRef


class SupervisorError(Exception):
    """A supervisor refused a call. The supervisor itself goes on."""

    answer: ClassVar[str] = "error"


class NotFound(SupervisorError):
    """The supervisor has no child of this id."""

    answer = "not_found"


class Running(SupervisorError):
    """The child runs or is being stopped. Terminate it before you restart it."""

    answer = "running"


class Restarting(SupervisorError):
    """The child failed and waits for its next start. Terminate it before you restart it."""

    answer = "restarting"


class AlreadyPresent(SupervisorError):
    """The supervisor has a stopped child of this id. Restart or delete that child."""

    answer = "already_present"


class AlreadyStarted(SupervisorError):
    """A child of this id runs already; `ref` is that child."""

    answer = "already_started"

    def __init__(self, address: str, ref: ActorRef[Any]) -> None:
        super().__init__(address)
        self.ref = ref


class NoSupervisor(SupervisorError):
    """No supervisor runs at this address: it has ended, or waits for its next start."""

    answer = "no_supervisor"


class IsDynamic(SupervisorError):
    """A dynamic supervisor keeps no stopped children that could be restarted or deleted."""

    answer = "dynamic"


class WouldDeadlock(SupervisorError):
    """The call would wait for something that waits for the caller. Pass `block=False`."""

    answer = "would_deadlock"


class CallerStopping(SupervisorError):
    """The calling actor was ordered to stop while it waited. The call may still be carried out."""

    answer = "caller_stopping"


class StartFailed(SupervisorError):
    """A child did not start. `address` names the child, `error` is what its start raised."""

    def __init__(self, address: str, error: BaseException) -> None:
        super().__init__(address, error)
        self.address = address
        self.error = error

    def __str__(self) -> str:
        if isinstance(self.error, StartFailed):
            return str(self.error)
        return f"{self.address} did not start: {one_line(self.error)}"


class StartTimeout(Exception):
    """`__init__` and `on_start` together took longer than the `start_timeout` of the spec."""


class StartInterrupted(Exception):
    """The supervisor was ordered to stop while it waited for this start."""


class AddressTaken(Exception):
    """Another actor is registered at this address in the same directory."""


class MailboxClosed(ActorDeadError):
    """The mailbox takes no mail, because its actor has ended and is not being restarted."""


class UnhandledMessage(TypeError):
    """The actor has no handler for a message of this type."""


class Fenced(Exception):
    """The incarnation is over and must not write or send any more."""


def one_line(error: BaseException) -> str:
    """Return the error as one line of at most 300 characters: `ValueError: its message`."""
    text = " ".join(str(error).split())
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return line if len(line) <= 300 else line[:299] + "…"
