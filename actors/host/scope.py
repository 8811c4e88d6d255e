"""A scope of systemd for a terminal's program: a limit for its memory. Standard library only.

The child that becomes the program asks systemd's manager to put it into a scope (a cgroup), and
waits until it is there; all that the program starts is in the scope, too. The manager is asked at
its own socket, so no bus and no `systemd-run` is needed. `docs/host.md` describes the option.

Run by path (`scope.py SCOPE`) it enters a scope itself: a trial, which exits 1 with the reason.
"""

import _socket as socket  # without the enums and selectors of the wrapper around it
import os
import struct
import sys
import time

PATIENCE = 5.0
"""Seconds that the manager may take. After them the program starts without a scope."""
_REPLY = 1 << 16
_RETURN, _ERROR = 2, 3  # kinds of D-Bus messages


def enter(scope: str) -> str:
    """Move this process into a new scope. Return why it is not in one, or "".

    `scope` is `UNIT:SLICE:BYTES:SOCKET`: the scope's name, the slice that contains it ("" is the
    manager's own choice), the most memory, and the manager's socket. Block for up to `PATIENCE`.
    """
    deadline = time.monotonic() + PATIENCE
    try:
        unit, where, most, path = scope.split(":", 3)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(PATIENCE)
            sock.connect(path)
            _introduce(sock)
            said = _call(sock, _start(unit, where, int(most), os.getpid(), spared=True), deadline)
            if said:  # an older one knows no policy for scopes, and spares the others anyway
                said = _call(sock, _start(unit, where, int(most), os.getpid()), deadline)
        finally:
            sock.close()
        return said or _wait(unit, deadline)
    except (OSError, ValueError, struct.error) as error:
        return f"systemd's manager did not make a scope: {error}"


def _introduce(sock: "socket.socket") -> None:
    """Say who we are, which the manager checks with the kernel."""
    sock.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
    said = sock.recv(512)
    if not said.startswith(b"OK"):
        raise ValueError(f"it refused us: {said.decode('ascii', 'replace').strip()}")
    sock.sendall(b"BEGIN\r\n")


def _call(sock: "socket.socket", message: bytes, deadline: float) -> str:
    """Send a request, and return what the error in its answer says; "" is none."""
    sock.sendall(message)
    inbox = b""
    while True:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        more = sock.recv(_REPLY)
        if not more:
            raise ValueError("it closed the connection")
        inbox += more
        while len(inbox) >= 16:
            order = "<" if inbox[:1] == b"l" else ">"
            size, _, fields = struct.unpack_from(order + "III", inbox, 4)
            start = 16 + fields + -fields % 8
            if len(inbox) < start + size:
                break
            kind, body, inbox = inbox[1], inbox[start : start + size], inbox[start + size :]
            if kind == _RETURN:
                return ""
            if kind == _ERROR:
                return body[4:-1].decode("utf-8", "replace") or "it refused"


def _wait(unit: str, deadline: float) -> str:
    """Wait until this process is in the scope: the manager answers before it has moved it."""
    while True:
        with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as file:
            if file.read().strip().endswith("/" + unit):
                return ""
        if time.monotonic() >= deadline:
            return f"systemd's manager did not move it within {PATIENCE:g} s"
        time.sleep(0.002)  # no event tells a process that it was moved


# ---- the request, as D-Bus has it ------------------------------------------------------------


def _start(unit: str, where: str, most: int, pid: int, spared: bool = False) -> bytes:
    """Return the request for a scope that has the process `pid`.

    It is unloaded when it is empty. When one of its processes is ended for want of memory, the
    others are `spared`.
    """
    properties = [
        ("Description", "s", _text("a program of Callboard")),
        ("CollectMode", "s", _text("inactive-or-failed")),
        ("MemoryMax", "t", struct.pack("<Q", most)),
        ("PIDs", "au", struct.pack("<II", 4, pid)),
    ]
    if where:
        properties.append(("Slice", "s", _text(where)))
    if spared:
        properties.append(("OOMPolicy", "s", _text("continue")))
    body = _padded(_text(unit), 4) + _text("fail")
    body = _padded(body, 4)
    array = b""  # it begins at a multiple of eight
    for name, kind, value in properties:
        array = _padded(array, 8) + _text(name) + bytes((len(kind),)) + kind.encode() + b"\0"
        array = _padded(array, 8 if kind == "t" else 4) + value
    body = _padded(body + struct.pack("<I", len(array)), 8) + array
    body = _padded(body, 4) + struct.pack("<I", 0)
    body = _padded(body, 8)  # no other units: an array of nothing is padded, too
    return _header(len(body)) + body


def _header(size: int) -> bytes:
    fields = b""
    for code, kind, value in (
        (1, "o", "/org/freedesktop/systemd1"),
        (2, "s", "org.freedesktop.systemd1.Manager"),
        (3, "s", "StartTransientUnit"),
        (6, "s", "org.freedesktop.systemd1"),
        (8, "g", "ssa(sv)a(sa(sv))"),
    ):
        fields = _padded(fields, 8) + bytes((code, 1)) + kind.encode() + b"\0"
        text = value.encode()
        fields += bytes((len(text),)) + text + b"\0" if kind == "g" else _text(value)
    start = struct.pack("<cBBBIII", b"l", 1, 0, 1, size, 1, len(fields))
    return _padded(start + fields, 8)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data + b"\0"


def _padded(data: bytes, to: int) -> bytes:
    return data + b"\0" * (-len(data) % to)


if __name__ == "__main__":
    sys.exit(enter(sys.argv[1]) or 0)
