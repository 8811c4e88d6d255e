"""Launch: make the worktree, take the turn with the launcher, and start the program.

The launch ends when the program is ready, or has failed to become ready. Making the worktree may
take minutes, because a filter of the repository may hang; no other terminal waits for it.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from actors.clis.judging import Judgement
from actors.clis.lookup import account_of
from actors.pty import records
from actors.pty.records import Exit
from actors.pty.session import Found, Session
from actors.supervision.errors import Fenced
from actors.terminal import switching
from actors.terminal.errors import LaunchRefused
from actors.terminal.port import Done, Failed, Port, Timer
from actors.terminal.prepare import is_isolated, prepare
from actors.terminal.worktree import place
from bus import address as addresses
from bus import clock
from bus.facts import LaunchFailed, TerminalAdopted, TerminalReady, TerminalUnverified
from bus.kinds import LimitKind
from bus.messages import AskTurn, Started, TurnOver, YourTurn
from bus.rows import Workflow
from bus.sizes import mebibytes
from store.errors import StoreError

log = logging.getLogger("callboard.terminal")

T = TypeVar("T")


class Launch:
    """The part that starts a program. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._owes_turn = True
        self._where: Path | None = None
        self.began = False
        """Whether this actor started the host that runs: then its welcome is no adoption."""

    def attempt(self, step: Callable[[], T]) -> T | Failed:
        """Carry out a step of the launch. If it raises, return `Failed` with the reason.

        `StoreError` and `Fenced` are raised: then the failure could not be stored either.
        """
        try:
            return step()
        except LaunchRefused as refused:
            return Failed(str(refused), refused.actions)
        except OSError as error:
            return Failed(str(error))
        except (StoreError, Fenced):
            raise
        except Exception as error:
            log.exception("%s: its launch broke", self._port.at)
            return Failed(f"{type(error).__name__}: {error}")

    def make_place(self) -> Path:
        """Create the program's working directory if it is missing. Raise `LaunchRefused`."""
        return place(self._port, self._workflow())

    def ask_turn(self, where: Path) -> None:
        """Ask the launcher for the turn; the working directory `where` is set up."""
        self._where = where
        port = self._port
        caps = port.plan.limits
        turn = AskTurn(
            port.at,
            port.row.incarnation,
            alone=not is_isolated(port.asked, port.profile),
            memory=port.profile.memory,
            cap=mebibytes(caps.memory) if caps and caps.memory else 0,
            account=self._account(),
        )
        port.stage.tell(addresses.LAUNCHER, turn)

    def _account(self) -> str:
        """Return the account for whose limit the launch waits.

        It is "" if the program is to be started all the same: then the next provider goes on in the
        place of a limited one, or a person decides.
        """
        asked = self._port.asked
        falls_back = asked.limited != "wait" and self._port.row.fallbacks < len(asked.fallback)
        if asked.limited == "ask" or falls_back:
            return ""
        return account_of(self._port.plan, asked)

    def refuse(self, message: YourTurn) -> None:
        """Give back a turn that is of no use."""
        turn = TurnOver(self._port.at, message.incarnation)
        self._port.stage.tell(addresses.LAUNCHER, turn)

    def is_wanted(self, message: YourTurn) -> bool:
        """Return whether the incarnation that asked for the turn is still to be started."""
        row = self._port.stage.reader.terminal(self._port.at)
        return (
            row is not None
            and message.incarnation == row.incarnation
            and row.shall_run
            and not row.launch_over
        )

    def take_turn(self, session: Session) -> Exit | Done | Failed | None:
        """Start the program.

        Return its `Exit` if it has ended already, `Failed` if the launch failed, None if it runs.
        Return `Done` if its working directory must be made first, because the turn was granted to a
        former incarnation of the actor.
        """
        self._owes_turn = True
        where = self._where
        if where is None:
            self.turn_over()
            return Done()
        if not where.is_dir():  # asking for another turn would never end
            return Failed(f"{where} was there and is gone")
        self.began = True
        return self.attempt(lambda: self._start(session, where))

    def _start(self, session: Session, where: Path) -> Exit | None:
        port = self._port
        needs = prepare(port, self._workflow(), where)
        if port.unverified is not None:
            port.observe(self._not_verified(port.unverified))
        session.start(needs.argv, needs.env, needs.cwd, *port.size)
        if not session.connected:
            return session.exit()
        port.stage.tell(addresses.LAUNCHER, Started(port.at, port.row.incarnation))
        return None

    def _workflow(self) -> Workflow:
        workflow = self._port.stage.reader.workflow(self._port.workflow_id)
        if workflow is None:
            raise LaunchRefused("its workflow is gone")
        return workflow

    def _not_verified(self, version: str) -> TerminalUnverified:
        port = self._port
        return TerminalUnverified(
            address=port.at,
            incarnation=port.row.incarnation,
            cli=port.row.cli,
            version=version,
            verified=list(port.profile.version.verified),
        )

    def failed(self, failed: Failed, session: Session | None) -> None:
        """Tell, once, that the program did not start or did not become ready.

        A program that runs is ended later, when the workflow has decided so.
        """
        port, row = self._port, self._port.row
        runs = session is not None and (
            session.connected or session.look() in (Found.ALIVE, Found.UNKNOWN)
        )
        if not row.launch_over and not row.gone:
            fact = LaunchFailed(
                address=port.at,
                incarnation=row.incarnation,
                reason=failed.reason,
                actions=failed.actions,
            )
            port.observe(fact, launch_over=True, gone=not runs)
        self.turn_over()

    def turn_over(self) -> None:
        """Give the turn back, and put back the files that were switched for it.

        The turn may have been that of a former incarnation of this actor.
        """
        port = self._port
        if self._owes_turn:
            self._owes_turn = False
            switching.put_back(port.stage, port.at, port.row.incarnation)
            turn = TurnOver(port.at, port.row.incarnation)
            port.stage.tell(addresses.LAUNCHER, turn)

    def welcomed(self, pid: int, offset: int) -> None:
        """Tell that a program that runs was taken over, unless this actor started it."""
        port = self._port
        if not self.began:
            port.observe(
                TerminalAdopted(
                    address=port.at, incarnation=port.row.incarnation, pid=pid, offset=offset
                )
            )

    def judge_ready(self, seen: Judgement) -> Failed | None:
        """Tell that the program is ready, if the quiet screen `seen` shows it.

        Fail if the program wants a login first.
        """
        if seen.limit is not None and seen.limit.by == LimitKind.LOGIN:
            return self._not_logged_in(seen.limit.text)
        if not seen.ready:
            return None
        port = self._port
        identity = records.read_identity(port.directory)
        fact = TerminalReady(
            address=port.at,
            incarnation=port.row.incarnation,
            seconds=round(clock.awake_since(identity.started), 3) if identity else 0.0,
        )
        port.observe(fact, launch_over=True)
        port.cancel(Timer.READY)
        self.turn_over()
        port.listen()
        return None

    def _not_logged_in(self, text: str) -> Failed:
        """Return the failure of a program that wants a login first."""
        cli = self._port.row.cli
        return Failed(
            f"{cli} is not logged in; its screen says: {text}. Log in with {cli} itself, not in "
            "Callboard, or give the terminal a provider"
        )

    def expect_ready(self) -> None:
        """Start the program's `ready_timeout` now."""
        self._port.after(Timer.READY, self._port.profile.ready_timeout)

    def not_ready(self, seen: Judgement) -> Failed | None:
        """Fail the launch after `ready_timeout`, unless a question waits for a person.

        While it waits, other terminals may have the turn, unless the provider of this one is
        switched on globally.
        """
        port, limit = self._port, self._port.profile.ready_timeout
        if not (port.row.blocked and seen.prompt is not None):
            return Failed(f"not ready within {limit:g} s; its screen is:\n{seen.text}")
        self.expect_ready()
        if not switching.is_on(port.stage, port.at, port.row.incarnation):
            self.turn_over()
        return None
