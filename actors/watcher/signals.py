"""What the event loop and the timers send to a watcher."""

import msgspec


class Moved(msgspec.Struct, frozen=True):
    """Something below refs may have changed. Sent by the event loop."""


class Deaf(msgspec.Struct, frozen=True):
    """The watch failed and reports nothing more. Sent by the event loop."""


class Reconcile(msgspec.Struct, frozen=True):
    """It is time to look without an event."""


class LookAgain(msgspec.Struct, frozen=True):
    """A completion that could not be judged may be judged now. Sent by a timer."""
