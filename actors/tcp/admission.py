"""Which keys may connect now, and what each may do: the home's `keys/`, as it is now."""

from pathlib import Path

from bus import clock, keys
from bus.keys import Key
from bus.peer import Right

FRESH_SECONDS = 0.1
"""Within so long a directory may change twice and keep its time stamp."""
REQUESTS, FEED = "requests", "feed"
"""The ZAP domains: the names under which the two sockets ask whether a key is admitted."""


class Admission:
    """The keys of a home. Belongs to one event loop. No method raises."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._read_at = -1
        self._by_public: dict[str, Key] = {}
        self._lost = False
        self._look()

    def _look(self) -> None:
        """Read the directory if it has changed."""
        try:
            now = (self._home / "keys").stat().st_mtime_ns
        except OSError:
            now = 0
        if now == self._read_at:
            return
        old = self._by_public
        # A later change may have the same time stamp, as long as that is fresh: read again then.
        settled = clock.wall().timestamp() - now / 1e9 > FRESH_SECONDS
        self._read_at = now if settled else -1
        self._by_public = {key.public: key for key in keys.known(self._home)}
        for public, key in old.items():
            kept = self._by_public.get(public)
            self._lost = self._lost or kept is None or kept.right != key.right

    def find(self, public: str) -> Key | None:
        """Return the key with this public part, as the directory holds it now."""
        self._look()
        return self._by_public.get(public)

    def lost(self) -> bool:
        """Whether a key was revoked or limited since the last call."""
        self._look()
        lost, self._lost = self._lost, False
        return lost

    def callback(self, domain: str, public: bytes) -> bool:
        """Whether a key is admitted to a domain. The ZAP handler calls it at each handshake."""
        key = self.find(public.decode("ascii", "replace"))
        return key is not None and (domain == FEED or key.right != Right.FEED)
