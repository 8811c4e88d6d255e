"""What the store refuses, typed. A caller sees every one of them (hazards 14, 18)."""

from collections.abc import Sequence

from bus.action import Action


class StoreError(Exception):
    """Base. Nothing of the change that raised it was stored. `actions` are next steps that help."""

    actions: Sequence[Action] = ()


class IllegalTransition(StoreError):
    """The state machine has no such step."""


class LostRace(StoreError):
    """A compare-and-swap found another value: somebody else was first."""


class Duplicate(StoreError):
    """A row with this key is already there."""


class Unwritable(StoreError):
    """The database cannot be written: disk full, locked by another program."""


class Vanished(StoreError):
    """A file of the open database was deleted or replaced: nothing that is written lasts."""


class Damaged(StoreError):
    """A part of the database's file is not what it should be. The rest can be used."""


class Unusable(StoreError):
    """The database cannot be opened: corrupt, from a newer version, not writable."""

    def __init__(self, message: str, actions: Sequence[Action] = ()) -> None:
        super().__init__(message)
        self.actions = actions
