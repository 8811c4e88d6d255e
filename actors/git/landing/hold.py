"""The hold that a landing has on a checkout's index: an intent file and git's own lock.

The intent (target, old, new) stands in the checkout's git directory. `index.lock` is a hard link to
it, or a file of the same bytes on a file system without hard links. So a lock that a crash leaves
is provably ours, and no other git changes the index.
"""

import errno
import os
from pathlib import Path
from typing import Final

import msgspec

from actors.platform import disk
from actors.platform.files import read_bounded

INTENT: Final = "callboard-land"
"""The name of the intent file."""
_BYTES: Final = 1 << 16
"""Bytes of an intent: a branch and two object ids."""
_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""Errors of `link` on a file system without hard links (exFAT, some network shares)."""


class Intent(msgspec.Struct, frozen=True):
    """What a landing is about to do; stored in the checkout's git directory until it is done."""

    target: str
    old: str
    new: str


_decode_intent = msgspec.json.Decoder(Intent).decode


class Locked(Exception):
    """Another program holds the index; `path` is its lock file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Hold:
    """The intent and the lock of one checkout; `admin` is its own git directory."""

    def __init__(self, admin: Path) -> None:
        self._lock = admin / "index.lock"
        self._intent = admin / INTENT

    def intent(self) -> Intent | None:
        """Return the landing that began here and has not ended; None if there is none."""
        try:
            return _decode_intent(read_bounded(self._intent, _BYTES))
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:  # torn by a power cut, so the ref has not moved yet
            self.release()
            return None

    def take(self, intent: Intent) -> None:
        """Store the intent and take the index lock, unless it is ours already. Raise `Locked`."""
        standing = self.intent()
        if standing not in (None, intent):
            raise Locked(str(self._lock))  # an earlier landing that has not ended here
        declared = standing == intent
        if not declared:
            disk.write_durably(self._intent, msgspec.json.encode(intent))
        try:
            self._take_lock()
        except FileExistsError:
            if self._is_our_lock():
                return
            if not declared:
                self._intent.unlink()
            raise Locked(str(self._lock)) from None

    def _take_lock(self) -> None:
        """Make the lock file so that it proves to be ours. Raise `FileExistsError`."""
        try:
            os.link(self._intent, self._lock)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with self._lock.open("xb") as file:
                file.write(read_bounded(self._intent, _BYTES))

    def release(self) -> None:
        """Remove our lock, then the intent. A lock without an intent is not ours and stays."""
        if self._is_our_lock():
            self._lock.unlink()
        self._intent.unlink(missing_ok=True)

    def _is_our_lock(self) -> bool:
        """Return whether the lock is a hard link to the intent, or a file of the same bytes."""
        try:
            if self._lock.samefile(self._intent):
                return True
            return read_bounded(self._lock, _BYTES) == read_bounded(self._intent, _BYTES)
        except OSError:
            return False
