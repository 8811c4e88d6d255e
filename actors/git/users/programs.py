"""Which programs of the user's git run because of the attributes: merge drivers and filters.

`check` says them: they are the user's own programs, and a plan runs them where nobody watches.
"""

from collections.abc import Iterator
from typing import Final

from actors.git.merging.attributes import BUILT_IN, Attributes, Kind, configured, named
from actors.git.merging.automerge import is_able
from actors.git.running.library import opened
from actors.git.running.names import shown
from bus.visible import visible

_SHOWN: Final = 80
"""Characters of a command in a sentence."""


def notes(git_dir: str, target_oid: str) -> Iterator[str]:
    """Yield a sentence for each filter and merge driver that the target's attributes name."""
    files = Attributes(opened(git_dir)).of(target_oid)
    filters = configured(git_dir, files, Kind.FILTER)
    for name in sorted(named(git_dir, files, Kind.FILTER)):
        short = _short(name)
        if name == "lfs":
            yield "LFS files: merges compare the pointers, not the contents"
        if name in filters:
            yield f"filter {short}: tests see what it writes; it runs {_short(filters[name])}"
        else:
            yield f"filter {short}: it is not configured (filter.{short}.smudge), so nothing runs"
    if not is_able():
        yield "this git is older than 2.38: merges use no attributes and no merge drivers"
        return
    drivers = configured(git_dir, files, Kind.MERGE)
    for name in sorted(named(git_dir, files, Kind.MERGE) - BUILT_IN):
        if name in drivers:
            yield f"merge driver {_short(name)}: each merge runs it: {_short(drivers[name])}"
        else:
            yield (
                f"merge driver {_short(name)}: it is not configured (merge.{_short(name)}.driver), "
                "so git merges its files as text"
            )


def _short(text: str) -> str:
    text = visible(shown(text))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
