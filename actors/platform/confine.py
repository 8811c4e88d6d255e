"""Become a program that the kernel holds to what is open to it (Landlock): standard library only.

`main` takes `NETWORK CWD [KIND PATH]… -- PROGRAM ARGUMENT…`; NETWORK is `on` or `off`, and KIND is
`closed`, `read` or `write`. The program reads every file but those below a closed path, and writes
below the paths to write. A path to read or to write counts more than a closed one above it.

A rule of Landlock opens a directory with all that is in it, and nothing closes a part again. So a
directory around a closed path is not opened, and cannot be listed: what is in it is opened piece by
piece. What somebody puts there later stays closed.

Signals and sockets without a file reach none but the program's own processes. Without network the
kernel makes it no socket but one of this machine (`AF_UNIX`, and `AF_NETLINK`, which asks the
kernel); it has no loopback interface either. It has no capability, and no program that it starts
gets one.

Needs Linux 6.12 (Landlock's version 6), on x86-64 or 64-bit ARM.
"""

import ctypes
import os
import stat
import struct
import sys

VERSION = 6
"""The version of Landlock that also holds signals and sockets without a file."""

_CREATE, _ADD, _RESTRICT, _IO_URING = 444, 445, 446, 425
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""By machine: the number by which seccomp knows it, and that of its system call `socket`."""

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_ALL = (1 << 16) - 1
_NODES = 1 << 6 | 1 << 11
"""Making device nodes, which no program in a sandbox may do."""
READ = _EXECUTE | _READ_FILE | _READ_DIR
WRITE = _ALL & ~_NODES & ~_IOCTL
DEVICE = _READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _IOCTL
_TCP = 0b11
_SCOPED = 0b11

DEVICES = (
    *("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"),
    *("/dev/tty", "/dev/ptmx", "/dev/pts"),
)
"""What a program may use of `/dev`, which is closed. A plan can open others (`/dev/shm`)."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def rules(openings: list[tuple[str, str]]) -> dict[str, int]:
    """Return what is to be opened, from kinds and paths: each path and its rights."""
    closed, found = {"/dev"}, dict.fromkeys(DEVICES, DEVICE)
    for kind, path in openings:
        if kind == "closed":
            closed.add(path)
        else:
            found[path] = found.get(path, 0) | (WRITE if kind == "write" else READ)
    for path in _around(closed, "/"):
        found[path] = found.get(path, 0) | READ
    return found


def _around(closed: set[str], directory: str) -> list[str]:
    """Return what is not closed, as few paths as there can be."""
    inner = directory.rstrip("/") + "/"
    within = {path[len(inner) :].partition("/")[0] for path in closed if path.startswith(inner)}
    if not within:
        return [directory]
    try:
        found = [each.name for each in os.scandir(directory) if not each.is_symlink()]
    except OSError:  # it may be entered, and not be listed
        found = sorted(within)
    shown: list[str] = []
    for name in found:
        path = inner + name
        if path not in closed:
            shown += _around(closed, path) if name in within else [path]
    return shown


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _call(number: int, *words: object) -> int:
    return _checked(_libc.syscall(ctypes.c_long(number), *words))


def restrict(openings: list[tuple[str, str]], network: bool) -> None:
    """Hold this process, and all that it starts, to what is open. Raise `OSError`."""
    none, nothing = ctypes.c_size_t(0), ctypes.c_uint32(0)
    version = _call(_CREATE, None, none, ctypes.c_uint32(1))
    if version < VERSION:
        raise OSError(f"the kernel has version {version} of Landlock, and it needs {VERSION}")
    tcp = 0 if network else _TCP
    told = struct.pack("=QQQ", _ALL, tcp, _SCOPED)
    ruleset = _call(_CREATE, told, ctypes.c_size_t(len(told)), nothing)
    for path, rights in rules(openings).items():
        _open(ruleset, path, rights)
    _without_capabilities()
    _call(_RESTRICT, ctypes.c_int(ruleset), nothing)
    os.close(ruleset)
    if not network:
        _without_sockets()


def _open(ruleset: int, path: str, rights: int) -> None:
    """Add the rule for one path; one that is gone, or that nobody may enter, needs none."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_A_FILE
        rule = struct.pack("=Qi", rights, fd)
        _call(_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
    finally:
        os.close(fd)


def _without_capabilities() -> None:
    """Give up what root could do with the kernel itself, and every way to get it back."""
    ones = [ctypes.c_ulong(word) for word in (38, 1, 0, 0, 0)]  # PR_SET_NO_NEW_PRIVS
    _checked(_libc.prctl(*ones))
    header, nothing = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    _checked(_libc.capset(header, nothing))


def _without_sockets() -> None:
    """Have the kernel refuse each socket that could reach another machine (seccomp).

    Landlock's own rules are about TCP alone.
    """
    machine, call = _MACHINES[os.uname().machine]
    load, equal, above, give = 0x20, 0x15, 0x35, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | 13  # EACCES
    steps = [
        (load, 0, 0, 4),
        (equal, 0, 8, machine),
        (load, 0, 0, 0),
        (above, 6, 0, 0x40000000),  # another way to call the same kernel (x32)
        (equal, 5, 0, _IO_URING),  # it makes sockets, too
        (equal, 0, 3, call),
        (load, 0, 0, 16),
        (equal, 1, 0, 1),  # AF_UNIX
        (equal, 0, 1, 16),  # AF_NETLINK
        (give, 0, 0, allow),
        (give, 0, 0, refuse),
    ]
    packed = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = _Program(len(steps), packed)
    filtering = [ctypes.c_ulong(22), ctypes.c_ulong(2)]  # PR_SET_SECCOMP, with a filter
    _checked(_libc.prctl(*filtering, ctypes.byref(program), ctypes.c_ulong(0), ctypes.c_ulong(0)))


def main() -> None:
    """Start from the words of the command line."""
    words = sys.argv[1:]
    end = words.index("--")
    network, cwd, *named = words[:end]
    openings = list(zip(named[::2], named[1::2], strict=True))
    try:
        if os.uname().machine not in _MACHINES:
            raise OSError(f"Landlock is not used on {os.uname().machine}")
        os.chdir(cwd)
        restrict(openings, network == "on")
    except (OSError, AttributeError) as error:
        sys.exit(f"no sandbox: {error}")
    program = words[end + 1 :]
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        sys.exit(127)
