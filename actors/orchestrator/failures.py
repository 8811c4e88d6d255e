"""Why an attempt to ask a model failed, and what may be tried next."""

import re
from enum import Enum

from bus import logs
from bus.visible import visible

LONGEST = 500
"""Characters of an error's text."""
_RECOGNISABLE = 6
"""Characters at the start of a key by which a shortened one is known (`sk-ab…wxyz`)."""


class Next(Enum):
    """What may help after a failure."""

    OTHER_FORM = "other form"
    """The server refuses the form of the request: ask in another form."""
    AGAIN = "again"
    """The server is busy, broken or out of reach: ask again, later."""
    OTHER_ENDPOINT = "other endpoint"
    """The same request would fail again, whenever it is sent."""
    NOTHING = "nothing"
    """The model has answered, and gave no arguments that fit."""


class Failure(Exception):
    """An attempt failed. `after` is how many seconds the server asks to be left alone, 0 if not.

    `is_answer` says that the server has answered with an error, so it has made no tokens.
    """

    def __init__(
        self, reason: str, then: Next, *, after: float = 0.0, is_answer: bool = False
    ) -> None:
        super().__init__(reason)
        self.then = then
        self.after = after
        self.is_answer = is_answer


def told(text: str, key: str = "") -> str:
    """Return a text from outside as one short line, without keys and control characters.

    The key is taken out also where only its beginning was kept.
    """
    text = logs.without_secrets(text)
    if len(key) > 2 * _RECOGNISABLE:
        text = re.sub(re.escape(key[:_RECOGNISABLE]) + r"[^\s\"',]*", logs.HIDDEN, text)
    line = visible(" ".join(text.split()))
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
