"""The publisher: shows every fact on the feed, in order, from the journal.

It is given what was committed; where that does not follow on the last fact it published, it
reads the journal. So a new incarnation goes on where the last one stopped; a new runtime
begins with its own first fact, and subscribers heal what they missed from the journal.
"""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from io import FileIO

import msgspec

from actors.gateway.outputs import Piece, Wanted
from actors.platform.loop import Timer
from actors.supervision.actor import handles
from actors.system.stage import CompanyActor, Stage
from bus import address as addresses
from bus.feed import HEARTBEAT_SECONDS, Feed
from bus.latency import Latency
from store.journal import Stored

_BATCH = 1_000


class Committed(msgspec.Struct, frozen=True):
    """Facts that are durable now, in order, since `at`. From the journal's thread."""

    facts: Sequence[Stored]
    at: float = msgspec.field(default_factory=time.monotonic)


class Position:
    """The seq of the last fact on the feed. It outlives the incarnations of the publisher."""

    def __init__(self, seq: int) -> None:
        self.seq = seq


class _Beat:
    """The heartbeat is due."""


class _Joined:
    """Somebody may have joined the feed."""


class _Moved:
    """The gate has used the socket: somebody may have joined, of whom the loop does not tell."""


class Publisher(CompanyActor):
    """Owns the PUB socket; all in its own thread."""

    def __init__(self, stage: Stage, endpoint: str, position: Position, latency: Latency) -> None:
        super().__init__(stage)
        self._latency = latency
        self._position = position
        self._endpoint = endpoint
        self._feed: Feed
        self._timer: Timer
        self._joins: FileIO
        self._wanted: frozenset[str] = frozenset()
        self._opened = ExitStack()

    def on_start(self) -> None:
        """Open the feed, and start the heartbeat."""
        notify, address = self.stage.timers.notify, self.address
        self._feed = Feed(
            self.stage.bus.context,
            self._endpoint,
            self.stage.bus.gate,
            lambda: notify(address, _Moved()),
        )
        # One of our own: the loop must forget it before it is closed, the feed closes its own.
        self._joins = FileIO(os.dup(self._feed.fileno()))
        self._listen()
        self._beat_later()
        self._opened.callback(lambda: self.stage.loop.post(self._forget))
        self._opened.callback(self._feed.close)
        self._opened.callback(lambda: self._timer.cancel())
        notify(addresses.OUTPUTS, Wanted(self._wanted))

    @handles(Committed)
    def committed(self, message: Committed) -> None:
        """Publish facts, from the journal if they do not follow on the last one."""
        if message.facts[0].fact.seq != self._position.seq + 1:
            self._catch_up()
        else:
            for stored in message.facts:
                self._feed.publish(stored.fact.address, stored.body)
                self._position.seq = stored.fact.seq
        self._latency.note(time.monotonic() - message.at, len(message.facts))
        self._greet()

    def _greet(self) -> None:
        """Greet those who joined, and say whose output is wanted where that has changed."""
        self._feed.greet(self._position.seq)
        if self._feed.outputs != self._wanted:
            self._wanted = self._feed.outputs
            self.stage.timers.notify(addresses.OUTPUTS, Wanted(self._wanted))

    @handles(Piece)
    def piece(self, message: Piece) -> None:
        """Show a piece of a terminal's output."""
        body = b"%d " % message.offset + message.data
        self._feed.publish(addresses.OUTPUT + message.terminal, body)
        self._greet()

    def _catch_up(self) -> None:
        while facts := self.stage.reader.facts_after(self._position.seq, _BATCH):
            for seq, address, body in facts:
                self._feed.publish(address, body)
                self._position.seq = seq

    @handles(_Joined)
    def joined(self, _message: _Joined) -> None:
        """Tell new subscribers where the feed stands."""
        self._greet()
        self._listen()

    @handles(_Moved)
    def moved(self, _message: _Moved) -> None:
        """Tell new subscribers where the feed stands."""
        self._greet()

    @handles(_Beat)
    def beat(self, _message: _Beat) -> None:
        """Publish a heartbeat."""
        self._feed.heartbeat(self._position.seq)
        self._greet()
        self._beat_later()

    def _listen(self) -> None:
        """Have the loop say once that somebody joined."""
        loop, joins, address = self.stage.loop, self._joins, self.address

        def readable() -> None:
            loop.unwatch(joins.fileno())
            self.stage.timers.notify(address, _Joined())

        loop.post(lambda: loop.watch(joins, readable, None))

    def _beat_later(self) -> None:
        address = self.address
        self._timer = self.stage.timers.after(HEARTBEAT_SECONDS, address, _Beat())

    def on_stop(self) -> None:
        """Publish what is stored but not published, then close the feed."""
        self._catch_up()
        self._opened.close()

    def on_failure(self, *_: object) -> None:
        """Close the feed, if it was opened."""
        self._opened.close()

    def _forget(self) -> None:
        """In the loop's thread."""
        self.stage.loop.unwatch(self._joins.fileno())
        self._joins.close()
