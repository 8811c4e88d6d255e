"""Trust what a repository makes CLIs start: a person's command, without a runtime.

An agent is refused, as at the door for requests.
"""

import os
from pathlib import Path

from actors.clis import lookup
from actors.clis import trust as trusts
from actors.gateway.callers import Callers
from actors.git.running.errors import RepositoryError
from actors.git.running.places import root_of
from actors.git.users.repository import find_git_dir
from bus import connection
from bus.checked import Trusted
from bus.errors import Refused, malformed
from bus.peer import By, Peer
from bus.reasons import Reason


def trust(home: Path, directory: Path, show: bool) -> Trusted:
    """Trust the files of a directory by which known CLIs start others; `show` only names them.

    They are looked for in the directory and in those above it, up to the repository's root. Raise
    `Refused` for what is no repository and for an agent; `PermissionError` for a home of others.
    """
    place = directory.resolve()
    try:
        git_dir, root = find_git_dir(str(place)), root_of(place)
    except RepositoryError as error:
        raise malformed("repo", error.message, help=error.help) from error
    if root is None:
        raise malformed("repo", f"{place} is in no checkout; what is trusted is read from files")
    names = sorted({name for p in lookup.profiles().values() for name in p.starters})
    found = trusts.in_directory(names, root, place)
    left = trusts.untrusted(home, git_dir, found)
    unread = [path for path in left if not found[path]]
    answer = Trusted(git_dir, sorted({*found} - {*left}), unread=unread)
    news = [path for path in left if found[path]]
    if show:
        answer.untrusted = news
    elif news:
        _refuse_agents(home)
        connection.make_private(home)
        trusts.trust(home, git_dir, found)
        answer.added = news
    return answer


def _refuse_agents(home: Path) -> None:
    """Raise `Refused` where this command was started by a program in a terminal of the home."""
    caller = Callers(home).identify(Peer(os.getuid(), os.getgid(), os.getppid()))
    if caller.by == By.AGENT:
        said = f"this command is refused: {caller.refusal}; what is trusted is a person's word"
        raise Refused(403, Reason.NOT_ALLOWED, said)
