"""Which environment counts for the programs of a plan: that of the shell which submits it.

The runtime is started by whoever comes first, and its environment is that of another shell, of
another day. So a client brings the variables of `BROUGHT` with the plan: where programs are found,
and which toolchain is meant. They are stored with the plan and hold no keys. Of all others it sends
digests, so that the runtime can report differences at once and no value leaves the client.
"""

import fnmatch
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from bus.user import config_path

BROUGHT: Final = frozenset(
    name
    for line in (
        "PATH LANG LANGUAGE TZ LC_ALL LC_CTYPE LC_COLLATE LC_MESSAGES LC_NUMERIC LC_TIME",
        "VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_EXE CONDA_PYTHON_EXE CONDA_SHLVL",
        "PYENV_ROOT PYENV_VERSION PYENV_VIRTUAL_ENV UV_PROJECT_ENVIRONMENT",
        "NVM_DIR NVM_BIN NVM_INC NODE_PATH VOLTA_HOME FNM_DIR FNM_MULTISHELL_PATH PNPM_HOME",
        "ASDF_DIR ASDF_DATA_DIR MISE_DATA_DIR MISE_SHELL",
        "JAVA_HOME SDKMAN_DIR GRADLE_HOME MAVEN_HOME M2_HOME ANDROID_HOME ANDROID_SDK_ROOT",
        "GOPATH GOROOT GOBIN GOCACHE CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN DOTNET_ROOT",
        "RBENV_ROOT RBENV_VERSION GEM_HOME GEM_PATH",
        "HOMEBREW_PREFIX HOMEBREW_CELLAR HOMEBREW_REPOSITORY NIX_PATH NIX_PROFILES",
        "LD_LIBRARY_PATH DYLD_LIBRARY_PATH PKG_CONFIG_PATH CC CXX",
    )
    for name in line.split()
)
"""The variables that a client brings with a plan."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ROOM: Final = 32_768
"""Characters of all values that are brought, at most."""

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

PROVIDERS: Final = "providers.toml"
"""The user's file of providers, in the directory of `bus.user.config_path`."""
_KEY_OF: Final = re.compile(r"""api_key_env["']? *= *["']([A-Za-z0-9_]+)""")


def keys_of_providers() -> set[str]:
    """Return the variables that the user's file of providers names as keys.

    They are looked for in its text, so that a file with a mistake keeps them too.
    """
    path = config_path(PROVIDERS)
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path is not None else ""
    except OSError:  # it is not there; or nobody can read it, and no key is taken from it either
        return set()
    return set(_KEY_OF.findall(text))


def chosen(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that a client brings with a plan, the shortest first."""
    found: dict[str, str] = {}
    room = _ROOM
    for name, value in sorted(environment.items(), key=lambda pair: len(pair[1])):
        if name in BROUGHT and value.isprintable() and len(value) <= room:
            found[name] = value
            room -= len(value)
    return found


def taken_over(
    brought: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return what a plan keeps of the variables that its client brought.

    A variable of `BROUGHT` that this process has and the client has not maps to "": it is not set.
    """
    missing = {name: "" for name in environment if name in BROUGHT and name not in brought}
    return {**missing, **brought} if brought else {}


def with_plans(
    own: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return an environment with the variables of a plan; one with an empty value is left out."""
    return {
        name: value for name, value in {**environment, **own}.items() if value or name not in own
    }


def fault(name: str) -> str:
    """Return why a plan may not set the variable `name`; "" if it may."""
    if not _NAME.fullmatch(name):
        return "must be the name of a variable: letters, digits and _"
    if is_one_of(name.upper(), SECRET_NAMES):
        return "looks like a key, and a plan holds no keys; a provider names its variable"
    if name.startswith(("GIT_", "CALLBOARD_")):
        return "is set by Callboard itself"
    return ""


def is_one_of(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name matches one of the patterns, case-sensitively."""
    return _any_of(tuple(patterns)).match(name) is not None


@lru_cache(maxsize=64)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Each `git` that runs asks for each variable, so the patterns are compiled together."""
    return re.compile("|".join(map(fnmatch.translate, patterns)) or "(?!)")


def digests(salt: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return a digest of the value of each variable that may affect the work."""
    return {
        name: hashlib.sha256(f"{salt}\0{name}\0{value}".encode("utf-8", "replace")).hexdigest()[:16]
        for name, value in environment.items()
        if not is_one_of(name, _SESSION)
    }


def differing(
    sent: Mapping[str, str], salt: str, environment: Mapping[str, str] = os.environ
) -> list[str]:
    """Return the client's variables that this process lacks or has with another value.

    Those of `BROUGHT` come with the plan, and are left out.
    """
    own = digests(salt, environment)
    return sorted(
        name for name, digest in sent.items() if own.get(name) != digest and name not in BROUGHT
    )
