"""Refused requests, and the error body that every door shows for one.

`{"code": 400, "reason": "not_ready", "message": "…", "path": "task[0].branch",
"actions": [{"do": "why", "address": "demo/"}]}`.
"""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from bus.action import Action, Do


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """The `error` of a reply.

    `code` follows HTTP, `reason` is a word for programs, `message` a sentence for people, `path`
    the field at fault. `actions` are the steps of Callboard that help; `help` is advice outside
    Callboard, such as a git command.
    """

    code: int
    reason: str
    message: str
    path: str = ""
    help: str = ""
    actions: list[Action] = []


class Refused(Exception):  # an answer, not a defect
    """A request that is answered with an error.

    Any part between the gateway and the journal may raise it; the gateway makes the reply. Nothing
    has been changed.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        path: str = "",
        help: str = "",
        actions: Sequence[Action] = (),
    ) -> None:
        super().__init__(message)
        self.body = ErrorBody(code, reason, message, path, help, list(actions))

    def __str__(self) -> str:
        where = f"{self.body.path}: " if self.body.path else ""
        return where + self.body.message


class Explained(Exception):
    """A rule that a user broke, and what the user can do. Raised by parts that know no requests;
    answered with 400."""

    rule: str
    message: str
    help: str


def illegal(
    reason: str, message: str, *, help: str = "", actions: Sequence[Action] = ()
) -> Refused:
    """400: the request is not allowed in this state."""
    return Refused(HTTPStatus.BAD_REQUEST, reason, message, help=help, actions=actions)


def unknown(what: str, name: str, *, actions: Sequence[Action] = (Action(Do.LIST),)) -> Refused:
    """404: nothing has this name."""
    return Refused(HTTPStatus.NOT_FOUND, "unknown", f"no {what} {name!r}", actions=actions)


def malformed(
    path: str, message: str, *, help: str = "", actions: Sequence[Action] = ()
) -> Refused:
    """422: the request or the plan is wrong; `path` names the field."""
    code = HTTPStatus.UNPROCESSABLE_ENTITY
    return Refused(code, "malformed", message, path=path, help=help, actions=actions)
