"""The frames between a terminal host and its clients. Standard library only.

`docs/host.md` documents the protocol.
"""

import struct

HELLO, INPUT, KEY, OUTPUT, FOLLOW, QUIET, RESIZE, SIGNAL, END = range(1, 10)
WELCOME, ACK, KEY_STATE, BYTES, PUSH, SILENT, RESIZED, EXIT = range(64, 72)
DONE, ALREADY, REFUSED = range(3)
UNKNOWN, PENDING, TYPED, CUT = range(4)
PROGRAM, GROUP, SESSION = range(3)

HEAD = struct.Struct(">IB")
GREETING = struct.Struct(">QIQQBHH")
STATE = struct.Struct(">BQ")
STEP = struct.Struct(">II")
FROM = struct.Struct(">Q")
RANGE = struct.Struct(">QI")
SWITCH = struct.Struct(">BQ")
SILENCE = struct.Struct(">IQ")
SIZE = struct.Struct(">HH")
PAIR = struct.Struct(">BB")
MS = struct.Struct(">I")
KEY_SIZE = struct.Struct(">H")

FRAME_LIMIT = 1 << 20  # bytes of one payload
HELLO_LIMIT = 256
KEY_LIMIT = 256
STEPS_LIMIT = 256


def frame(kind: int, *parts: bytes) -> bytes:
    """Return one frame: u32 payload length, u8 kind, payload."""
    return b"".join((HEAD.pack(sum(map(len, parts)), kind), *parts))


def take(inbox: bytearray, limit: int = FRAME_LIMIT) -> tuple[int, bytes] | None:
    """Remove the first frame from `inbox` and return (kind, payload); None if it is incomplete.

    Raise ValueError if the payload is longer than `limit`.
    """
    if len(inbox) < HEAD.size:
        return None
    size, kind = HEAD.unpack_from(inbox)
    if size > limit:
        raise ValueError(f"a frame of {size} bytes; the limit is {limit}")
    end = HEAD.size + size
    if len(inbox) < end:
        return None
    payload = bytes(inbox[HEAD.size : end])
    del inbox[:end]
    return kind, payload


def steps(payload: bytes) -> list[tuple[bytes, int]]:
    """Return the steps of an INPUT: (bytes, ms to wait after). Raise ValueError or struct.error."""
    found = []
    at = 0
    while at < len(payload):
        wait, size = STEP.unpack_from(payload, at)
        at += STEP.size
        if not size or at + size > len(payload):
            raise ValueError("a step is empty or longer than its frame")
        found.append((payload[at : at + size], wait))
        at += size
    if not 0 < len(found) <= STEPS_LIMIT:
        raise ValueError(f"an INPUT of {len(found)} steps")
    return found


def keyed(payload: bytes) -> tuple[bytes, bytes]:
    """Split u16 size, key and rest. Return (key, rest). Raise ValueError or struct.error."""
    (size,) = KEY_SIZE.unpack_from(payload)
    rest = KEY_SIZE.size + size
    if not 0 < size <= KEY_LIMIT or rest > len(payload):
        raise ValueError(f"a key of {size} bytes")
    return payload[KEY_SIZE.size : rest], payload[rest:]
