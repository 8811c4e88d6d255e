"""The global provider switch, for the time of one launch.

A terminal with `switch = "global"` writes its provider into the CLI's own files when its turn with
the launcher begins. It puts them back when the turn is over: by then the program has read them, or
has failed. A record of each switch is kept on disk below the home, by terminal and incarnation. So
the files are put back after a crash at any time: by the terminal, if it still has its turn,
otherwise by the launcher.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from actors.clis import switch
from actors.clis.profile import Profile
from actors.clis.providers import Provider
from actors.system.stage import Stage

log = logging.getLogger("callboard.switch")


def _directory(stage: Stage, terminal: str, incarnation: int) -> Path:
    return Path(f"{stage.paths.home}/switched/{terminal.strip('/')}/{incarnation}")


def write(
    stage: Stage,
    terminal: str,
    incarnation: int,
    profile: Profile,
    provider: Provider,
    known: Mapping[str, str],
) -> None:
    """Switch the user's own files of this CLI. Raise `LaunchError`; then nothing is changed."""
    put_back(stage, terminal, incarnation)
    directory = _directory(stage, terminal, incarnation)
    switch.switch_on(profile, provider, known, os.environ, directory)


def put_back(stage: Stage, terminal: str, incarnation: int) -> None:
    """Undo what this incarnation switched, if anything.

    A file that cannot be written now is logged, and tried again when the next runtime starts.
    """
    directory = _directory(stage, terminal, incarnation)
    if not directory.exists():
        return
    try:
        for done in switch.restore_pending(directory):
            if done.outcome == "left":
                log.warning("%s cannot be read; its old bytes are in %s", done.path, directory)
        if not any(directory.iterdir()):
            directory.rmdir()
    except OSError as error:
        log.error("%s is still switched for %s: %s", error.filename, terminal, error.strerror)


def is_on(stage: Stage, terminal: str, incarnation: int) -> bool:
    """Return whether this incarnation has switched the user's files."""
    return _directory(stage, terminal, incarnation).exists()


def pending(stage: Stage) -> Iterator[tuple[str, int]]:
    """Yield terminal and incarnation of each switch that is not undone."""
    top = stage.paths.home / "switched"
    for note in sorted(top.rglob("*.switch.json")):
        *address, incarnation = note.parent.relative_to(top).parts
        yield "/".join(address) + "/", int(incarnation)
