"""The errors of the store. Each reaches the caller of the change (hazards 14, 18)."""

from collections.abc import Sequence

from bus.action import Action


class StoreError(Exception):
    """Base of the errors. No part of the change was stored; `actions` are steps that help."""

    actions: Sequence[Action] = ()


class IllegalTransition(StoreError):
    """The state machine has no such transition."""


class LostRace(StoreError):
    """A compare-and-swap found another value, because another change was first."""


class Duplicate(StoreError):
    """A row with this key exists already."""


class Unwritable(StoreError):
    """The database cannot be written: the disk is full, or another program holds a lock."""


class Vanished(StoreError):
    """A file of the open database was deleted or replaced, so writes would be lost."""


class Damaged(StoreError):
    """A part of the database's file is damaged. The rest can be used."""


class Unusable(StoreError):
    """The database cannot be opened: damaged, from a newer version, or not writable."""

    def __init__(self, message: str, actions: Sequence[Action] = ()) -> None:
        super().__init__(message)
        self.actions = actions
