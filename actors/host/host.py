# ruff: noqa: PTH100, PTH110, PTH120, SIM105
# pathlib and contextlib would cost the host a megabyte.
"""The terminal host: one small process for each terminal, which outlives the runtime.

It owns the PTY of one program, writes every byte of output to disk, types what clients ask for,
answers the questions that a program asks its terminal, and records how the program ended.
`docs/host.md` says what a host must do, and documents its files, exit codes and wire protocol.

Standard library only, one thread. It imports only the files beside it. It is run by path:

    python -I -S host.py --dir DIR --socket PATH --mark MARK --incarnation N
        --size ROWSxCOLUMNS [--log-bytes N] [--scope SCOPE] [--while stdin] -- ARGV...

The token comes on standard input, because every process may read a command line. With `--while` the
program is ended when standard input is closed, and so when the process that started the host ends.
"""

import fcntl
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING or __package__:
    from actors.host import hosting
else:  # run by path with -I: the directory of this file is not on sys.path
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import hosting


def _lock(path: str) -> bool:
    """Lock the file until this process ends. Return False if another process holds the lock.

    Try for 0.1 s, because a reader holds the lock for a moment to test it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(20):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.005)  # flock without LOCK_NB would wait without limit
    return False


def _token() -> str:
    """Read the token, which is short and comes at once."""
    token = os.read(0, 256).decode("ascii")
    if not token:
        raise ValueError("no token on standard input")
    return token


def main(words: list[str]) -> int:
    """Run a host with the arguments after the program name. Return its exit code."""
    try:
        end = words.index("--")
        names = [name.removeprefix("--") for name in words[:end:2]]
        argv = words[end + 1 :]
        options = dict(zip(names, words[1:end:2], strict=True))
        host = hosting.Host(options, _token(), argv)
    except (ValueError, KeyError) as error:
        print(f"host: bad arguments: {error!r}", file=sys.stderr)
        return 64
    try:
        os.setsid()
    except PermissionError:
        pass  # it leads a session already
    try:
        if not _lock(host.dir + "/lock"):
            return 75
        if os.path.exists(host.dir + "/exit.json"):
            return 76
        if os.path.exists(host.dir + "/host.json"):
            return 77
        host.start()
    except OSError as error:
        print(f"host: cannot start: {error}", file=sys.stderr)
        host.abandon()
        return 73
    try:
        os.write(1, b"R")
    except OSError:
        pass  # the process that started it has ended
    null = os.open("/dev/null", os.O_RDWR)
    if not host.leash:
        os.dup2(null, 0)
    os.dup2(null, 1)
    try:
        host.run()
    finally:
        host.clients.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
