"""The watches on repositories, each shared by all workflows on the repository.

A hundred workflows on one repository use one inotify instance, of which a user has 128. A commit
wakes only the workflow whose branch it moved.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from actors.git.running.names import read_name
from actors.git.watching.watch import RefWatch, open_watch
from actors.platform.loop import EventLoop

log = logging.getLogger("callboard.watcher")

News = Mapping[str, str]
"""The names that `RefWatch.drain` returns, and for a worktree's (`worktrees/NAME`) the real path of
its `.git`; "" for others, and if it cannot be read."""

Told = Callable[[News | None], None]
"""Called in the loop's thread with what may have changed.

None means that the watch failed and reports nothing more; the listener must listen again.
"""


class _Shared(msgspec.Struct):
    watch: RefWatch
    listeners: dict[object, Told] = msgspec.field(default_factory=dict)
    """The dictionary is replaced and never changed, because the loop reads it without the lock."""


class Watches:
    """The watches of one runtime. Any thread may use them."""

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._shared: dict[str, _Shared] = {}

    def listen(self, git_dir: str, who: object, told: Told) -> float | None:
        """Subscribe. Every change after this returns is reported.

        Return None, or the seconds after which the caller must look by itself if the system cannot
        report changes. Raise `OSError`.
        """
        with self._lock:
            shared = self._shared.get(git_dir)
            if shared is None:
                shared = self._shared[git_dir] = _Shared(open_watch(git_dir))
                self._loop.post(lambda: self._start(git_dir, shared))
            shared.listeners = {**shared.listeners, who: told}
            return shared.watch.period

    def leave(self, git_dir: str, who: object) -> None:
        """Unsubscribe. Do nothing if `who` does not listen."""
        with self._lock:
            shared = self._shared.get(git_dir)
            if shared is None:
                return
            shared.listeners = {k: v for k, v in shared.listeners.items() if k is not who}
            if not shared.listeners:
                del self._shared[git_dir]
                self._loop.post(lambda: self._end(shared))

    # ---- in the loop's thread ------------------------------------------------------------

    def _start(self, git_dir: str, shared: _Shared) -> None:
        if shared.watch.fileno() is not None:
            self._loop.watch(shared.watch, lambda: self._drain(git_dir, shared), None)  # type: ignore[arg-type]

    def _drain(self, git_dir: str, shared: _Shared) -> None:
        try:
            news: News | None = {name: place_of(git_dir, name) for name in shared.watch.drain()}
        except OSError as error:
            log.warning("%s is watched no more: %s", git_dir, error)
            news = None
            with self._lock:
                if self._shared.get(git_dir) is shared:
                    del self._shared[git_dir]
            self._end(shared)
        if news is None or news:
            for told in shared.listeners.values():
                told(news)

    def _end(self, shared: _Shared) -> None:
        fd = shared.watch.fileno()
        if fd is not None:
            self._loop.unwatch(fd)
        shared.watch.close()


def place_of(git_dir: str, name: str) -> str:
    """Return the place of a name in `News`. It is read once for all listeners."""
    if not name.startswith("worktrees/"):
        return ""
    admin = Path(git_dir, name)
    try:
        return os.path.realpath(admin / read_name(admin / "gitdir"))
    except OSError:
        return ""
