"""The exceptions that the parts of a terminal's actor raise."""

from bus.action import Action


class LaunchRefused(Exception):
    """The program cannot be started.

    The message says why, for the fact and for a person; `actions` are the steps that help.
    """

    def __init__(self, message: str, *actions: Action) -> None:
        super().__init__(message)
        self.actions = list(actions)


class Unreadable(Exception):
    """The screen could not be read in time."""
