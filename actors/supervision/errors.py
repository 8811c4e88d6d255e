"""What the machinery answers when it cannot do what was asked.

Every error that a supervisor call can raise is a `SupervisorError` whose `answer` is the word OTP
uses for it, so that a caller may match on the type and a log may show OTP's word.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pykka import ActorDeadError, ActorRef


class SupervisorError(Exception):
    """A supervisor's refusal. It never means that the supervisor itself failed."""

    answer: ClassVar[str] = "error"


class NotFound(SupervisorError):
    """The supervisor has no child of that id."""

    answer = "not_found"


class Running(SupervisorError):
    """The child runs (or is being stopped), so it can be neither restarted nor deleted."""

    answer = "running"


class Restarting(SupervisorError):
    """The child failed and waits for its next start; terminate it first."""

    answer = "restarting"


class AlreadyPresent(SupervisorError):
    """A child of that id is known, and not running: restart or delete that one."""

    answer = "already_present"


class AlreadyStarted(SupervisorError):
    """A child of that id runs already; `ref` is that child."""

    answer = "already_started"

    def __init__(self, address: str, ref: ActorRef[Any]) -> None:
        super().__init__(address)
        self.ref = ref


class NoSupervisor(SupervisorError):
    """There is no supervisor at that address now: it ended, or waits for its next start."""

    answer = "no_supervisor"


class IsDynamic(SupervisorError):
    """A dynamic supervisor forgets what has ended, so nothing can be restarted or deleted there."""

    answer = "dynamic"


class WouldDeadlock(SupervisorError):
    """The caller would wait for something that waits for the caller; pass `block=False`."""

    answer = "would_deadlock"


class CallerStopping(SupervisorError):
    """The calling actor was ordered to stop while it waited; the call may still be carried out."""

    answer = "caller_stopping"


class StartFailed(SupervisorError):
    """A start did not work: `address` names the child, `error` is what its start raised."""

    def __init__(self, address: str, error: BaseException) -> None:
        super().__init__(address, error)
        self.address = address
        self.error = error

    def __str__(self) -> str:
        if isinstance(self.error, StartFailed):
            return str(self.error)
        return f"{self.address} did not start: {one_line(self.error)}"


class StartTimeout(Exception):
    """`__init__` and `on_start` together took longer than the spec's `start_timeout`."""


class StartInterrupted(Exception):
    """The supervisor was ordered to stop while it waited for this start."""


class AddressTaken(Exception):
    """Another actor of the same directory lives at that address."""


class MailboxClosed(ActorDeadError):
    """The mailbox takes no more mail: its actor has ended for good."""


class UnhandledMessage(TypeError):
    """The actor has no handler for a message of this type."""


class Fenced(Exception):
    """The incarnation is over; what it says or writes no longer counts."""


def one_line(error: BaseException) -> str:
    """The error as one printable line of at most 300 characters: `ValueError: what it says`."""
    text = " ".join(str(error).split())
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return line if len(line) <= 300 else line[:299] + "…"
