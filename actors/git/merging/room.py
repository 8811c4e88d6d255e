"""A temporary work tree that gives `git merge-tree` the attributes of a commit.

Git reads `.gitattributes` from the files of the work tree, not from the commits that it merges. So
the attribute files of the commit are written into an empty directory. If the attributes name a
merge driver that is configured, the whole commit is checked out there, because the driver may be a
program of the repository. A room that runs no drivers does not need that.

A driver that begins writes its name and its file beside the room. So one that hangs can be named:
git itself does not say which driver it waits for.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote

from actors.git.merging.attributes import Attributes, Kind, configured
from actors.git.running.command import GitLate, git_and_words, overriding
from actors.git.running.names import shown
from actors.platform.files import read_bounded

_NOTE_BYTES = 1 << 14


class DriverLate(GitLate):
    """A merge driver had not ended when its git was ended; the message names it and its file."""

    def __init__(self, name: str, path: str, seconds: float) -> None:
        super().__init__(("merge-tree",), seconds)
        self.said = f"the merge driver {name} of {path} did not end in {seconds:g} s"

    def __str__(self) -> str:
        return self.said


class Room:
    """A temporary work tree. `git` runs in it and uses the repository's objects."""

    def __init__(self, git_dir: str, path: str, filters: bool = True) -> None:
        """Without `filters`, a merge runs none, whatever `merge.renormalize` is."""
        self._git_dir = git_dir
        self._filters = filters
        self.path = path
        self.drivers: Mapping[str, str] = {}
        self.runs_drivers = False

    def git(self, *args: str, stdin: bytes = b"", codes: tuple[int, ...] = (0,)) -> bytes:
        """Run `git ARGS` in the room. See `command.git`."""
        return self.git_and_words(*args, stdin=stdin, codes=codes)[0]

    def git_and_words(
        self,
        *args: str,
        stdin: bytes = b"",
        codes: tuple[int, ...] = (0,),
        refusals: str = "",
        seconds: float | None = None,
    ) -> tuple[bytes, str]:
        """Run `git ARGS` in the room. See `command.git_and_words`; may also raise `DriverLate`."""
        env = {
            "GIT_DIR": self._git_dir,
            "GIT_WORK_TREE": self.path,
            "GIT_INDEX_FILE": f"{self.path}.index",
        }
        settings = {f"merge.{name}.driver": command for name, command in self.drivers.items()}
        settings |= {} if self._filters else {"merge.renormalize": "false"}
        try:
            with overriding(settings):
                return git_and_words(
                    *args,
                    at=self.path,
                    env=env,
                    stdin=stdin,
                    codes=codes,
                    refusals=refusals,
                    seconds=seconds,
                )
        except GitLate as late:
            begun = self._begun_driver()
            raise (DriverLate(*begun, late.seconds) if begun else late) from None

    def announced(self, name: str, command: str) -> str:
        """Return the driver's command, which first writes the driver's name and its file."""
        return f"printf '%s\\0%s' {_escaped(name)} %P > {_escaped(self._note)}\n{command}"

    @property
    def _note(self) -> str:
        return f"{self.path}.driver"

    def _begun_driver(self) -> tuple[str, str] | None:
        """Return the name and the file of the driver that began last; None if none did."""
        try:
            words = os.fsdecode(read_bounded(Path(self._note), _NOTE_BYTES))
        except OSError:
            return None
        name, _, path = words.partition("\0")
        return shown(name), shown(path)


@contextlib.contextmanager
def room(
    git_dir: str, attributes: Attributes, commit: str, runs_drivers: bool = True
) -> Iterator[Room]:
    """Make a room for one commit, and remove it afterwards.

    Without `runs_drivers`, each merge driver is replaced by one that keeps the version of the side
    merged into, and filters are not run.
    """
    files = attributes.of(commit)
    with tempfile.TemporaryDirectory(prefix="callboard-") as directory:
        path = Path(directory, "tree")
        path.mkdir()
        made = Room(git_dir, str(path), filters=runs_drivers)
        for name, text in files:
            place = path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text)
        drivers = configured(git_dir, files, Kind.MERGE)
        if drivers and runs_drivers:
            made.git("read-tree", commit)
            made.git("checkout-index", "-q", "-a", "-f")
            made.runs_drivers = True
            made.drivers = {n: made.announced(n, command) for n, command in drivers.items()}
        elif drivers:
            made.drivers = dict.fromkeys(drivers, "true")
        yield made


def _escaped(word: str) -> str:
    """Quote a word for the shell, in a command in which git replaces `%` and a letter."""
    return quote(word).replace("%", "%%")
