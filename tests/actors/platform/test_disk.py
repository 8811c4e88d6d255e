"""What a directory takes on its disk."""

import os
from pathlib import Path

from actors.platform import disk


def test_what_a_tree_takes_counts_each_file_once_and_follows_no_link(tmp_path: Path) -> None:
    inner = tmp_path / "tree" / "inner"
    inner.mkdir(parents=True)
    empty = disk.taken(tmp_path / "tree")
    with (inner / "file").open("wb") as file:
        file.write(os.urandom(1 << 20))
        file.flush()
        os.fsync(file.fileno())  # some file systems say it only then
    os.link(inner / "file", tmp_path / "tree" / "its other name")
    (tmp_path / "elsewhere").write_bytes(os.urandom(1 << 21))
    (inner / "link").symlink_to(tmp_path / "elsewhere")
    assert (1 << 20) <= disk.taken(tmp_path / "tree") - empty < (1 << 20) + (1 << 16)


def test_what_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert disk.taken(tmp_path / "gone") == 0
