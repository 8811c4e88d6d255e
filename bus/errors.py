"""What can be refused, and how a refusal is said.

Every door (command line, sockets, HTTP) shows the same body:
`{"code": 400, "reason": "not_ready", "message": "…", "path": "task[0].branch"}`.
"""

from http import HTTPStatus

import msgspec


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """The `error` of a reply. `code` follows HTTP, `reason` is a word for programs,
    `message` a sentence for people, `path` the field at fault, `help` the command
    that goes on."""

    code: int
    reason: str
    message: str
    path: str = ""
    help: str = ""


class Refused(Exception):  # an answer, not a defect
    """A request that is answered with an error. Raised anywhere between the door and
    the journal; the door turns it into the reply, and nothing has been changed."""

    def __init__(
        self, code: int, reason: str, message: str, *, path: str = "", help: str = ""
    ) -> None:
        super().__init__(message)
        self.body = ErrorBody(code, reason, message, path, help)

    def __str__(self) -> str:
        where = f"{self.body.path}: " if self.body.path else ""
        return where + self.body.message


def illegal(reason: str, message: str, *, help: str = "") -> Refused:
    """400: not in this state."""
    return Refused(HTTPStatus.BAD_REQUEST, reason, message, help=help)


def unknown(what: str, name: str, *, help: str = "python run.py ps") -> Refused:
    """404: nothing has this name."""
    return Refused(HTTPStatus.NOT_FOUND, "unknown", f"no {what} {name!r}", help=help)


def malformed(path: str, message: str, *, help: str = "") -> Refused:
    """422: the words are wrong; `path` names the field."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", message, path=path, help=help)
