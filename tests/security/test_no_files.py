"""F7: what is no regular file is refused by the one opener, wherever an agent may have put it.

Hazard 100.
"""

import contextlib
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.git.reading.changes import is_as_staged
from actors.git.trees import pins
from actors.git.trees.copies import copy_into
from actors.git.trees.torn import mend_worktree
from actors.models.said import COUNTED, PLACE, read_place, read_used
from actors.platform.files import open_regular, read_bounded
from actors.pty import records, window
from actors.terminal import conversation
from tests.security.test_one_text import PLANTS


def _listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


NO_FILES: dict[str, Callable[[Path], object]] = {**PLANTS, "a socket": _listen}
del NO_FILES["64 MB"]


@pytest.mark.parametrize("plant", NO_FILES)
def test_the_one_opener_takes_regular_files_alone(tmp_path: Path, plant: str) -> None:
    NO_FILES[plant](tmp_path / "planted")
    with pytest.raises(OSError, match=r"not a regular file|Too many levels|No such device"):
        os.close(open_regular(tmp_path / "planted"))


def test_what_somebody_says_through_a_fifo_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "planted")
    said = os.open(tmp_path / "planted", os.O_RDWR)
    os.write(said, b"refs/heads/evil")
    with pytest.raises(OSError, match="not a regular file"):
        read_bounded(tmp_path / "planted", 100)
    os.close(said)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "the mark of a conversation": ("conversation.json", conversation._cli_in),  # noqa: SLF001
    "the size of a window": ("size", window.size),
    "the counted tokens": (COUNTED, read_used),
    "the place of the gateway": (PLACE, read_place),
    "the record of a host": ("host.json", records.read_identity),
    "the record of an end": ("exit.json", records.read_exit),
    "the lock of a host": ("lock", records.host_lives),
    "a file as it is staged": ("file", lambda at: is_as_staged(at / "file", b"0" * 40)),
    "a file to copy": ("file", lambda at: copy_into(at, at / "worktree", Path("file"))),
    "a HEAD that may be torn": ("HEAD", lambda at: mend_worktree(at, str(at), "b")),
    "an index": ("index", lambda at: pins._copy(at / "index", at / "copy")),  # noqa: SLF001
}


@pytest.mark.parametrize("plant", NO_FILES)
@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_none_ends_its_reader(tmp_path: Path, reader: str, plant: str) -> None:
    name, read = READERS[reader]
    (tmp_path / "worktree").mkdir()
    NO_FILES[plant](tmp_path / name)
    with limited(), contextlib.suppress(OSError):
        read(tmp_path)


def test_a_file_of_a_terabyte_is_changed_and_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with limited():
        assert not is_as_staged(tmp_path / "huge", b"0" * 40)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Have what waits, or takes all memory, fail."""

    def late(*_: object) -> None:
        raise AssertionError("it did not end")

    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    old = signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 30), before[1]))
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, old)
