"""What a directory takes on its disk, and its removal."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

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


def many_files(top: Path) -> Path:
    """Make a tree that is large enough for several threads, with links that lead out of it."""
    outside = top / "outside"
    outside.mkdir()
    (outside / "file").write_text("stays")
    tree = top / "tree"
    for number in range(40):
        inner = tree / f"d{number % 7}" / f"e{number}"
        inner.mkdir(parents=True)
        for name in range(30):
            (inner / f"f{name}").touch()
        (inner / "directory").symlink_to(outside)
        (inner / "link").symlink_to(outside / "file")
    return tree


def test_a_large_tree_is_removed_and_no_link_followed(tmp_path: Path) -> None:
    tree = many_files(tmp_path)
    (tree / "d3" / "e3").chmod(0o500)
    disk.remove_tree(tree)
    assert [each.name for each in tmp_path.iterdir()] == ["outside"]
    assert (tmp_path / "outside" / "file").read_text() == "stays"


def test_several_threads_remove_the_files_of_a_large_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each removal waits for the disk, as on one that discards blocks at once."""
    tree, unlink = many_files(tmp_path), os.unlink
    together, met = threading.Barrier(disk.REMOVERS), threading.Event()

    def slow(name: str, *, dir_fd: int | None = None) -> None:
        if threading.current_thread() is not threading.main_thread() and not met.is_set():
            together.wait(30.0)
            met.set()
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", slow)
    disk.remove_tree(tree)
    assert met.is_set()
    assert not tree.exists()


def test_a_tree_that_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        disk.remove_tree(tmp_path / "gone")


PLANTS: dict[str, Callable[[Path, Path], object]] = {
    "a link": lambda draft, users: draft.symlink_to(users),
    "a link to nothing": lambda draft, users: draft.symlink_to(users.with_name("more")),
    "a hard link": lambda draft, users: draft.hardlink_to(users),
    "a FIFO": lambda draft, _: os.mkfifo(draft),
    "a directory": lambda draft, _: (draft / "in it").mkdir(parents=True),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_what_somebody_put_in_place_of_a_draft_is_not_written_to(
    tmp_path: Path, plant: str
) -> None:
    """Hazard 99."""
    users, file = tmp_path / "user/mine", tmp_path / "file"
    users.parent.mkdir()
    users.write_text("mine")
    PLANTS[plant](tmp_path / "file.new", users)
    if plant == "a FIFO":  # a reader: a writer would wait for one
        kept = os.open(tmp_path / "file.new", os.O_RDONLY | os.O_NONBLOCK)
    disk.write_durably(file, b"new")
    if plant == "a FIFO":
        os.close(kept)
    assert not file.is_symlink()
    assert file.is_file()
    assert file.read_text() == "new"
    assert {each.name: each.read_text() for each in users.parent.iterdir()} == {"mine": "mine"}
