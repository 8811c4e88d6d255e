# ruff: noqa: PTH102, PTH108, SIM105
# pathlib and contextlib would cost the host a megabyte.
"""The output log: every byte at its absolute offset, in segment files. Standard library only.

A segment's name is the offset of its first byte, in 16 decimal digits. A hole between two segments
is output that was lost because the disk was full. Output before the first segment was dropped
because the log is bounded. Offsets never change. The host writes the log, the runtime reads it.
"""

import os


def listing(folder: str) -> list[list[int]]:
    """Return [start, length] of every segment in `folder`, oldest first. Raise OSError."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if entry.name.isdecimal():
                    found.append([int(entry.name), entry.stat().st_size])
            except FileNotFoundError:
                pass  # the host has dropped it since
    return sorted(found)


def read(folder: str, files: list[list[int]], offset: int, limit: int) -> tuple[int, bytes]:
    """Return (real offset, bytes): up to `limit` bytes from `offset`, or from the next that exist.

    Return (end, b"") if there are no bytes from `offset` on. One call reads from one segment, so
    fewer than `limit` bytes do not mean the end.
    """
    for start, length in files:
        if start + length > offset:
            real = max(offset, start)
            try:
                fd = os.open(path(folder, start), os.O_RDONLY)
            except OSError:
                continue  # the host has dropped it
            try:
                return real, os.pread(fd, min(limit, start + length - real), real - start)
            finally:
                os.close(fd)
    return sum(files[-1]) if files else 0, b""


def path(folder: str, start: int) -> str:
    """Return the path of the segment that begins at offset `start`."""
    return f"{folder}/{start:016d}"


class Log:
    """The log as the host writes it. It drops the oldest segments beyond `limit` bytes."""

    def __init__(self, folder: str, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self.segment = max(4096, min(1 << 20, limit // 4))
        self.files: list[list[int]] = []  # [start, length] of each segment, oldest first
        self.fd = -1
        self.end = 0
        try:
            os.mkdir(folder)
        except FileExistsError:
            pass

    @property
    def start(self) -> int:
        """The offset of the first byte on disk."""
        return self.files[0][0] if self.files else self.end

    def append(self, data: bytes) -> None:
        """Append data. Skip what the disk does not take; offsets advance all the same."""
        rest = memoryview(data)
        while rest:
            try:
                if self.fd < 0:
                    self._open()
                n = os.write(self.fd, rest[: self.segment - self.files[-1][1]])
            except OSError:
                self.end += len(rest)
                self._close()
                return
            self.files[-1][1] += n
            self.end += n
            rest = rest[n:]
            if self.files[-1][1] >= self.segment:
                self._close()

    def read(self, offset: int, limit: int) -> tuple[int, bytes]:
        """Read as the function `read` does. Return (end, b"") also if the log ends with a hole."""
        real, data = read(self.folder, self.files, offset, limit)
        return (real, data) if data else (self.end, b"")

    def _open(self) -> None:
        while self.files and (
            sum(length for _, length in self.files) + self.segment > self.limit
            or len(self.files) >= 64  # a disk that is full at times leaves many short segments
        ):
            self._remove(self.files.pop(0)[0])
        self.fd = os.open(path(self.folder, self.end), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self.files.append([self.end, 0])

    def _close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            if self.files[-1][1] == 0:
                self._remove(self.files.pop()[0])

    def _remove(self, start: int) -> None:
        try:
            os.unlink(path(self.folder, start))
        except OSError:
            pass
