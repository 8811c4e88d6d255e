"""Refused requests, and the error body with which every door reports them.

`{"code": 400, "reason": "not_ready", "message": "…", "path": "task[0].branch",
"actions": [{"do": "why", "address": "demo/"}]}`.
"""

import errno
from collections.abc import Sequence
from enum import StrEnum
from http import HTTPStatus

import msgspec

from bus.action import Action, Do
from bus.reasons import Reason

_ROOM = "make room there, or name a home on another disk with --home"
_HELPS = {
    errno.EFBIG: "`ulimit -f unlimited` lifts the limit of this shell",
    errno.EMFILE: "it takes as many as `ulimit -Hn` allows, and needs more",
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
}


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """The `error` of a reply.

    `code` is an HTTP status, `reason` a word for programs (mostly a `bus.reasons.Reason`; a newer
    runtime may say others), `message` a sentence for people, and
    `path` the field at fault. `actions` are steps in Callboard that help; `help` is advice outside
    Callboard, such as a git command.
    """

    code: int
    reason: str
    message: str
    path: str = ""
    help: str = ""
    actions: list[Action] = []


NO_BODY = ErrorBody(500, Reason.UNKNOWN, "an error without a body")
"""The error of a reply that says it failed and does not say how."""


class Refused(Exception):  # an answer, not a defect
    """A request that is answered with an error.

    Any part between the gateway and the journal may raise it, and the gateway turns it into the
    reply. The request has changed nothing.
    """

    def __init__(
        self,
        code: int,
        reason: StrEnum,
        message: str,
        *,
        path: str = "",
        help: str = "",
        actions: Sequence[Action] = (),
    ) -> None:
        super().__init__(message)
        self.body = ErrorBody(code, reason.value, message, path, help, list(actions))

    @classmethod
    def told(cls, body: ErrorBody) -> "Refused":
        """Return the refusal that another process told as `body`, whose reason may be any word."""
        refused = cls(body.code, Reason.UNKNOWN, body.message)
        refused.body = body
        return refused

    def __str__(self) -> str:
        where = f"{self.body.path}: " if self.body.path else ""
        return where + self.body.message


class Explained(Exception):
    """A rule that a user broke, and what the user can do.

    Parts that do not know requests raise it; the reply has code 400.
    """

    rule: StrEnum
    message: str
    help: str


def illegal(
    reason: StrEnum, message: str, *, help: str = "", actions: Sequence[Action] = ()
) -> Refused:
    """Return a refusal with code 400: the request is not allowed in this state."""
    return Refused(HTTPStatus.BAD_REQUEST, reason, message, help=help, actions=actions)


def unknown(what: str, name: str, *, actions: Sequence[Action] = (Action(Do.LIST),)) -> Refused:
    """Return a refusal with code 404: nothing has this name."""
    return Refused(HTTPStatus.NOT_FOUND, Reason.UNKNOWN, f"no {what} {name!r}", actions=actions)


def malformed(
    path: str, message: str, *, help: str = "", actions: Sequence[Action] = ()
) -> Refused:
    """Return a refusal with code 422: the field `path` of a request or plan is wrong."""
    code = HTTPStatus.UNPROCESSABLE_ENTITY
    return Refused(code, Reason.MALFORMED, message, path=path, help=help, actions=actions)


def in_words(error: Exception) -> str:
    """Return an error as people read it, and what helps if the system refused for a known limit."""
    help = _HELPS.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"{error}; {help}" if help else str(error)
