"""Limits: tell that the model's server refuses the program, and go on when that is over.

A limit of an account holds for all its terminals: none types an instruction meanwhile. What ends a
limit is a time of the wall clock, which a machine that sleeps or is set right does not keep in step
with timers. So the time is read again at least once in `AGAIN` seconds.
"""

import zlib
from datetime import datetime, timedelta, tzinfo

from actors.clis.judging import Judgement
from actors.clis.limits import Limit, estimate, reset_of, zone_of
from actors.clis.lookup import account_of
from actors.terminal.port import Port, Timer
from actors.terminal.screens import PROMPT_MS
from bus import clock
from bus.accounts import Account
from bus.facts import (
    LimitOver,
    TerminalLimited,
    TerminalResumed,
)
from bus.kinds import OF_ACCOUNT, LimitKind
from store import accounts
from store.change import Update
from store.errors import LostRace

AGAIN = 30.0
"""Seconds after which a wait is examined again, at most."""
SPREAD = 30.0
"""Seconds over which the terminals of an account go on, at most, so that not all ask at once."""
PROBE = 60.0
"""Seconds for which one terminal alone may ask a provider that failed whether it serves again."""
MINUTE = timedelta(minutes=1)
SHARE = 0.2
"""The spread is at most this part of the wait."""


class Limits:
    """The part that handles limits. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._over = (0, 0)
        """Incarnation and step of the last limit that was over: its screen may still show it."""
        self._shared = (0, 0)
        """Incarnation and step of the last limit that another terminal met, and not this one."""

    # ---- what the screen shows -------------------------------------------------------------

    def consider(self, seen: Judgement, ms: int) -> bool:
        """Note the limit on a screen that has shown nothing new for `ms`.

        Return whether the terminal is limited: then the rest of the screen says nothing of a turn.
        """
        row, limit = self._port.row, seen.limit
        # A login page stands in the place of the prompt, and may offer choices.
        page = limit is not None and limit.by == LimitKind.LOGIN
        asks = seen.prompt is not None and not page
        if not row.works or not seen.readable or asks or row.step == 0:
            return False
        calm = (seen.ready or page) and not seen.busy and ms >= PROMPT_MS
        if limit is None:
            goes_on = seen.busy or (row.retries and calm)
            if row.limited not in (LimitKind.NONE, LimitKind.CAP) and goes_on:
                if row.sent >= row.step:
                    self._goes_on()
            elif not row.limited and row.limits and calm and row.delivered >= row.step:
                self._recovered()
        elif row.delivered >= row.step and (limit.retries or calm) and self._is_news(limit):
            self._tell(limit)
        row = self._port.row
        hangs = row.retries and ms >= self._port.plan.stall_after * 1000
        return bool(row.limited) and not hangs

    def _is_news(self, limit: Limit) -> bool:
        """Return whether the limit on the screen is not told yet.

        Of a program that tries again by itself, each try is told whose time differs, and that it
        has given up.
        """
        row = self._port.row
        if (row.incarnation, row.step) == self._over:
            return False
        later = row.retries and (not limit.retries or clock.has_passed(row.until))
        return row.limited != limit.by or later

    def _goes_on(self) -> None:
        """Note that the program works again, by itself or because a person typed into it."""
        row = self._port.row
        fact = TerminalResumed(address=self._port.at, incarnation=row.incarnation)
        self._port.observe(
            fact, limited=LimitKind.NONE, until="", ended=min(row.ended, row.step - 1)
        )

    def _recovered(self) -> None:
        """Tell that the account serves again: a turn has ended well."""
        port = self._port
        port.observe(accounts.serves_again(port.row.account, port.at), limits=0)

    def _tell(self, limit: Limit) -> None:
        self._shared = (0, 0)
        now = clock.wall().astimezone()
        account = account_of(self._port.plan, self._port.asked)
        until = reset_of(limit.fields, now, self._zone())
        waits = not limit.retries or until is None
        if not limit.retries:
            until = self._to_the_second(until, account)
        exact = until is not None and until > now and not limit.retries
        if until is None or until <= now:  # no time, or one that has just passed
            by = limit.by if until is None else LimitKind.RATE
            until = self._known(account, by) or estimate(by, self._port.row.limits, now)
        if limit.by in OF_ACCOUNT:
            self._tell_account(account, limit.by, until, exact)
        self._store(
            TerminalLimited(
                address=self._port.at,
                incarnation=self._port.row.incarnation,
                step=self._port.row.step,
                by=limit.by,
                until=_stamp(until),
                exact=exact,
                account=account,
                text=limit.text,
                retries=limit.retries,
                compact=self._compaction(limit),
            ),
            waits=waits,
        )

    def _zone(self) -> tzinfo:
        """Return the zone of its program, which is that of who submitted the plan."""
        return zone_of(self._port.plan.environment.get("TZ", "")) or clock.HERE

    def _compaction(self, limit: Limit) -> str:
        """Return what has the program shorten its conversation, if that was not tried yet."""
        first = limit.by == LimitKind.CONTEXT and self._port.row.limits == 0
        return self._port.profile.compact if first else ""

    def _to_the_second(self, until: datetime | None, account: str) -> datetime | None:
        """Return a time of the screen, or what the gateway has told of the same minute.

        Most programs show no seconds, so the limit may last for nearly a minute longer.
        """
        known = _read(self._port.stage.reader.account(account).until)
        rest = known - until if until is not None and known is not None else -MINUTE
        return known if timedelta() <= rest < MINUTE else until

    def _known(self, account: str, by: LimitKind) -> datetime | None:
        """Return when the same limit of the account ends, if the model gateway has told it.

        The gateway sees a 429 in either case, and calls a short limit one of rate.
        """
        known = self._port.stage.reader.account(account)
        same = known.by == by or {known.by, by} == {LimitKind.USAGE, LimitKind.RATE}
        return _read(known.until) if same and not clock.has_passed(known.until) else None

    def _store(self, fact: TerminalLimited, *, waits: bool = True) -> None:
        """Store a limit. Without `waits` it is a try of the program, which knows when the next is.

        Such tries together count as one limit, so that the wait after the last is no longer for
        their number.
        """
        row = self._port.row
        until = fact.until if self._port.asked.limited != "ask" or fact.retries else ""
        self._port.observe(
            fact,
            while_alive=True,
            ended=row.ended if fact.retries else max(row.ended, row.delivered),
            limited=fact.by,
            until=until,
            estimated=not fact.exact,
            account=fact.account,
            limits=row.limits + 1 if waits else max(1, row.limits),
        )

    def _tell_account(
        self, account: str, by: LimitKind, until: datetime | None, exact: bool
    ) -> None:
        """Store the limit of the account, with its fact unless it is known."""
        port = self._port
        port.commit([accounts.refused(account, by, _stamp(until), exact=exact, terminal=port.at)])

    # ---- waiting ---------------------------------------------------------------------------

    def waits(self) -> bool:
        """Return whether the terminal is limited; then the wait is examined again later."""
        if self._port.row.limited:
            self._arm()
        return bool(self._port.row.limited)

    def may_type(self) -> bool:
        """Return whether an instruction may be typed that the host has not begun to type.

        If the account is limited, the terminal becomes limited too, before it asks in vain.
        """
        if not self._port.row.limited:
            self._share()
        return not self.waits()

    def _share(self) -> None:
        """Take over a limit that another terminal of the account has met."""
        port, row = self._port, self._port.row
        account = account_of(port.plan, port.asked)
        known = port.stage.reader.account(account)
        if not self._serves(known):
            self._shared = row.incarnation, row.step
            self._store(
                TerminalLimited(
                    address=port.at,
                    incarnation=row.incarnation,
                    step=row.step,
                    by=known.by,
                    until=known.until,
                    account=account,
                    text="another terminal of this account was refused",
                )
            )

    def _serves(self, known: Account) -> bool:
        """Return whether this terminal may ask its model, as far as the account is concerned.

        After a failure of the provider one terminal alone may: the first that finds the wait over.
        The others wait until its turn ends well, or for `PROBE` seconds; then the next may.
        """
        if not known.by or known.probe == self._port.at:
            return True
        if not clock.has_passed(known.until):
            return False
        return known.by != LimitKind.OVERLOAD or self._claim(known)

    def _claim(self, known: Account) -> bool:
        """Become the one that asks; return False if another was quicker."""
        until = clock.wall() + timedelta(seconds=PROBE)
        sets = {"until": _stamp(until), "probe": self._port.at}
        expect = {"until": known.until, "probe": known.probe}
        try:
            self._port.commit([Update("account", known.name, sets, expect)])
        except LostRace:
            return False
        return True

    def _arm(self) -> None:
        """Examine the wait again when it should be over, and at least every `AGAIN` seconds."""
        row, wait = self._port.row, AGAIN
        until = _read(row.until)
        if until is not None and row.limited == LimitKind.OVERLOAD:
            asked = _read(self._port.stage.reader.account(row.account).until)
            until = max(until, asked or until)  # until then another terminal asks
        if until is not None:
            due = until + self._spread(until) - clock.wall()
            wait = min(AGAIN, max(0.0, due.total_seconds()))
        self._port.after(Timer.LIMIT, wait)

    def _spread(self, until: datetime) -> timedelta:
        """Return this terminal's own delay after `until`, the same after every restart."""
        port = self._port
        whole = (until - (_read(port.row.working_since) or until)).total_seconds()
        share = zlib.crc32(port.at.encode()) % 1000 / 1000
        return timedelta(seconds=share * min(SPREAD, SHARE * max(0.0, whole)))

    def due(self) -> None:
        """Go on if the wait is over; otherwise wait further."""
        port, row = self._port, self._port.row
        if not row.limited or not row.works:
            return
        paused, _ = port.stage.reader.pause_of(port.workflow_id)
        if paused:
            self._port.after(Timer.LIMIT, AGAIN)
            return
        if row.retries:  # its screen will show what comes of it
            port.after(Timer.LIMIT, AGAIN)
            return
        if not self._is_over():
            self._arm()
            return
        if row.sent >= row.step:
            self._over = row.incarnation, row.step
        fact = LimitOver(
            address=port.at, incarnation=row.incarnation, step=row.step, by=row.limited
        )
        port.observe(fact, while_alive=True, limited=LimitKind.NONE, until="")

    def _is_over(self) -> bool:
        """Return whether the terminal may go on."""
        row, known = self._port.row, self._port.stage.reader.account(self._port.row.account)
        until = _read(row.until)
        serves = row.limited in OF_ACCOUNT and not known.by
        if until is None or (serves and (row.incarnation, row.step) == self._shared):
            return serves
        passed = clock.wall() >= until + self._spread(until)
        return passed and (row.limited != LimitKind.OVERLOAD or self._serves(known))


def _stamp(at: datetime | None) -> str:
    return clock.text(at) if at is not None else ""


def _read(at: str) -> datetime | None:
    return datetime.fromisoformat(at) if at else None
