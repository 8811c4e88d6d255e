"""What `check`, `trust` and `plan show` answer."""

from typing import Any

import msgspec

PLACEHOLDER = "Say here what is to be done."
"""The instruction in the plan that `init` writes. `check` notes it where it still stands."""


class CheckedTask(msgspec.Struct):
    """One task of a checked plan.

    `terminals` are the programs, in the order of their turns. `after` are the ids of the tasks that
    must have completed before it begins. `check` runs on each commit that a coder hands on.
    `instructions` are the texts for the terminals, with all variables replaced.
    """

    id: str
    branch: str
    terminals: list[str]
    after: list[str] = []
    check: list[str] | None = None
    instructions: list[str] = []


class CheckedProgram(msgspec.Struct):
    """What would run in one terminal of a checked plan: `TASK/N`, `merge` or `error`.

    `command` is the program with its arguments, before placeholders are filled. The key in the
    variable `key` goes to `base_url`; both are "" for the program's own login, of which `login`
    names the variables that it gets. With `gateway` the key stays with the model gateway, and the
    program never has it. `auto_confirm` says who answers its questions,
    and `keep` that it waits while its work is judged. `unfenced` says why the check gave it no
    sandbox, and `fence` which one it has, where it is not bubblewrap's. `env` are the variables
    that the plan's own profile sets, before placeholders are filled.
    """

    terminal: str
    cli: str
    command: list[str]
    provider: str
    base_url: str
    key: str
    login: list[str]
    auto_confirm: str
    sandbox: str
    network: str
    gateway: bool = False
    keep: bool = False
    unfenced: str = ""
    fence: str = ""
    env: dict[str, str] = {}


class CheckedPlan(msgspec.Struct):
    """What a plan would run, and warnings about it."""

    name: str
    repo: str
    target: str
    target_commit: str
    test: list[str] | None
    max_terminals: int
    tasks: list[CheckedTask]
    launch_order: list[str]
    warnings: list[str]
    setup: list[str] | None = None
    setup_inputs: list[str] = []
    programs: list[CheckedProgram] = []
    copied: list[str] = []
    """The files that are copied into each worktree."""
    test_env: list[str] = []
    """The variables that look like keys, are set, and reach the tests."""
    tests_fenced: bool = False
    """Whether the tests run in a sandbox."""
    environment: dict[str, str] = {}
    """The variables that the plan sets for all that runs."""
    notify: list[str] = []
    """The program and the web address that are told what happens."""
    starters: list[str] = []
    """The repository's files by which these CLIs start hooks, MCP servers or plugins."""
    untrusted: list[str] = []
    """Those of them that nobody has trusted; the plan is refused until somebody has."""


class Trusted(msgspec.Struct):
    """What CLIs would start in a directory of a repository, and whether somebody trusts it.

    `trusted` were trusted before, `added` are trusted from now on, `unread` cannot be read and
    are trusted by nobody, and `untrusted` are left.
    """

    repository: str
    trusted: list[str]
    added: list[str] = []
    untrusted: list[str] = []
    unread: list[str] = []


class ShownPlan(msgspec.Struct):
    """The plan of a workflow as it is now: decoded, and as the text of a plan file."""

    plan: dict[str, Any]
    toml: str
