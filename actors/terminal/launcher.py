"""The launcher: it grants the turn to start a program to one terminal at a time.

Terminals of all workflows are started in the order of their requests (hazard 52). An isolated
program has a config home of its own, so the next program is started while it becomes ready; at most
`IN_FLIGHT` programs are becoming ready at a time. A program that reads the user's own
configuration, where its provider is switched on, is started alone: when no other is becoming ready,
and no other is started before it is ready.

The launcher stores nothing: after a restart every terminal that is `starting` asks again. A
terminal for which a provider is switched on keeps its turn, so that no other program reads that
configuration.
"""

from collections import deque

from actors.pty import records
from actors.supervision.actor import handles
from actors.system.stage import CompanyActor, Stage
from actors.terminal import switching
from bus.messages import AskTurn, Look, Started, TurnOver, YourTurn
from bus.rows import Terminal

IN_FLIGHT = 8
"""How many isolated programs may be becoming ready at a time."""


class Launcher(CompanyActor):
    """The actor that grants turns. Its handlers never wait."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._queue: deque[AskTurn] = deque()
        self._turn: AskTurn | None = None
        self._becoming_ready: set[tuple[str, int]] = set()

    def on_start(self) -> None:
        """Restore the state from the disk and the rows, and have starting terminals ask again."""
        for terminal, incarnation in switching.pending(self.stage):
            row = self.stage.reader.terminal(terminal)
            mine = row is not None and row.incarnation == incarnation
            if row is not None and mine and row.shall_run and not (row.launch_over or row.gone):
                self._turn = AskTurn(terminal, incarnation, alone=True)
            else:
                switching.put_back(self.stage, terminal, incarnation)
        for address in self.stage.reader.starting_terminals():
            row = self.stage.reader.terminal(address)
            if row is not None and self._runs(row):
                self._becoming_ready.add((address, row.incarnation))
            self.stage.tell(address, Look())

    def _runs(self, row: Terminal) -> bool:
        """Return whether the program was started before this launcher, and not alone."""
        directory = self.stage.paths.terminal_dir(row.address, row.incarnation)
        alone = self._turn is not None and self._turn.terminal == row.address
        return not alone and records.host_lives(directory) is True

    @handles(AskTurn)
    def ask(self, message: AskTurn) -> None:
        """Queue a request for the turn.

        A terminal that was restarted asks again, and keeps its position or its turn.
        """
        holds = self._turn is not None and _key(message) == _key(self._turn)
        if holds or _key(message) in self._becoming_ready:
            self._grant(message)
        elif _key(message) not in map(_key, self._queue):
            self._queue.append(message)
            self._next()

    @handles(Started)
    def started(self, message: Started) -> None:
        """Start the next one while this one becomes ready, unless this one is started alone."""
        turn = self._turn
        if turn is not None and _key(turn) == _key(message) and not turn.alone:
            self._turn = None
            self._becoming_ready.add(_key(message))
            self._next()

    @handles(TurnOver)
    def over(self, message: TurnOver) -> None:
        """End the turn of a terminal that is ready, or will not become so."""
        mine = _key(message)
        self._queue = deque(each for each in self._queue if _key(each) != mine)
        self._becoming_ready.discard(mine)
        if self._turn is not None and _key(self._turn) == mine:
            self._turn = None
        self._next()

    def _next(self) -> None:
        while self._turn is None and self._queue and self._may_start(self._queue[0]):
            first = self._queue.popleft()
            row = self.stage.reader.terminal(first.terminal)
            waits = row is not None and row.shall_run and not row.launch_over
            if row is not None and waits and row.incarnation == first.incarnation:
                self._turn = first
                self._grant(first)

    def _may_start(self, first: AskTurn) -> bool:
        """Return whether the first in the queue may start. No other overtakes it."""
        return len(self._becoming_ready) < (1 if first.alone else IN_FLIGHT)

    def _grant(self, message: AskTurn) -> None:
        self.stage.tell(message.terminal, YourTurn(message.incarnation))


def _key(message: AskTurn | Started | TurnOver) -> tuple[str, int]:
    return message.terminal, message.incarnation
