"""The tables of a profile that read what a program shows and writes about its model's server."""

from typing import Literal

import msgspec


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a profile. An unknown key in it is an error."""


class LimitRule(Table, frozen=True):
    """A screen on which the program says that its model's server refuses it.

    `by` is the kind of limit. The named groups of `pattern` say when it ends: see
    `actors.clis.limits.reset_of`. A group `text` is what a person is told, else the whole match.
    With `retries` the program tries again by itself; otherwise it stands at its prompt, or, with
    `by = "login"`, may show a page where a person logs in.
    """

    by: Literal["usage", "rate", "overload", "login", "credit", "context"]
    pattern: str
    retries: bool = False


class UsageRule(Table, frozen=True):
    """Where the program writes how many tokens a request took.

    `files` is a pattern of JSON-lines files below the config home. The others are dotted paths into
    a line: `id` names the request (lines of one request are not added up); the numbers at `input`
    (with what was read from a cache), `output` and `cached` are added up.
    """

    files: str = ""
    id: str = ""
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    cached: tuple[str, ...] = ()


class SessionRule(Table, frozen=True):
    """How a conversation of the program goes on in another process.

    `files` is a pattern of files below the config home, one for each session; group 1 of `id` finds
    the session's name in a file's name. `resume` takes the place of `command`, with `{session}`.
    """

    files: str = ""
    id: str = r"([0-9a-f]{8}-[0-9a-f-]{27})"
    resume: tuple[str, ...] = ()
