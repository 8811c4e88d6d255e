# ruff: noqa: PTH100, PTH110, PTH120, SIM105
# pathlib and contextlib would cost the host a megabyte.
"""The terminal host: the small program that must not die, one for each terminal.

It owns the PTY of one program, writes every output byte to disk, types what it is told to,
answers the questions a program asks its terminal, and records how the program ended. It needs
no runtime: `kill -9` of the runtime costs nothing, the next one connects to the socket again.
Standard library only, one thread, nothing of the project imported but the files beside it that
keep the same rule (hosting, program, door, family, keyboard, questions, segments, waiting, wire).
It is
run by path:

    python -I -S host.py --dir DIR --socket PATH --token TOKEN --incarnation N
        --size ROWSxCOLUMNS [--log-bytes N] -- ARGV...

The program gets the host's own environment (so no secret is on a command line) with
`CALLBOARD_TERMINAL=TOKEN` added, and the host's working directory. When the socket listens and
the program has been started, the host writes `R` to its standard output and lets go of it.

Files in DIR, all 0600: `lock` (flock held while the host lives), `host.json` (who runs; written
before the program's first instruction), `out/<16 digits>` (output; the name is the absolute
offset of the file's first byte; a hole between two files is output that was lost, by the size
bound or a full disk), `exit.json` (how it ended):
`{"kind": "exited"|"signaled"|"exec_failed", "status": code|signal|errno, "at": unix seconds,
"offset": end of output, "leftovers": processes that outlived the program, "survivors": those
that even SIGKILL did not end, "told": whether it was told to end before it did by itself, "clock":
`at` on the monotonic clock}`.

Exit codes: 0 the program ended and exit.json says how; 64 bad arguments; 73 DIR or socket not
usable; 75 another host runs here; 76 exit.json exists; 77 a host died here without a record (an
incarnation is never started twice).

What may be said on the socket is in `wire.py`; malformed words close that connection only, as
does leaving 1 MiB of answers unread.
"""

import fcntl
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING or __package__:
    from actors.host import hosting
else:  # run by path, isolated: the siblings are beside this file
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import hosting


def _lock(path: str) -> bool:
    """Holds the lock while this process lives. Waits a little for someone who only looks."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(20):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.005)  # a wait for the lock itself would have no end
    return False


def main(words: list[str]) -> int:
    try:
        end = words.index("--")
        names = [name.removeprefix("--") for name in words[:end:2]]
        argv = words[end + 1 :]
        host = hosting.Host(dict(zip(names, words[1:end:2], strict=True)), argv)
    except (ValueError, KeyError) as error:
        print(f"host: bad arguments: {error!r}", file=sys.stderr)
        return 64
    try:
        os.setsid()
    except PermissionError:
        pass  # a leader already
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
        pass  # whoever started it is gone: the very case it is made for
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    try:
        host.run()
    finally:
        host.door.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
