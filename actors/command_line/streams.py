"""The standard streams: a closed or full one does not stop what a command does.

A closed stream is worse than a silent one: the next file that is opened, perhaps the database, gets
its number, and `print` writes into it.
"""

import io
import os
import sys
from typing import TextIO


class _Steady(io.FileIO):
    """Remembers the first error of writing, and goes on without writing."""

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
    """Open the standard streams that are closed, and have the others go on after an error."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = _steady(1, sys.stdout), _steady(2, sys.stderr)


def go_on_without_reader() -> None:
    """Do not end where the program that reads the output ends: the work goes on."""
    for raw in _made:
        raw.reader_may_go = True


def finish(code: object) -> object:
    """Write out what is left; return the exit code, 1 instead of 0 where output was lost."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # whoever read it has gone
    lost = next((raw for raw in _made if raw.fileno() == 1 and raw.error is not None), None)
    if lost is None or isinstance(lost.error, BrokenPipeError):
        return code
    print(f"error: the output could not be written: {lost.error}", file=sys.stderr, flush=True)
    return code or 1


def _steady(fd: int, stream: TextIO | None) -> TextIO:
    if stream is not None and not isinstance(stream, io.TextIOWrapper):
        return stream  # of a test
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
