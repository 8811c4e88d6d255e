"""The error that a user can cause: it names the rule that was broken and says what helps."""

from enum import StrEnum

from actors.git.running.names import shown
from bus.errors import Explained


class Rule(StrEnum):
    """The rule that was broken. The values are stable: callers and tests compare them."""

    GIT_MISSING = "git_missing"
    NOT_THERE = "not_there"
    NOT_A_REPOSITORY = "not_a_repository"
    BARE = "bare"
    EMPTY = "empty"
    OWNERSHIP = "ownership"
    REFTABLE = "reftable"
    SHA256 = "sha256"
    PARTIAL = "partial"
    FORMAT = "format"
    SETTINGS = "settings"
    DAMAGED = "damaged"
    TARGET_MISSING = "target_missing"
    BRANCH_NAME = "branch_name"
    BRANCH_CONFLICT = "branch_conflict"
    BRANCH_EXISTS = "branch_exists"
    BRANCH_CHECKED_OUT = "branch_checked_out"
    NOT_OURS = "not_ours"
    PATH_IN_THE_WAY = "path_in_the_way"
    NESTED_REPOSITORY = "nested_repository"
    UNRELATED = "unrelated"
    DISPLACED = "displaced"


class RepositoryError(Explained):
    """A repository, branch or path breaks a rule. `help` says what the user can do."""

    rule: Rule

    def __init__(self, rule: Rule, message: str, help: str) -> None:
        super().__init__(shown(f"{message} ({help})"))
        self.rule = rule
        self.message = shown(message)
        self.help = shown(help)
