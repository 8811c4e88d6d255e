"""What a host tells its clients, as structs, and the decoding of its frames."""

from enum import IntEnum

import msgspec

from actors.host import wire
from actors.pty.records import Exit, decode_exit


class Result(IntEnum):
    """What became of an INPUT."""

    DONE = wire.DONE
    """It was typed, by this request."""
    ALREADY = wire.ALREADY
    """It was typed before, by an earlier request with the same key."""
    REFUSED = wire.REFUSED
    """It was not typed completely: the program ended, or too much input waits."""


class KeyState(IntEnum):
    """What the host knows of an INPUT, by its key."""

    UNKNOWN = wire.UNKNOWN
    PENDING = wire.PENDING
    TYPED = wire.TYPED
    CUT = wire.CUT
    """The program ended when only a part was typed."""


class Scope(IntEnum):
    """The processes that get a signal."""

    PROGRAM = wire.PROGRAM
    GROUP = wire.GROUP
    """The foreground process group of the terminal."""
    SESSION = wire.SESSION
    """The program's session, and on Linux all its descendants."""


class Welcome(msgspec.Struct, frozen=True):
    """The host accepted the connection. The output on disk reaches from `start` to `end`."""

    incarnation: int
    program_pid: int
    start: int
    end: int
    exited: bool
    rows: int
    columns: int


class Acknowledged(msgspec.Struct, frozen=True):
    """The result of an INPUT. `offset` was the end of the output when its first byte was typed."""

    key: bytes
    result: Result
    offset: int


class KeyKnown(msgspec.Struct, frozen=True):
    """The answer to `Link.ask_key`."""

    key: bytes
    state: KeyState
    offset: int


class Output(msgspec.Struct, frozen=True):
    """Output at its absolute offset, which is greater than expected where output was lost.

    `pushed` tells output for a follower from the answer to `Link.ask_output`. An answer without
    bytes means that there is no output from there on.
    """

    offset: int
    data: bytes
    pushed: bool


class Silent(msgspec.Struct, frozen=True):
    """For `ms` milliseconds the program wrote nothing and nothing was typed."""

    ms: int
    offset: int


class Resized(msgspec.Struct, frozen=True):
    """The terminal has a new size."""

    rows: int
    columns: int


class Ended(msgspec.Struct, frozen=True):
    """The program has ended, and all output was sent. The host waits 2 s for the link to close."""

    exit: Exit


class Closed(msgspec.Struct, frozen=True):
    """The connection is over, which tells nothing about the program. Always the last event."""

    reason: str


Event = Welcome | Acknowledged | KeyKnown | Output | Silent | Resized | Ended | Closed


def decode_event(kind: int, payload: bytes) -> Event:
    """Decode one frame. Raise ValueError, struct.error or msgspec.DecodeError if malformed."""
    if kind in (wire.PUSH, wire.BYTES):
        (offset,) = wire.FROM.unpack_from(payload)
        return Output(offset, payload[wire.FROM.size :], kind == wire.PUSH)
    if kind == wire.WELCOME:
        incarnation, pid, start, end, exited, *size = wire.GREETING.unpack(payload)
        return Welcome(incarnation, pid, start, end, bool(exited), *size)
    if kind == wire.ACK:
        result, offset = wire.STATE.unpack_from(payload)
        return Acknowledged(payload[wire.STATE.size :], Result(result), offset)
    if kind == wire.KEY_STATE:
        state, offset = wire.STATE.unpack_from(payload)
        return KeyKnown(payload[wire.STATE.size :], KeyState(state), offset)
    if kind == wire.SILENT:
        return Silent(*wire.SILENCE.unpack(payload))
    if kind == wire.RESIZED:
        return Resized(*wire.SIZE.unpack(payload))
    if kind == wire.EXIT:
        return Ended(decode_exit(payload))
    raise ValueError(f"unknown frame {kind}")
