"""What the runtime and the process of the model gateway tell each other, and where they meet.

Both write lines of JSON into one Unix socket, on which the process listens. The runtime connects,
shows the secret, and goes on listening. The process outlives the runtime and serves the next one.
"""

import hashlib
from pathlib import Path

import msgspec

from actors.platform.files import read_bounded
from bus import connection
from bus.kinds import LimitKind

PLACE = "models.json"
LOCK = "models.lock"
LOG = "models.log"
"""Files of the home: a `Place`, the lock that the process holds, and what it writes on errors."""

COUNTED = "counted.json"
"""A `Used` in the directory of an incarnation whose provider is behind the gateway."""
_SMALL = 1 << 16


class Start(msgspec.Struct, frozen=True):
    """The first line of the process's standard input.

    `port` is the one to listen on, if it can be had; 0 takes any. `control` is the socket for the
    runtime, `door` the one for programs without a network.
    """

    home: str
    secret: str
    port: int
    control: str
    door: str


class Place(msgspec.Struct, frozen=True):
    """Where the gateway is. It is written when the process listens."""

    pid: int
    port: int
    control: str


class Used(msgspec.Struct, frozen=True):
    """What one incarnation has used, as its provider's answers say.

    `input` includes `cached`. `untold` counts the answers that did not say what they used.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    requests: int = 0
    untold: int = 0

    def plus(self, other: "Used") -> "Used":
        """Return the sum."""
        return Used(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.requests + other.requests,
            self.untold + other.untold,
        )


class Grant(msgspec.Struct, frozen=True):
    """What a token is good for: requests to one provider, while its incarnation's host lives.

    `directory` is that of the host. No `models` means any. `left` are the tokens that a hard cap
    still leaves; None without one. `limited` says that the account is known to be limited. `repr`
    does not show the key.
    """

    terminal: str
    directory: str
    account: str
    base_url: str
    key: str
    models: tuple[str, ...] = ()
    left: int | None = None
    limited: bool = False

    def __repr__(self) -> str:
        return f"Grant(terminal={self.terminal!r}, base_url={self.base_url!r})"


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The runtime's first line: the secret that only it and the process know."""

    secret: str


class Granted(msgspec.Struct, frozen=True, tag=True):
    """The runtime's answer to `Asked`; without a grant, `why` the token is refused."""

    token: str
    grant: Grant | None = None
    why: str = ""


class Taken(msgspec.Struct, frozen=True, tag=True):
    """The runtime has stored what happened, up to this number."""

    number: int


class Asked(msgspec.Struct, frozen=True, tag=True):
    """The process asks what a token is good for."""

    token: str


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A provider refused a request, or did not answer.

    `until` is the time (Unix seconds) at which it serves again, 0 if it did not say. `text` is how
    it failed, if it did. `number` counts what happened; it is told again until `Taken` names it.
    """

    number: int
    terminal: str
    account: str
    by: LimitKind
    until: float = 0.0
    text: str = ""


class Served(msgspec.Struct, frozen=True, tag=True):
    """A provider that refused before has answered; `number` is as in `Refused`."""

    number: int
    terminal: str
    account: str


FromRuntime = Hello | Granted | Taken
FromProcess = Asked | Refused | Served
Happened = Refused | Served

decode_start = msgspec.json.Decoder(Start).decode
decode_from_runtime = msgspec.json.Decoder(FromRuntime).decode
decode_from_process = msgspec.json.Decoder(FromProcess).decode
decode_place = msgspec.json.Decoder(Place).decode
_decode_used = msgspec.json.Decoder(Used).decode


def line(said: FromRuntime | FromProcess | Start | Place) -> bytes:
    """Return the line that says this."""
    return msgspec.json.encode(said) + b"\n"


def token_of(host_token: str) -> str:
    """Return the token with which a program asks its model.

    It is made from the token of the program's host and does not give that away.
    """
    return "callboard-" + hashlib.sha256(f"model {host_token}".encode()).hexdigest()[:40]


def read_place(home: Path) -> Place | None:
    """Return where the gateway of a home was last; None if that is unknown."""
    try:
        return decode_place(read_bounded(home / PLACE, _SMALL, follow=False))
    except (OSError, msgspec.DecodeError):
        return None


def read_used(directory: Path) -> Used | None:
    """Return what an incarnation has used; None if that is unknown, or it has no gateway."""
    try:
        return _decode_used(read_bounded(directory / COUNTED, _SMALL, follow=False))
    except (OSError, msgspec.DecodeError):
        return None


def lives(home: Path) -> bool:
    """Return whether a process of the gateway serves this home: it holds the lock."""
    return connection.is_held(home, LOCK)
