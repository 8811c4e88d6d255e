"""Secure the standard streams, so that a closed or full one does not stop a command.

A closed stream is dangerous: the next file that is opened, perhaps the database, gets its file
descriptor, and `print` writes into that file.
"""

import io
import os
import sys
from typing import TextIO


class _Steady(io.FileIO):
    """A stream that remembers its first write error and discards everything after it.

    If `reader_may_go` is false, a broken pipe raises instead.
    """

    error: OSError | None = None
    reader_may_go = False

    def write(self, data: object) -> int:
        if self.error is None:
            try:
                return super().write(data)  # type: ignore[arg-type]
            except BrokenPipeError as error:
                if not self.reader_may_go:
                    raise
                self.error = error
            except BlockingIOError:
                raise
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes  # type: ignore[arg-type]


_made: list[_Steady] = []


def secure() -> None:
    """Open standard streams that are closed, and make the output streams go on after an error."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor, `fd`
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = _steady(1, sys.stdout), _steady(2, sys.stderr)


def go_on_without_reader() -> None:
    """Let the command go on if the program that reads its output ends."""
    for raw in _made:
        raw.reader_may_go = True


def finish(code: object) -> object:
    """Flush the streams and return the exit code, 1 instead of 0 if output was lost."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # its reader is gone
    lost = next((raw for raw in _made if raw.fileno() == 1 and raw.error is not None), None)
    if lost is None or isinstance(lost.error, BrokenPipeError):
        return code
    print(f"error: the output could not be written: {lost.error}", file=sys.stderr, flush=True)
    return code or 1


def _steady(fd: int, stream: TextIO | None) -> TextIO:
    if stream is not None and not isinstance(stream, io.TextIOWrapper):
        return stream  # a test has replaced it
    raw = _Steady(fd, "wb", closefd=False)
    _made[:] = [*(each for each in _made if each.fileno() != fd), raw]
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="replace")
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or fd == 2,
        write_through=stream.write_through,
    )
