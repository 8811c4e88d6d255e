"""Comparison of a client's environment with the runtime's.

The runtime starts every program with its own environment. A client sends digests of its variables,
so the runtime can report differences at once and no value leaves the client.
"""

import fnmatch
import hashlib
import os
from collections.abc import Mapping

_SESSION = (
    "_", "SHLVL", "PWD", "OLDPWD", "PS1", "PS2", "COLUMNS", "LINES", "TERM*", "COLORTERM",
    "WINDOWID",
    "SSH_*", "XDG_*", "DBUS_*", "DISPLAY", "WAYLAND_*", "TMUX*", "STY", "VTE_*", "KITTY_*", "GPG_*",
    "INVOCATION_ID", "JOURNAL_STREAM", "CALLBOARD_*", "PYTHON*", "PYTEST_*", "LS_COLORS", "HIST*",
)  # fmt: skip
"""Variables of a terminal or a login. They differ between windows and do not affect the work."""


SECRET_NAMES = (
    *("*TOKEN*", "*API_KEY*", "*APIKEY*", "*SECRET*", "*PASSWORD*", "*PASSWD*", "*CREDENTIAL*"),
    *("*ACCESS_KEY*", "*PRIVATE_KEY*", "*AUTH_KEY*", "AWS_*", "ANTHROPIC_*", "OPENAI_*"),
)
"""Patterns of names of variables that usually hold keys. Tests get only those of them that the plan
names in `test_env`, and no log holds their values."""


def digests(salt: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return a digest of the value of each variable that may affect the work."""
    return {
        name: hashlib.sha256(f"{salt}\0{name}\0{value}".encode("utf-8", "replace")).hexdigest()[:16]
        for name, value in environment.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in _SESSION)
    }


def differing(
    sent: Mapping[str, str], salt: str, environment: Mapping[str, str] = os.environ
) -> list[str]:
    """Return the client's variables that this process lacks or has with another value."""
    own = digests(salt, environment)
    return sorted(name for name, digest in sent.items() if own.get(name) != digest)
