"""The restart states of actors, kept in the database, so that they survive the process."""

import msgspec

from actors.supervision.backoff import RestartState
from store.change import Insert
from store.journal import Journal
from store.reader import Reader

_decode = msgspec.json.Decoder(RestartState).decode


class StoredRestarts:
    """A `RestartStore` that reads and writes the database. Any thread may use it."""

    def __init__(self, journal: Journal, reader: Reader) -> None:
        self._journal = journal
        self._reader = reader

    def load(self, address: str) -> RestartState | None:
        """Return the state that was saved last for the address, or None."""
        state = self._reader.actor_state(address)
        return _decode(state) if state else None

    def save(self, address: str, state: RestartState) -> None:
        """Save the state of the address, and wait until it is durable."""
        row = {"address": address, "state": msgspec.json.encode(state)}
        self._journal.commit([Insert("actorstate", row, replace=True)])
