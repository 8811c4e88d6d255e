"""Messages to actors at a later time, and from threads that belong to no actor."""

from collections.abc import Callable
from typing import Protocol

from actors.platform.loop import Timer


class Loop(Protocol):
    """Runs callbacks later. `actors.platform.loop.EventLoop` is one."""

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` once after `seconds`."""


class Mailboxes(Protocol):
    """Delivers to the actors of this process. `actors.supervision.Directory` is one."""

    def deliver(self, address: str, item: object) -> bool:
        """Put the item into a mailbox without blocking. Return False if nobody lives there."""


class Timers:
    """Puts messages into mailboxes of this process. Every method may be called from any thread.

    The messages are Python objects and do not travel on the bus. One whose actor has ended is
    dropped.
    """

    def __init__(self, loop: Loop, mailboxes: Mailboxes) -> None:
        self._loop = loop
        self._mailboxes = mailboxes

    def notify(self, to: str, item: object) -> None:
        """Put the item into the mailbox of the actor at address `to` now."""
        self._mailboxes.deliver(to, item)

    def after(self, seconds: float, to: str, item: object) -> Timer:
        """Put the item into the mailbox of `to` after `seconds`, not counting time suspended.

        Return a timer that can be cancelled. A message that is in the mailbox already stays there.
        """
        return self._loop.later(seconds, lambda: self.notify(to, item))
