"""Clients of a host: which are accepted, and that strangers lock nobody out."""

import os
import socket

from actors.host import wire
from actors.pty.events import Ended, Output
from tests.actors.host.host_kit import WAIT, Terminal, collect


def knock(terminal: Terminal) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(terminal.socket))
    sock.settimeout(WAIT)
    return sock


def hangs_up(sock: socket.socket) -> bool:
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    sock.close()
    return True


GARBAGE = {
    "noise": os.urandom(4096),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "wrong token": wire.frame(wire.HELLO, b"guess"),
    "no hello": wire.frame(wire.END, wire.MS.pack(0)),
    "huge hello": wire.HEAD.pack(1 << 31, wire.HELLO),
}
RUDE = {
    "unknown frame": wire.frame(200, b"x"),
    "huge frame": wire.HEAD.pack(1 << 31, wire.INPUT),
    "short frame": wire.frame(wire.OUTPUT, b"x"),
    "no steps": wire.frame(wire.INPUT, wire.KEY_SIZE.pack(1), b"k"),
    "no key": wire.frame(wire.INPUT, wire.KEY_SIZE.pack(0), wire.STEP.pack(0, 1), b"x"),
    "long step": wire.frame(wire.INPUT, wire.KEY_SIZE.pack(1), b"k", wire.STEP.pack(0, 9), b"x"),
    "no such signal": wire.frame(wire.SIGNAL, wire.PAIR.pack(250, 0)),
    "no such scope": wire.frame(wire.SIGNAL, wire.PAIR.pack(15, 9)),
    "odd silence": wire.frame(wire.QUIET, b"abc"),
}


def test_garbage_closes_its_own_connection_only(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "echo up; read x; exit 4")
    with terminal.connect() as console:
        for garbage in GARBAGE.values():
            sock = knock(terminal)
            sock.sendall(garbage)
            assert hangs_up(sock)
        for rude in RUDE.values():
            sock = knock(terminal)
            sock.sendall(wire.frame(wire.HELLO, terminal.token.encode()) + rude)
            assert hangs_up(sock)
        collect(console, b"up")
        console.link.type(b"k", [(b"\n", 0)])
        assert console.next(Ended, WAIT).exit.status == 4


def test_strangers_at_the_door_keep_nobody_out(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "echo up; read x; exit 4")
    crowd = [knock(terminal) for _ in range(100)]
    with terminal.connect() as console:
        collect(console, b"up")
        for sock in crowd:
            sock.close()


def test_a_client_that_asks_and_never_reads_is_dropped(terminal: Terminal) -> None:
    terminal.start("sh", "-c", "stty raw; head -c 200000 /dev/zero; printf END; read x; exit 4")
    with terminal.connect() as console:
        console.link.follow(0)
        while not console.next(Output, WAIT).data.endswith(b"END"):
            pass
        sock = knock(terminal)
        sock.sendall(wire.frame(wire.HELLO, terminal.token.encode()))
        try:
            for _ in range(1000):
                sock.sendall(wire.frame(wire.OUTPUT, wire.RANGE.pack(0, 65536)))
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert hangs_up(sock)
        console.link.type(b"k", [(b"\r", 0), (b"\n", 0)])
        assert console.next(Ended, WAIT).exit.status == 4
