"""The sandbox of Landlock: the kernel refuses the program what is not open to it.

It needs no namespaces, and holds less than bubblewrap. A path is refused and not hidden, and the
program sees the machine's processes, though it may neither signal nor look into them. It has no
home directory of its own, and sees nothing in the place of another. `confine.py` says the rest.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from actors.platform.openings import Kind, Limits, opened

_HERE: Final = str(Path(__file__).parent)
_CONFINE: Final = f"import sys; sys.path.append({_HERE!r}); import confine; confine.main()"
"""A program of its own, with the standard library alone. What is imported is compiled once."""

_WORD: Final = {
    Kind.HIDDEN: "closed",
    Kind.PRIVATE: "closed",
    Kind.EMPTY: "closed",
    Kind.SCRATCH: "write",
    Kind.READ: "read",
    Kind.WRITE: "write",
}


def wrapped(argv: Sequence[str], limits: Limits) -> list[str]:
    """Return the command line that runs `argv` within the limits, as far as Landlock holds it."""
    words = ["on" if limits.network else "off", limits.cwd]
    for each in opened(argv, limits):
        if each.kind in _WORD and not each.is_moved:
            words += [_WORD[each.kind], each.path]
    return [sys.executable, "-I", "-S", "-c", _CONFINE, *words, "--", *argv]
