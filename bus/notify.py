"""The table `[notify]` of a plan: how a person is told what waits or is over."""

import re
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

_Word = Annotated[str, msgspec.Meta(min_length=1)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Notify(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """How notices are sent: to a program, to a web address, or to both.

    `command` gets a notice as JSON on its standard input, `url` as the body of a POST. `secret_env`
    names the variable with the key that signs the body. `every` is the time between two notices,
    and `timeout` what one may take; both are in seconds.
    """

    command: Annotated[list[_Word], msgspec.Meta(min_length=1)] | None = None
    url: str = ""
    secret_env: str = ""
    every: _Seconds = 60
    timeout: _Seconds = 30

    def ways(self) -> list["Notify"]:
        """Return a table for the command and one for the address, as far as they are given."""
        found = []
        if self.command is not None:
            found.append(msgspec.structs.replace(self, url="", secret_env=""))
        if self.url:
            found.append(msgspec.structs.replace(self, command=None))
        return found

    @property
    def to(self) -> str:
        """Whom a notice goes to, in a word: the program, or the host of the address."""
        if self.command is not None:
            return self.command[0]
        return urlsplit(self.url).hostname or ""


def faults(notify: Notify | None) -> list[tuple[str, str]]:
    """Return each key at fault with the rule that it breaks, beyond its type."""
    if notify is None:
        return []
    if not notify.ways():
        return [("command", "or `url` must be there")]
    found = []
    if notify.url and not _is_address(notify.url):
        found.append(("url", "must be an http:// or https:// address, without a password"))
    if notify.secret_env and not notify.url:
        found.append(("secret_env", "signs what goes to `url`, and there is no `url`"))
    elif notify.secret_env and not _NAME.fullmatch(notify.secret_env):
        found.append(("secret_env", "must be the name of a variable: letters, digits and _"))
    return found


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets that do not match, or a port that is no port
        return False
    return bool(sound) and not parts.username and not parts.password and url.isprintable()


class Notice(msgspec.Struct, kw_only=True):
    """How far a person was told, by one way.

    `recipient` is a `Notify` as JSON. `told` is the seq up to which the person was told;
    `seqs` are those of the facts that are being told now, by the try `number`.
    """

    recipient: str
    told: int = 0
    seqs: list[int] = []
    number: int = 0
