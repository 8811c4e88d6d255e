"""Refusal of a home that has lost its database.

With a new, empty database, no runtime would know of the terminals that still run or of the work in
the worktrees.
"""

import shlex
from pathlib import Path

from bus.action import Action, Do
from store.errors import Unusable
from store.presence import is_there


def require_database(home: Path) -> None:
    """Raise `Unusable` if the home has worktrees or terminals and no database."""
    said = lost_database(home)
    if said:
        raise Unusable(said, [Action(Do.END_TERMINALS)])


def lost_database(home: Path) -> str:
    """Return what is wrong and what helps; "" if the database exists or the home is new."""
    path = home / "callboard.db"
    left = [name for name in ("worktrees", "terminals") if _has_entries(home / name)]
    if is_there(path) or not left:
        return ""
    copies = sorted(home.glob("callboard.db.rescued-*"))
    if copies:
        back = f"mv {shlex.quote(str(copies[-1]))} {shlex.quote(str(path))}"
    else:
        back = f"put a copy of it back to {path}"
        if Path(f"{path}-wal").exists():
            back += f", and remove {path}-wal unless it belongs to that copy"
    aside = " ".join(shlex.quote(str(home / name)) for name in left)
    return (
        f"{home} has {' and '.join(left)}, and no database ({path} is missing or empty)\n"
        f"help: to go on: {back}\n"
        f"help: to begin anew: end its terminals, then move away: {aside} "
        "(work that was not committed is in the worktrees)"
    )


def _has_entries(directory: Path) -> bool:
    try:
        return next(directory.iterdir(), None) is not None
    except (FileNotFoundError, NotADirectoryError):
        return False
