"""Describe each CLI as data: its profile.

A profile says how to start a program, read its screen, type into it, set its provider and end it.
The built-in profiles are in `profiles.toml` beside this file. A user changes or adds profiles in
`~/.config/callboard/profiles.toml`, a plan does so under `[cli.NAME]`. Tables are merged key by
key; lists and values are replaced. A new profile needs only `command`.

Patterns are regular expressions, applied with `re.MULTILINE` to `Screen.text`.
"""

import copy
import re
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from actors.clis.rules import LimitRule, SessionRule, Table, UsageRule
from bus import toml
from bus.converting import converter

BUILT_IN: Final = Path(__file__).with_name("profiles.toml")
_OF_PROVIDER: Final = ("model", "base_url", "base_url_v1", "base_url_root", "key")
_OF_GIT: Final = ("git_dir", "git_common_dir", "git_refs", "git_logs")
_OF_PLACE: Final = ("home", "worktree", "main_repo", *_OF_GIT, "session")
PLACEHOLDERS: Final = frozenset((*_OF_PROVIDER, *_OF_PLACE))
_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_ARGS: Final = ("command", "session.resume", "ask_args", "bypass_args")
_ARGS_OF_PROVIDER: Final = ("provider.args", "provider.model_args")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*\Z")


class ProfileError(Exception):
    """A profile is not valid. `path` is the key (`cli.mine.ready`), `rule` the rule it breaks."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path}: {rule}")
        self.path = path
        self.rule = rule


class PromptRule(Table, frozen=True):
    r"""A question that the program is known to ask.

    `answer` is a regular expression for the label to choose, anchored at the label's start and
    ignoring case. Without it a person is asked. `typed` maps labels to the text that is typed for
    them, in place of arrow keys and Enter; end a line with `\r`. A `dangerous` question
    is never answered automatically.
    """

    name: str
    pattern: str
    answer: str = ""
    typed: dict[str, str] = {}
    dangerous: bool = False


class Submit(Table, frozen=True):
    """How text is submitted to the program.

    `bracketed` is `always` or `asked`. With `asked`, the text is pasted if the program asked for
    bracketed paste, and typed as one line otherwise. `enter_delay_ms` is the time between text and
    Enter. `evidence` matches what a turn leaves on the screen, in addition to the busy pattern.
    `file` is the line that is typed in place of a text of several lines that cannot be pasted;
    `{file}` in it stands for the file that holds the text.
    """

    bracketed: Literal["always", "asked"] = "asked"
    enter_delay_ms: int = 300
    file: str = ""
    evidence: str = ""


class SetKeys(Table, frozen=True):
    """Values merged into a configuration `file` of the config home.

    Keys and values may hold placeholders. An entry with a placeholder that has no value is left
    out.
    """

    file: str
    values: dict[str, Any]
    format: Literal["json", "toml"] = "json"


class Source(Table, frozen=True):
    """A `file` of the config home whose original is elsewhere, at `original` (`~/…`).

    It applies only if the user has not moved the config home by its variable.
    """

    file: str
    original: str


class Home(Table, frozen=True):
    """The program's config home.

    `env` is the variable that moves it; if it is empty, the config home cannot be moved. `user` is
    the user's own config home. `inside` is the subdirectory of the directory in `env` that holds
    the files of `user` (`.gemini`). `also` are further variables to set for a separate config home.
    `login_env` is the variable that says where the program keeps its logins, if that can be
    elsewhere. It is set to the user's own config home, so that a token that the program renews is
    renewed for the user too. `private` are the user's directories in which it writes beside its
    config home; in a sandbox whose home directory is read-only it gets its own. It renews logins in
    the files `renewed` of `user`, in a sandbox too, where the user's token would be used up else.
    """

    env: str = ""
    user: str = ""
    inside: str = ""
    also: dict[str, str] = {}
    login_env: str = ""
    private: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()


class Seed(Table, frozen=True):
    """The initial files of a new config home, by their paths relative to the user's.

    - `copy`: files that the program may change.
    - `link`: shared files (skills, commands, logins of MCP servers).
    - `link_inside`: directories that the program writes in. The new home has its own, with links to
      the entries of the user's.
    - `login`: credentials, linked only if the terminal has no provider with an address.
    - `elsewhere`: files whose original is not in the user's config home.
    - `set`: keys that prevent first-run dialogs.

    Link only files that the program writes in place. A program that renames a new file over the
    link leaves the user with an old token.
    """

    copy: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    link_inside: tuple[str, ...] = ()
    login: tuple[str, ...] = ()
    elsewhere: tuple[Source, ...] = ()
    set: tuple[SetKeys, ...] = ()


class Drop(Table, frozen=True):
    """Keys that are removed from a `file` if a provider is set, because they would override it.

    Each is a dotted path; its parts may hold `*` (`env.ANTHROPIC_*`).
    """

    file: str
    keys: tuple[str, ...]


class ProviderKeys(Table, frozen=True):
    """How a provider is set.

    `env` is for the process, `args` for the command line (never the key), `set` for files of the
    config home. `drop` removes keys that would override the provider. `model_*` are used too if
    the provider names a model. An entry with a placeholder that has no value is left out.
    """

    env: dict[str, str] = {}
    args: tuple[str, ...] = ()
    set: tuple[SetKeys, ...] = ()
    drop: tuple[Drop, ...] = ()
    model_args: tuple[str, ...] = ()
    model_env: dict[str, str] = {}
    model_set: tuple[SetKeys, ...] = ()


class Exit(Table, frozen=True):
    """How the program is asked to end.

    `text` is submitted like an instruction; `keys` are written as they are. `codes` are exit codes
    and their meaning, in addition to 0.
    """

    text: str = ""
    keys: str = ""
    codes: dict[str, str] = {}


class Version(Table, frozen=True):
    """How the program's version is found, and how the program is installed.

    `args` make the program print its version. Group 1 of `pattern` matches it. `verified` are the
    versions with which this profile was tested. `install` is a command of a shell, for a person.
    """

    args: tuple[str, ...] = ("--version",)
    pattern: str = r"(\d+\.\d+\.\d+\S*)"
    verified: tuple[str, ...] = ()
    install: str = ""


class Profile(Table, frozen=True):
    """The description of one CLI.

    Only `command` is required; for `custom` the plan has it.

    - `bypass_args` make the program ask nothing. `ask_args` are used if it may ask; they open a
      sandbox, for example.
    - `ready` matches a screen that takes an instruction. Without it, the program is ready when it
      is quiet. `busy` matches the screen of a running turn.
    - `limits` are the screens of a server that refuses. `compact` is what is typed to have the
      program shorten a conversation that has become too long.
    - `markers` are the characters that mark an option in a list.
    - `env` are variables to set. Those in `unset` are never passed on. `keep` names the user's
      variables that hold the CLI's own login. Names may hold `*`. `keep_if` adds names where the
      user has set a variable that chooses a cloud.
    - `git_identity` says that the program hides the user's git configuration from its tools.
      Author and committer of commits are then set by variables.
    - `ready_timeout` is in seconds, `memory` in MiB: it is started only if so much is free.
    - `starters` are the files of a repository by which the program starts others (`clis.trust`).
    - `in_sandbox` says that it was verified in the sandbox, and has one unless the plan says "off".
      Another `command` is another program, which has to say it for itself.
    - `not_global` says why `switch = "global"` would set the wrong provider; then it is refused.
    """

    name: str
    command: tuple[str, ...] = ()
    ask_args: tuple[str, ...] = ()
    bypass_args: tuple[str, ...] = ()
    ready: str = ""
    busy: str = ""
    markers: str = "❯›●▶➤"
    prompts: tuple[PromptRule, ...] = ()
    limits: tuple[LimitRule, ...] = ()
    compact: str = ""
    usage: UsageRule = UsageRule()
    session: SessionRule = SessionRule()
    submit: Submit = Submit()
    home: Home = Home()
    seed: Seed = Seed()
    provider: ProviderKeys = ProviderKeys()
    env: dict[str, str] = {}
    unset: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    keep_if: dict[str, tuple[str, ...]] = {}
    git_identity: bool = False
    exit: Exit = Exit()
    version: Version = Version()
    ready_timeout: float = 60.0
    memory: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0
    switch: Literal["isolated", "global"] = "isolated"
    not_global: str = ""
    in_sandbox: bool = False
    starters: tuple[str, ...] = ()


_convert = converter(Profile)


def load(
    user_file: Path | None = None, plan_overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Profile]:
    """Return all profiles by name.

    `user_file`, if it exists, changes the built-in profiles. The plan's table `cli` changes the
    result. Raise `ProfileError` with the key's path and the rule if a profile is not valid.
    """
    tables = _read(BUILT_IN)
    if user_file is not None and user_file.exists():
        tables = _over(tables, _read(user_file), "")
    tables = _over(tables, dict(plan_overrides or {}), "cli")
    return {name: _profile(name, table) for name, table in tables.items()}


def version_is_verified(profile: Profile, version: str | None) -> bool:
    """Return whether the profile was tested with this version; one that lists none is trusted."""
    return not profile.version.verified or version in profile.version.verified


def find_version(profile: Profile, output: str) -> str | None:
    """Return the version in the output of the version command, or None."""
    found = re.search(profile.version.pattern, output)
    return found[1] if found else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return toml.loads(path.read_text(encoding="utf-8"))
    except (toml.TomlError, UnicodeDecodeError) as error:
        raise ProfileError(str(path), f"is not TOML: {error}") from error
    except OSError as error:
        raise ProfileError(str(path), f"cannot be read: {error.strerror}") from error


def _over(tables: dict[str, Any], over: Mapping[str, Any], path: str) -> dict[str, Any]:
    merged = _merged(tables, over, path)
    for name, table in over.items():
        if isinstance(table, Mapping) and "command" in table and "in_sandbox" not in table:
            merged[name].pop("in_sandbox", None)
    return merged


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
    """Check the rules that types cannot express. Raise `ProfileError`."""
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
    for index, limit in enumerate(profile.limits):
        patterns[f"limits[{index}].pattern"] = limit.pattern
    for key, pattern in patterns.items():
        _check_pattern(f"{path}.{key}", pattern)
    if re.compile(profile.version.pattern).groups < 1:
        raise ProfileError(f"{path}.version.pattern", "must have a group around the version")
    _check_session(f"{path}.session", profile.session)
    for key in (*_ARGS, *_ARGS_OF_PROVIDER):
        _check_args(f"{path}.{key}", attrgetter(key)(profile))
    _check_limits(path, profile)


def _check_session(path: str, rule: SessionRule) -> None:
    _check_pattern(f"{path}.id", rule.id)
    if re.compile(rule.id).groups < 1:
        raise ProfileError(f"{path}.id", "must have a group around the session's name")


def _check_limits(path: str, profile: Profile) -> None:
    if not profile.ready_timeout > 0:
        raise ProfileError(f"{path}.ready_timeout", "must be more than 0 seconds")
    if not 0 <= profile.submit.enter_delay_ms <= 10_000:
        raise ProfileError(f"{path}.submit.enter_delay_ms", "must be 0 to 10000 milliseconds")
    line = profile.submit.file
    if line and ("{file}" not in line or len(line.splitlines()) > 1):
        raise ProfileError(f"{path}.submit.file", "must be one line that holds {file}")
    if line and profile.submit.bracketed == "always":
        raise ProfileError(f"{path}.submit.file", 'is never used with bracketed = "always"')


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
