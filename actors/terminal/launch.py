"""Launch: the worktree and its set-up first, which may take minutes (a filter of the repository
may hang) and for which nobody else waits; then the turn with the launcher, until the program is
ready or has failed to become so.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.platform import processes
from actors.pty.session import Found, Session
from actors.supervision.errors import Fenced
from actors.terminal import switching
from actors.terminal.prepare import LaunchRefused, place, prepare
from bus import address as addresses
from bus import clock
from bus.facts import LaunchFailed, TerminalReady, TerminalUnverified
from bus.messages import AskTurn, Look, TurnOver, YourTurn
from bus.rows import Workflow
from store.change import Update
from store.errors import StoreError

if TYPE_CHECKING:
    from actors.terminal.actor import TerminalActor

log = logging.getLogger("callboard.terminal")


class Launch:
    """The part of a terminal actor that brings its program up. In the actor's thread."""

    def __init__(self, actor: "TerminalActor") -> None:
        self._actor = actor
        self._owes_turn = True
        self._where: Path | None = None  # its place, once it is there and set up
        self.began = False  # by this actor: the host it hears of is no news

    def ask(self) -> None:
        """Make its place, then ask for the turn. To be repeated: what is there is quick."""
        self._try(self._make_place)

    def _make_place(self) -> None:
        actor = self._actor
        where = place(actor.stage, actor, self._workflow(), actor.plan, actor.row)
        if actor.set_up.is_wanted(where):
            actor.set_up.begin(where)
        else:
            self._where = where
            actor.stage.tell(addresses.LAUNCHER, AskTurn(actor.at, actor.row.incarnation))

    def granted(self, message: YourTurn) -> None:
        actor = self._actor
        row = actor.stage.reader.terminal(actor.at)
        stale = row is None or message.incarnation != row.incarnation or not row.alive or row.ready
        session = actor.found
        if stale or session is None or actor.set_up.under_way:
            actor.stage.tell(addresses.LAUNCHER, TurnOver(actor.at, message.incarnation))
            return
        if session.connected or actor.departure.under_way:
            return  # asked twice, granted twice: it is being used, or has been
        self._owes_turn = True
        where = self._where
        if where is None or not where.is_dir():  # granted to a former incarnation of this actor
            self.turn_over()
            actor.stage.tell(actor.address, Look())
            return
        self.began = True
        self._try(lambda: self._start(session, where))

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (LaunchRefused, OSError) as error:
            self.failed(str(error))
        except (StoreError, Fenced):
            raise
        except Exception as error:
            log.exception("%s: its launch broke", self._actor.at)
            self.failed(f"{type(error).__name__}: {error}")

    def _workflow(self) -> Workflow:
        workflow = self._actor.stage.reader.workflow(self._actor.workflow_id)
        if workflow is None:
            raise LaunchRefused("its workflow is gone")
        return workflow

    def _start(self, session: Session, where: Path) -> None:
        actor = self._actor
        needs = prepare(
            actor.stage, self._workflow(), actor.plan, actor.row, actor.asked, actor.profile, where
        )
        if actor.unverified is not None:
            actor.store([self._not_verified(actor.unverified)])
        session.start(needs.argv, needs.env, needs.cwd, *actor.size)
        if not session.connected:
            actor.departure.has_ended(session.exit())

    def _not_verified(self, version: str) -> TerminalUnverified:
        actor = self._actor
        return TerminalUnverified(
            address=actor.at,
            incarnation=actor.row.incarnation,
            cli=actor.row.cli,
            version=version,
            verified=list(actor.profile.version.verified),
        )

    def failed(self, reason: str, screen: str = "") -> None:
        """The program did not start, or is not ready: said once; what runs is ended when the
        workflow has decided."""
        actor = self._actor
        session, row = actor.found, actor.row
        started = session is not None and (
            session.connected or session.look() in (Found.ALIVE, Found.UNKNOWN)
        )
        sets: dict[str, Any] = {} if started else {"gone": True}
        expect = {"incarnation": row.incarnation, "ready": False, "gone": False}
        fact = LaunchFailed(
            address=actor.at, incarnation=row.incarnation, reason=reason, screen=screen
        )
        actor.store([Update("terminal", actor.at, {"ready": True, **sets}, expect), fact])
        self.turn_over()

    def turn_over(self) -> None:
        """Give the turn back, also one that a former incarnation of this actor had."""
        actor = self._actor
        if self._owes_turn:
            self._owes_turn = False
            switching.put_back(actor.stage, actor.at, actor.row.incarnation)
            actor.stage.tell(addresses.LAUNCHER, TurnOver(actor.at, actor.row.incarnation))

    def judge_ready(self, ms: int) -> None:
        actor = self._actor
        seen, row = actor.judge(), actor.row
        if seen.ready:
            identity = processes.read_identity(actor.directory)
            fact = TerminalReady(
                address=actor.at,
                incarnation=row.incarnation,
                seconds=round(clock.awake_since(identity.started), 3) if identity else 0.0,
            )
            expect = {"incarnation": row.incarnation, "ready": False}
            actor.store([Update("terminal", actor.at, {"ready": True}, expect), fact])
            actor.cancel("ready")
            self.turn_over()
            actor.listen()
        actor.prompts.consider(seen, ms)

    def expect_ready(self) -> None:
        """From now on it has its `ready_timeout`."""
        self._actor.later("ready", self._actor.profile.ready_timeout)

    def not_ready(self) -> None:
        """Its time is up; but a question that waits for a person ends nothing. Others then have
        their turn, unless this one's provider is switched on for all."""
        actor = self._actor
        seen, limit = actor.judge(), actor.profile.ready_timeout
        if actor.row.blocked and seen.prompt is not None:
            self.expect_ready()
            if not switching.is_on(actor.stage, actor.at, actor.row.incarnation):
                self.turn_over()
        else:
            self.failed(f"not ready within {limit:g} s; its screen is:\n{seen.text}")
