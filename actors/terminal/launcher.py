"""The launcher: the one serial place.

Terminals of all workflows are started one after another, first come, first served (hazard 52): the
provider is switched, the program is started, and only when it is ready (or has failed) the next one
has its turn.

It keeps nothing: after a restart every terminal that is `starting` asks again. A terminal
for which a provider is switched on still has its turn, so nobody else reads what is there.
"""

from collections import deque

from actors.supervision.actor import handles
from actors.system.stage import CompanyActor, Stage
from actors.terminal import switching
from bus.messages import AskTurn, Look, TurnOver, YourTurn


class Launcher(CompanyActor):
    """Grants turns. Its handlers never wait."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._queue: deque[AskTurn] = deque()
        self._turn: AskTurn | None = None

    def on_start(self) -> None:
        for terminal, incarnation in switching.pending(self.stage):
            row = self.stage.reader.terminal(terminal)
            mine = row is not None and row.incarnation == incarnation
            if row is not None and mine and row.alive and not (row.ready or row.gone):
                self._turn = AskTurn(terminal, incarnation)
            else:
                switching.put_back(self.stage, terminal, incarnation)
        for address in self.stage.reader.starting_terminals():
            self.stage.tell(address, Look())

    @handles(AskTurn)
    def ask(self, message: AskTurn) -> None:
        """Asking again (the asker was restarted) keeps the place, or the turn."""
        if message == self._turn:
            self._grant(message)
        elif message not in self._queue:
            self._queue.append(message)
            self._next()

    @handles(TurnOver)
    def over(self, message: TurnOver) -> None:
        mine = AskTurn(message.terminal, message.incarnation)
        if mine in self._queue:
            self._queue.remove(mine)
        if mine == self._turn:
            self._turn = None
            self._next()

    def _next(self) -> None:
        while self._turn is None and self._queue:
            first = self._queue.popleft()
            row = self.stage.reader.terminal(first.terminal)
            waits = row is not None and row.alive and not row.ready
            if row is not None and waits and row.incarnation == first.incarnation:
                self._turn = first
                self._grant(first)

    def _grant(self, message: AskTurn) -> None:
        self.stage.tell(message.terminal, YourTurn(message.incarnation))
