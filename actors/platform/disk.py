"""Files and directories: make what was written durable, measure and remove.

After `sync` returns, a power cut loses nothing of what was written before.
`fsync` of single files would have to name each object, ref and directory that libgit2, git and
the agents wrote. One `syncfs` of the file system covers them all, at the price of writing what
others have written there too. Plain blocking functions, for any thread.
"""

import ctypes
import functools
import os
import shutil
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

REMOVERS: Final = 8
"""How many threads remove the files of a large directory."""
_GROUP: Final = 100
"""How many files of a directory a thread removes before it looks for others."""
_ALONE: Final = 20
"""How many such groups one thread removes before it has others help."""


def sync(*paths: str | Path) -> None:
    """Write everything that the file systems of these paths hold in memory to their disks.

    A path that does not exist is left out. Raises `OSError` where the disk cannot be written.
    """
    synced: set[int] = set()
    for path in paths:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            device = os.fstat(fd).st_dev
            if device not in synced:
                _sync_file_system(fd)
                synced.add(device)
        finally:
            os.close(fd)


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file in one step. It is durable on return.

    After a power cut the file has its old content or its new content, complete. What lies in the
    place of the draft is replaced: an agent may write in the directory, and have put a link there.
    """
    draft = path.with_name(f"{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        fd = os.open(draft, flags, 0o666)
    except FileExistsError:
        remove(draft)
        fd = os.open(draft, flags, 0o666)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)  # noqa: PTH105 (tests of crashes count these calls)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(path: Path) -> None:
    """Remove what is there: a file, a link, or a directory with all it holds. Raises `OSError`."""
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Remove a directory with all it holds, also where it, or one in it, may not be written.

    Links are removed, never followed. Raises `OSError`.
    """
    try:
        _remove(path)
    except PermissionError:
        _make_writable(path)
        _remove(path)


def taken(path: Path) -> int:
    """Return the bytes that a file, or a directory with all it holds, takes on its disk.

    A file with several names counts once, and a link is not followed. What cannot be read, or goes
    meanwhile, is left out.
    """
    seen: set[tuple[int, int]] = set()
    found, open_ones = 0, [path]
    while open_ones:
        place = open_ones.pop()
        with suppress(OSError):
            known = place.lstat()
            if (known.st_dev, known.st_ino) not in seen:
                seen.add((known.st_dev, known.st_ino))
                found += known.st_blocks * 512
                open_ones += place.iterdir() if stat.S_ISDIR(known.st_mode) else ()
    return found


def _remove(path: Path) -> None:
    """Remove a directory. The files of a large one are removed by several threads.

    On some disks each removal waits for the disk (`discard` without a journal), and the kernel
    removes files of different directories at the same time.
    """
    files = _Files(path)
    if all(files.remove_some() for _ in range(_ALONE)):
        removers = [threading.Thread(target=files.remove_all) for _ in range(REMOVERS)]
        for remover in removers:
            remover.start()
        for remover in removers:
            remover.join()
    shutil.rmtree(path)


class _Files:
    """The files below a directory. Any thread may remove some; what it cannot remove stays."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._groups = _groups(path)

    def remove_some(self) -> bool:
        """Remove the files of the next group. Return whether there was one."""
        with self._lock:
            directory, names = next(self._groups, (-1, []))
            if directory < 0:
                return False
            directory = os.dup(directory)  # the walk closes its own
        try:
            for name in names:
                with suppress(OSError):
                    os.unlink(name, dir_fd=directory)
        finally:
            os.close(directory)
        return True

    def remove_all(self) -> None:
        """Remove groups until none is left."""
        with suppress(OSError):
            while self.remove_some():
                pass


def _groups(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the files below a directory: a descriptor of their directory, and some of the names.

    The descriptor is open until the next group. Links to directories are left out.
    """
    for _, _, names, directory in os.fwalk(path, topdown=False):
        for start in range(0, len(names), _GROUP):
            yield directory, names[start : start + _GROUP]


def _make_writable(directory: Path) -> None:
    if directory.is_symlink():
        return
    directory.chmod(directory.stat().st_mode | stat.S_IRWXU)
    for entry in list(os.scandir(directory)):
        if entry.is_dir(follow_symlinks=False):
            _make_writable(Path(entry.path))


def _sync_file_system(fd: int) -> None:
    syncfs = _syncfs()
    if syncfs is None:  # macOS: write all, then have this disk empty its cache
        os.sync()
        _full_sync(fd)
    elif syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"the disk cannot be written: {os.strerror(number)}")


@functools.cache
def _syncfs() -> Callable[[int], int] | None:
    function: Callable[[int], int] | None = getattr(
        ctypes.CDLL(None, use_errno=True), "syncfs", None
    )
    return function


def _full_sync(fd: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
