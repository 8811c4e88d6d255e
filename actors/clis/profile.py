"""What Callboard knows about a CLI, as data.

A profile says how one program is started, recognised, spoken to, given a provider and ended.
The built-in ones are in `profiles.toml` beside this file. A user changes or adds some in
`~/.config/callboard/profiles.toml`, a plan under `[cli.NAME]`: tables are merged key by key,
lists and values are replaced. A profile nobody built in needs only `command`.

Patterns are regular expressions, applied with `re.MULTILINE` to `Screen.text`.
"""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from bus import toml
from bus.converting import converter

BUILT_IN: Final = Path(__file__).with_name("profiles.toml")
_OF_PROVIDER: Final = ("model", "base_url", "base_url_v1", "base_url_root", "key")
_OF_PLACE: Final = ("home", "worktree", "main_repo", "git_dir", "git_common_dir")
PLACEHOLDERS: Final = frozenset((*_OF_PROVIDER, *_OF_PLACE))
_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*\Z")


class ProfileError(Exception):
    """A profile that cannot be used: `path` is the key (`cli.mine.ready`), `rule` what it broke."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path}: {rule}")
        self.path = path
        self.rule = rule


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a profile; keys it does not have are errors."""


class PromptRule(_Table, frozen=True):
    """A question the program is known to ask.

    `answer` is a regular expression for the label to choose (anchored at the label's start, case
    ignored); without one a person is asked. `typed` maps labels to what is typed for them, where
    the screen shows no list to choose from; a line is ended with `\\r`. A `dangerous` one is never
    answered automatically.
    """

    name: str
    pattern: str
    answer: str = ""
    typed: dict[str, str] = {}
    dangerous: bool = False


class Submit(_Table, frozen=True):
    """How text is handed in.

    `bracketed`: `always`, or `asked` (when the program asked for bracketed paste; otherwise the
    text goes as one line). `enter_delay_ms` passes between text and Enter. `evidence` matches what
    a turn leaves on the screen (beside the busy pattern).
    """

    bracketed: Literal["always", "asked"] = "asked"
    enter_delay_ms: int = 300
    evidence: str = ""


class SetKeys(_Table, frozen=True):
    """Values merged into a configuration `file` of the config home.

    Keys and values may hold placeholders; a value of which a placeholder has no value is left out.
    """

    file: str
    values: dict[str, Any]
    format: Literal["json", "toml"] = "json"


class Source(_Table, frozen=True):
    """A `file` of the config home whose original is elsewhere (`~/…`) when the user has not moved
    the config home by its variable.
    """

    file: str
    original: str


class Home(_Table, frozen=True):
    """The config home: the variable that moves it and the user's own one.

    Where `env` is empty the program cannot be given a home of its own by one. `inside` is where,
    below the directory the variable names, the files of `user` are found (`.gemini`). `also`:
    further variables that belong to a home of its own. `login_env`: the variable that says where
    the program keeps its logins, if that can be elsewhere; it is set to the user's own home, so
    that a token the program renews is the user's as well.
    """

    env: str = ""
    user: str = ""
    inside: str = ""
    also: dict[str, str] = {}
    login_env: str = ""


class Seed(_Table, frozen=True):
    """What a new config home starts with, relative to the user's.

    `copy`: files the program may change; `link`: shared (skills, commands, logins of MCP servers);
    `link_inside`: directories of the home's own, in which the program writes, with links to what
    the user's hold; `login`: credentials, linked only when no provider with a key of its own is
    set. Linked files must be ones the program writes in place: over a link it renames a new file,
    and the user is left with a token that was renewed elsewhere. `set`: keys that keep first-run
    dialogs away.
    """

    copy: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    link_inside: tuple[str, ...] = ()
    login: tuple[str, ...] = ()
    elsewhere: tuple[Source, ...] = ()
    set: tuple[SetKeys, ...] = ()


class Drop(_Table, frozen=True):
    """Keys of the user's that are taken out of a `file` where a provider is set, because they
    would win over it: dotted paths, parts may hold `*` (`env.ANTHROPIC_*`).
    """

    file: str
    keys: tuple[str, ...]


class ProviderKeys(_Table, frozen=True):
    """How a provider is given: `env` for the process, `args` for the command line (never the
    key), `set` for files of the config home; `model_*` the same where it names a model. An entry
    of which a placeholder has no value is left out.
    """

    env: dict[str, str] = {}
    args: tuple[str, ...] = ()
    set: tuple[SetKeys, ...] = ()
    drop: tuple[Drop, ...] = ()
    model_args: tuple[str, ...] = ()
    model_env: dict[str, str] = {}
    model_set: tuple[SetKeys, ...] = ()


class Exit(_Table, frozen=True):
    """How it is asked to end: `text` handed in like an instruction, or `keys` written as they are.

    `codes`: exit codes and what they mean, beside 0.
    """

    text: str = ""
    keys: str = ""
    codes: dict[str, str] = {}


class Version(_Table, frozen=True):
    """`args` make the program print its version, `pattern` finds it there (group 1).

    `verified` are the versions this profile was run with.
    """

    args: tuple[str, ...] = ("--version",)
    pattern: str = r"(\d+\.\d+\.\d+\S*)"
    verified: tuple[str, ...] = ()


class Profile(_Table, frozen=True):
    """One CLI.

    Only `command` must be given (for `custom` by the plan). A program without a `ready` pattern is
    ready when it is quiet. `bypass_args` make it ask nothing; `ask_args` are given where it may ask
    (a sandbox's openings, say). `env` is set, `unset` never passed on; `keep` are the user's
    variables it reads its own login from (names, may hold `*`). `git_identity`: it hides the user's
    git configuration from its tools, so that commits need author and committer by environment.
    `not_global` says why `switch = "global"` would give it the wrong provider; it is then refused.
    """

    name: str
    command: tuple[str, ...] = ()
    ask_args: tuple[str, ...] = ()
    bypass_args: tuple[str, ...] = ()
    ready: str = ""
    busy: str = ""
    markers: str = "❯›●▶➤"
    prompts: tuple[PromptRule, ...] = ()
    submit: Submit = Submit()
    home: Home = Home()
    seed: Seed = Seed()
    provider: ProviderKeys = ProviderKeys()
    env: dict[str, str] = {}
    unset: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    git_identity: bool = False
    exit: Exit = Exit()
    version: Version = Version()
    ready_timeout: float = 60.0
    switch: Literal["isolated", "global"] = "isolated"
    not_global: str = ""


_convert = converter(Profile)


def load(
    user_file: Path | None = None, plan_overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Profile]:
    """All profiles by name: built-in, changed by `user_file` (when it exists), changed by the
    plan's `cli` table. Raises `ProfileError` with the key's path and the rule.
    """
    tables = _read(BUILT_IN)
    if user_file is not None and user_file.exists():
        tables = _merged(tables, _read(user_file), "")
    tables = _merged(tables, dict(plan_overrides or {}), "cli")
    return {name: _profile(name, table) for name, table in tables.items()}


def version_is_verified(profile: Profile, version: str | None) -> bool:
    """Whether the profile's facts were seen with this version.

    Where none is listed (a program of the user's own) the user's word counts.
    """
    return not profile.version.verified or version in profile.version.verified


def find_version(profile: Profile, output: str) -> str | None:
    """The version in what the version command printed, or None."""
    found = re.search(profile.version.pattern, output)
    return found[1] if found else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return toml.loads(path.read_text(encoding="utf-8"))
    except (toml.TomlError, UnicodeDecodeError) as error:
        raise ProfileError(str(path), f"is not TOML: {error}") from error
    except OSError as error:
        raise ProfileError(str(path), f"cannot be read: {error.strerror}") from error


def _merged(under: Mapping[str, Any], over: Mapping[str, Any], path: str) -> dict[str, Any]:
    merged = copy.deepcopy(dict(under))
    for key, value in over.items():
        there = merged.get(key)
        where = f"{path}.{key}" if path else key
        if isinstance(there, dict) and isinstance(value, Mapping):
            merged[key] = _merged(there, value, where)
        elif isinstance(there, dict):
            raise ProfileError(where, "must be a table")
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _profile(name: str, table: Any) -> Profile:
    path = f"cli.{name}"
    if not _NAME.match(name):
        raise ProfileError(path, "a name is lower-case letters, digits, `.`, `_` and `-`")
    if not isinstance(table, dict):
        raise ProfileError(path, "must be a table")
    if "name" in table:
        raise ProfileError(f"{path}.name", "is the table's own name, not a key")
    try:
        profile = _convert({**table, "name": name})
    except msgspec.ValidationError as error:
        raise _as_profile_error(path, error) from error
    _check(path, profile)
    return profile


def _as_profile_error(path: str, error: msgspec.ValidationError) -> ProfileError:
    rule, _, at = str(error).partition(" - at `$")
    where = path + at.rstrip("`")
    unknown = re.match(r"Object contains unknown field `(.*)`", rule)
    if unknown:
        return ProfileError(f"{where}.{unknown[1]}", "unknown key")
    missing = re.match(r"Object missing required field `(.*)`", rule)
    if missing:
        return ProfileError(f"{where}.{missing[1]}", "missing")
    return ProfileError(where, rule[:1].lower() + rule[1:])


def _check(path: str, profile: Profile) -> None:
    """The rules types cannot say."""
    if not profile.command and profile.name != "custom":
        raise ProfileError(f"{path}.command", "missing: the program and its arguments, a list")
    if profile.command and not profile.command[0]:
        raise ProfileError(f"{path}.command[0]", "the program's name must not be empty")
    patterns = {
        "ready": profile.ready,
        "busy": profile.busy,
        "submit.evidence": profile.submit.evidence,
        "version.pattern": profile.version.pattern,
    }
    for index, rule in enumerate(profile.prompts):
        patterns[f"prompts[{index}].pattern"] = rule.pattern
        patterns[f"prompts[{index}].answer"] = rule.answer
    for key, pattern in patterns.items():
        _check_pattern(f"{path}.{key}", pattern)
    if re.compile(profile.version.pattern).groups < 1:
        raise ProfileError(f"{path}.version.pattern", "must have a group around the version")
    for key in ("command", "ask_args", "bypass_args", "provider.args", "provider.model_args"):
        _check_args(f"{path}.{key}", _get(profile, key))
    _check_limits(path, profile)


def _check_limits(path: str, profile: Profile) -> None:
    if not profile.ready_timeout > 0:
        raise ProfileError(f"{path}.ready_timeout", "must be more than 0 seconds")
    if not 0 <= profile.submit.enter_delay_ms <= 10_000:
        raise ProfileError(f"{path}.submit.enter_delay_ms", "must be 0 to 10000 milliseconds")


def _check_pattern(path: str, pattern: str) -> None:
    try:
        re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise ProfileError(path, f"not a regular expression: {error}") from error


def _check_args(path: str, args: tuple[str, ...]) -> None:
    for index, arg in enumerate(args):
        for name in _PLACEHOLDER.findall(arg):
            if name == "key":
                raise ProfileError(
                    f"{path}[{index}]",
                    "a key never goes on a command line, where every user of the machine sees it",
                )
            if name not in PLACEHOLDERS:
                raise ProfileError(f"{path}[{index}]", f"unknown placeholder {{{name}}}")


def _get(profile: Profile, key: str) -> tuple[str, ...]:
    value: Any = profile
    for part in key.split("."):
        value = getattr(value, part)
    return tuple(value)
