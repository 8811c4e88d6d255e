"""A temporary work tree that gives `git merge-tree` the attributes of a commit.

Git reads `.gitattributes` from the files of the work tree, not from the commits that it merges. So
the attribute files of the commit are written into an empty directory. If the attributes name a
merge driver that is configured, the whole commit is checked out there, because the driver may be a
program of the repository. A room that runs no drivers does not need that.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pygit2
from pygit2.enums import FileMode

from actors.git.running.command import git_and_words, split0
from actors.platform.files import read_bounded
from bus.user import file_of_user

_ATTRIBUTES: Final = ".gitattributes"
_ATTRIBUTE_BYTES: Final = 1 << 24
"""Bytes of a file of attributes that are searched."""
_DRIVER: Final = re.compile(rb"\bmerge=(\S+)")
_USERS: Final = "~/.config/git/attributes"
_BLOBS: Final = {FileMode.BLOB, FileMode.BLOB_EXECUTABLE}

Files = tuple[tuple[str, bytes], ...]


class Attributes:
    """The attribute files in a repository's commits, cached by git tree. For one thread."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self._repo = repo
        self._known: dict[pygit2.Oid, Files] = {}

    def of(self, commit: str) -> Files:
        """Return the path and the text of each `.gitattributes` in a commit."""
        return self._below(self._repo[commit].peel(pygit2.Tree))

    def _below(self, tree: pygit2.Tree) -> Files:
        found = self._known.get(tree.id)
        if found is None:
            found = self._known[tree.id] = tuple(self._read(tree))
        return found

    def _read(self, tree: pygit2.Tree) -> Iterator[tuple[str, bytes]]:
        for entry in tree:
            name = entry.raw_name or b""
            if isinstance(entry, pygit2.Tree):
                for path, text in self._below(entry):
                    yield os.path.join(os.fsdecode(name), path), text  # noqa: PTH118
            elif name == _ATTRIBUTES.encode() and entry.filemode in _BLOBS:
                assert isinstance(entry, pygit2.Blob)
                yield _ATTRIBUTES, entry.data


class Room:
    """A temporary work tree. `git` runs in it and uses the repository's objects."""

    def __init__(self, git_dir: str, path: str) -> None:
        self._git_dir = git_dir
        self.path = path
        self.options: tuple[str, ...] = ()
        self.runs_drivers = False

    def git(self, *args: str, stdin: bytes = b"", codes: tuple[int, ...] = (0,)) -> bytes:
        """Run `git ARGS` in the room. See `command.git`."""
        return self.git_and_words(*args, stdin=stdin, codes=codes)[0]

    def git_and_words(
        self, *args: str, stdin: bytes = b"", codes: tuple[int, ...] = (0,), refusals: str = ""
    ) -> tuple[bytes, str]:
        """Run `git ARGS` in the room. See `command.git_and_words`."""
        env = {
            "GIT_DIR": self._git_dir,
            "GIT_WORK_TREE": self.path,
            "GIT_INDEX_FILE": f"{self.path}.index",
        }
        words = (*self.options, *args)
        return git_and_words(
            *words, at=self.path, env=env, stdin=stdin, codes=codes, refusals=refusals
        )


@contextlib.contextmanager
def room(
    git_dir: str, attributes: Attributes, commit: str, runs_drivers: bool = True
) -> Iterator[Room]:
    """Make a room for one commit, and remove it afterwards.

    Without `runs_drivers`, each merge driver is replaced by one that keeps the version of the side
    merged into.
    """
    files = attributes.of(commit)
    with tempfile.TemporaryDirectory(prefix="callboard-") as directory:
        path = Path(directory, "tree")
        path.mkdir()
        made = Room(git_dir, str(path))
        for name, text in files:
            place = path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text)
        drivers = _drivers(made, git_dir, files)
        if drivers and runs_drivers:
            made.git("read-tree", commit)
            made.git("checkout-index", "-q", "-a", "-f")
            made.runs_drivers = True
        elif drivers:
            made.options = tuple(o for n in drivers for o in ("-c", f"merge.{n}.driver=true"))
        yield made


def _drivers(made: Room, git_dir: str, files: Files) -> set[str]:
    """Return the names of the configured merge drivers that some attribute file names.

    The files are those of the commit, of the repository (`info/attributes`) and of the user.
    """
    texts = [text for _, text in files]
    known = _settings(made, r"^(core\.attributesfile|merge\..*\.driver)$")
    place = known.pop("core.attributesfile", _USERS)
    for other in filter(None, (Path(git_dir, "info", "attributes"), file_of_user(place))):
        with contextlib.suppress(OSError):
            texts.append(read_bounded(other, _ATTRIBUTE_BYTES))
    named = {os.fsdecode(name) for text in texts for name in _DRIVER.findall(text)}
    return named & {key.removeprefix("merge.").removesuffix(".driver") for key in known}


def _settings(made: Room, pattern: str) -> dict[str, str]:
    """Return the settings whose name (section and key in lower case) matches `pattern`."""
    lines = split0(made.git("config", "-z", "--get-regexp", pattern, codes=(0, 1)))
    return {key: value for key, _, value in (line.partition("\n") for line in lines)}
