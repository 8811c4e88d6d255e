"""The notifier: it tells a person what waits for one, what is over, and what is in trouble.

A *recipient* is one way of a plan's `[notify]`: a program or a web address. Workflows with the same
one share it. Its row says up to which fact the person was told (`told`), and which facts are being
told now (`seqs`). The row moves on together with the fact `notice.sent`, and a notice is sent by a
program under a host, which outlives the runtime. So each fact is told once. What comes within
`every` seconds after a notice is told with the next.
"""

import hashlib
import logging
from typing import Any

import msgspec

from actors.notice import worth
from actors.notice.delivery import Again, Delivery, Load, NoticeSaid, Outcome, TooLate
from actors.notice.environment import Keyless, environment
from actors.platform.loop import Timer
from actors.supervision.actor import handles
from actors.system.stage import CompanyActor, Stage
from bus import address as addresses
from bus import clock
from bus.facts import AnyFact, NoticeFailed, NoticeSent, decode_fact
from bus.messages import Look
from bus.notify import Notice, Notify
from bus.rows import Workflow
from store.change import Insert, Operation, Update, as_stored

MOST = 100
"""How many facts one notice tells at most."""
LONGEST = 3_600.0
"""Seconds until a notice that was not sent is tried again, at most."""
TOLD_AT = 3
"""After how many tries in vain a fact says so; and again after twice as many, and so on."""
_PAGE = 1_000

log = logging.getLogger("callboard.notice")

_notify = msgspec.json.Decoder(Notify).decode


class Notifier(CompanyActor):
    """Sends notices. No handler waits for a program."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._deliveries: dict[str, Delivery] = {}
        self._timers: dict[str, Timer] = {}
        self._sent: dict[str, float] = {}
        self._tries: dict[str, int] = {}

    def on_start(self) -> None:
        """Go on with what an earlier incarnation began, and tell what happened meanwhile."""
        self.look(Look())

    @handles(Look)
    def look(self, _message: Look) -> None:
        """Something happened that may matter to a person."""
        self._add_recipients()
        for row in self.stage.reader.notices():
            self._consider(row)

    def _add_recipients(self) -> None:
        """Store the recipients of new workflows. They are told from the first fact on."""
        known = {row.recipient for row in self.stage.reader.notices()}
        for id in self.stage.reader.unfinished_ids():
            first, asked = self.stage.reader.notified(id)
            for recipient in _recipients(asked) - known:
                values = {"recipient": recipient, "told": first - 1}
                self.stage.commit(self, [Insert("notice", values)])
                known.add(recipient)

    @handles(Again)
    def again(self, message: Again) -> None:
        """A wait of one recipient is over."""
        self._timers.pop(message.recipient, None)
        self._go_on(message.recipient)

    def _go_on(self, recipient: str) -> None:
        self._consider(self._row(recipient))

    def _row(self, recipient: str) -> Notice:
        return next(row for row in self.stage.reader.notices() if row.recipient == recipient)

    # ---- one recipient ------------------------------------------------------------------------

    def _consider(self, row: Notice) -> None:
        """Go on with the notice that is being sent, or begin the next one when it is due."""
        delivery = self._deliveries.get(row.recipient)
        if row.recipient in self._timers or (delivery is not None and delivery.connected):
            return
        if not row.seqs:
            row.seqs = self._waiting(row)
            if not row.seqs or self._is_early(row):
                return
            self._change(row, seqs=row.seqs, number=row.number + 1)
        self._send(row)

    def _is_early(self, row: Notice) -> bool:
        """Return whether the last notice was sent a short time ago; then look again later."""
        sent = self._sent.get(row.recipient)
        wait = _notify(row.recipient).every - clock.awake_since(sent) if sent is not None else 0.0
        if wait > 0:
            self._later(row.recipient, wait)
        return wait > 0

    def _later(self, recipient: str, seconds: float) -> None:
        self._timers[recipient] = self.stage.timers.after(seconds, self.address, Again(recipient))

    def _waiting(self, row: Notice) -> list[int]:
        """Return the seqs of the facts that this recipient is to be told next, oldest first."""
        rows: dict[str, Workflow | None] = {}
        found: list[int] = []
        seen = row.told
        while len(found) < MOST and (page := self.stage.reader.facts_after(seen, _PAGE)):
            for seen, address, body in page:
                fact = decode_fact(body)
                if not worth.may_matter(fact):
                    continue
                id = addresses.workflow_of(address)
                if id not in rows:
                    rows[id] = self.stage.reader.workflow(id)
                if self._concerns(row, id) and worth.matters(fact, rows[id]):
                    found.append(seen)
                if len(found) == MOST:
                    break
        if not found and seen > row.told + _PAGE:
            self._change(row, told=seen)  # or each look would read all of this again
        return found

    def _concerns(self, row: Notice, id: str) -> bool:
        """Return whether this recipient is told what happens to a workflow, or to the runtime.

        Everybody with a workflow that is not over is told of the runtime.
        """
        runtime = addresses.workflow(id) == addresses.RUNTIME
        ids = self.stage.reader.unfinished_ids() if runtime else [id]
        return any(row.recipient in _recipients(self.stage.reader.notified(i)[1]) for i in ids)

    def _send(self, row: Notice) -> None:
        """Begin the try of the row, or follow it if an earlier incarnation began it."""
        delivery = self._deliveries.get(row.recipient)
        if delivery is None:
            at = f"{self.address}{_digest(row.recipient)}/"
            asked = _notify(row.recipient)
            delivery = Delivery(self.stage, self.address, at, row.recipient, asked, row.number)
            self._deliveries[row.recipient] = delivery
        try:
            outcome = delivery.begin(lambda: self._load(row))
        except Keyless as error:
            outcome = Outcome(str(error))
        except _Forgotten as error:
            outcome = Outcome(str(error), for_good=True)
        except OSError as error:  # nobody knows now how it stands
            log.warning("%s: %s", self.address, error)
            self._later(row.recipient, _notify(row.recipient).every)
            return
        if outcome is not None:
            self._over(row, outcome)

    def _load(self, row: Notice) -> Load:
        """Return what is sent. Raise `Keyless`, or `_Forgotten` if nothing is left of it."""
        found = self._facts(row)
        ids = {addresses.workflow_of(fact.address) for fact in found}
        ids |= set(self.stage.reader.unfinished_ids())
        mine = [id for id in sorted(ids) if self._concerns(row, id) and id != "runtime"]
        if not found or not mine:
            raise _Forgotten("the workflow was forgotten")
        plans = [self.stage.reader.plan(id) for id in mine]
        id = _id(row)
        said = {
            "id": id,
            "home": str(self.stage.paths.home),
            "text": "\n".join(map(worth.text, found)),
            "facts": found,
        }
        env = environment(plans, _notify(row.recipient).secret_env, id)
        return Load(id, msgspec.json.encode(said), env)

    def _facts(self, row: Notice) -> list[AnyFact]:
        """Return the facts that are being told, without those that were forgotten meanwhile."""
        wanted = set(row.seqs)
        found: list[AnyFact] = []
        seen = row.seqs[0] - 1
        while seen < row.seqs[-1] and (page := self.stage.reader.facts_after(seen, _PAGE)):
            found += [decode_fact(body) for seq, _, body in page if seq in wanted]
            seen = page[-1][0]
        return found

    # ---- how a try ends --------------------------------------------------------------------

    @handles(NoticeSaid)
    def heard(self, message: NoticeSaid) -> None:
        """Handle an event of the host of a try."""
        delivery = self._deliveries.get(message.recipient)
        outcome = delivery.heard(message.said) if delivery is not None else None
        if outcome is not None:
            self._over(self._row(message.recipient), outcome)

    @handles(TooLate)
    def too_late(self, message: TooLate) -> None:
        """End a try that takes too long."""
        delivery = self._deliveries.get(message.recipient)
        if delivery is not None:
            delivery.too_late(message)

    def _over(self, row: Notice, outcome: Outcome) -> None:
        """Store how a try ended, and go on with the next notice, or try again later."""
        tries = self._tries.get(row.recipient, 0) + 1
        told: list[Operation] = []
        failed = NoticeFailed(
            address=self.address,
            to=_notify(row.recipient).to,
            id=_id(row),
            seqs=row.seqs,
            tries=tries,
            reason=outcome.trouble,
            given_up=outcome.for_good,
        )
        if outcome.trouble and not outcome.for_good:
            told += [failed] if _says(tries) else []
            self._change(row, *told, number=row.number + 1)
        else:
            sent = NoticeSent(address=self.address, to=failed.to, id=failed.id, seqs=row.seqs)
            told += [failed if outcome.trouble else sent]
            self._change(row, *told, told=row.seqs[-1], seqs=[])
        self._deliveries.pop(row.recipient).forget()
        if row.seqs:
            self._tries[row.recipient] = tries
            wait = _notify(row.recipient).every * 2.0 ** min(tries - 1, 30)
            self._later(row.recipient, min(LONGEST, wait))
            return
        self._tries.pop(row.recipient, None)
        self._sent[row.recipient] = clock.awake()
        self._go_on(row.recipient)

    def _change(self, row: Notice, *also: Operation, **sets: Any) -> None:
        """Store columns of the row, with facts, if no other incarnation has moved it on."""
        expect = {"number": row.number}
        change = [Update("notice", row.recipient, as_stored(sets), expect), *also]
        self.stage.commit(self, change)
        for name, value in sets.items():
            setattr(row, name, value)

    def on_stop(self) -> None:
        """Let go of the programs; they go on."""
        self._close()

    def on_failure(self, *_: object) -> None:
        """Let go of the programs; the next incarnation follows them."""
        self._close()

    def _close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        for delivery in self._deliveries.values():
            delivery.close()


class _Forgotten(Exception):
    """Nothing is left of what was to be told."""


def _recipients(asked: Notify | None) -> set[str]:
    """Return the recipients that `[notify]` of a plan names."""
    ways = asked.ways() if asked is not None else []
    return {msgspec.json.encode(way).decode() for way in ways}


def _says(tries: int) -> bool:
    """Return whether a fact says that so many tries were in vain."""
    return tries % TOLD_AT == 0 and (tries // TOLD_AT).bit_count() == 1


def _digest(recipient: str) -> str:
    return hashlib.sha256(recipient.encode()).hexdigest()[:12]


def _id(row: Notice) -> str:
    """Return the id of the notice that is being sent, the same at each try."""
    return f"{_digest(row.recipient)}-{row.seqs[-1]}"
