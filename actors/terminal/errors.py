"""The exceptions that the parts of a terminal's actor raise."""


class LaunchRefused(Exception):
    """The program cannot be started. The message says why, for the fact and for a person."""


class Unreadable(Exception):
    """The screen could not be read in time."""
