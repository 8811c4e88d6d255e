"""The words between a terminal host and whoever connects to it. Standard library only.

Protocol, on the Unix socket: frames of u32 payload length, u8 type, payload; big-endian; first
HELLO. Anything malformed closes that connection, as does leaving 1 MiB of answers unread. A key
has 1 to 256 bytes, an INPUT 1 to 256 steps, a payload 1 MiB at most.

    to the host                                  from the host
    HELLO   token                                WELCOME  u64 incarnation, u32 program pid,
                                                          u64 log start, u64 log end, u8 exited,
                                                          u16 rows, u16 columns
    INPUT   u16 size, key, then steps of         ACK      u8 DONE|ALREADY|REFUSED,
            u32 ms to wait after, u32 size,               u64 offset at its first byte, key
            bytes
    KEY     key                                  KEY_STATE  u8 UNKNOWN|PENDING|TYPED|CUT,
                                                          u64 offset, key
    OUTPUT  u64 from, u32 at most                BYTES    u64 real start, bytes (none at the end)
    FOLLOW  u8 on, u64 from                      PUSH     u64 real start, bytes; again and again
    QUIET   u32 ms, ... (none: off)              SILENT   u32 ms, u64 log end
    RESIZE  u16 rows, u16 columns                RESIZED  the same, to every client
    SIGNAL  u8 number, u8 PROGRAM|GROUP|SESSION
    END     u32 grace ms                         EXIT     the text of exit.json, to every client

An INPUT is carried out once for its key, whole and in order, even if its sender is gone: the
same key again is ACKed ALREADY (when it has been typed) and not typed again. REFUSED: the
program ended first, or 4 MiB or 1000 requests wait to be typed. A SILENT comes once for each
burst: a burst begins with the program's start, with output, and with an INPUT carried out.
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
    """One frame, ready to be sent."""
    return b"".join((HEAD.pack(sum(map(len, parts)), kind), *parts))


def take(inbox: bytearray, limit: int = FRAME_LIMIT) -> tuple[int, bytes] | None:
    """Removes the first whole frame from inbox: (kind, payload), or None while it is not whole.

    Raises ValueError for a payload longer than limit.
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
    """The steps of an INPUT: (bytes, ms to wait after). Raises ValueError or struct.error."""
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
    """Splits u16 size, key, rest. Raises ValueError or struct.error."""
    (size,) = KEY_SIZE.unpack_from(payload)
    rest = KEY_SIZE.size + size
    if not 0 < size <= KEY_LIMIT or rest > len(payload):
        raise ValueError(f"a key of {size} bytes")
    return payload[KEY_SIZE.size : rest], payload[rest:]
