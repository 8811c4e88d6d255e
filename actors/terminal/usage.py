"""Usage: count what a turn has used, when it has ended and when the program has.

The numbers come from the model gateway, which reads the answers, or else from the program's own
session files. The total that was counted before is in the database, so after a crash the difference
is counted once.
"""

from datetime import date

from actors.clis.lookup import account_of, asked_for
from actors.clis.providers import ProviderError
from actors.clis.usage import Counted, count
from actors.models.said import read_used
from actors.platform.workers import WorkerLate
from actors.terminal.conversation import home_of
from actors.terminal.port import Port
from bus import clock
from bus.facts import UsageCounted
from store.change import Insert

SECONDS = 20.0
"""The time limit for reading the session files, in seconds."""
_MILLION = 1_000_000


class Usage:
    """The part that counts usage. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def tell(self) -> None:
        """Tell what was used since the last count of this incarnation, if anything is known."""
        port, row = self._port, self._port.row
        total, first, exact = self._from_gateway(), row.incarnation, True
        if total is None and port.profile.usage.files:
            total, first, exact = self._read(), home_of(port)[1], False
        if total is None:
            return
        known = port.stage.reader.counted(port.at, first)
        new = total.less(Counted(*known))
        if not (new.tokens or new.requests):
            return
        account = account_of(port.plan, port.asked)
        cost = self._cost(new)
        fact = UsageCounted(
            address=port.at,
            incarnation=row.incarnation,
            step=row.step,
            account=account,
            input=new.input,
            output=new.output,
            cached=new.cached,
            requests=new.requests,
            cost=cost,
            exact=exact,
        )
        line = {
            "workflow": port.workflow_id,
            "task": row.task,
            "terminal": port.at,
            "incarnation": row.incarnation,
            "account": account,
            "day": date.isoformat(clock.wall().astimezone().date()),
            "input": new.input,
            "output": new.output,
            "cached": new.cached,
            "requests": new.requests,
            "cost": cost,
        }
        port.observe(
            fact,
            also=[Insert("usage", line)],
            tokens=row.tokens + new.tokens,
            cost=row.cost + (cost or 0.0),
        )

    def _from_gateway(self) -> Counted | None:
        """Return what this incarnation has used, as the answers said that the gateway passed on.

        None without the gateway, and if an answer did not say what it used.
        """
        used = read_used(self._port.directory)
        if used is None or used.untold:
            return None
        return Counted(used.input, used.output, used.cached, used.requests)

    def _read(self) -> Counted | None:
        """Read the session files in a worker process: they may be large."""
        port = self._port
        worker = port.stage.workers.hire("usage", SECONDS)
        try:
            return worker.call(count, port.profile, home_of(port)[0] / "config")
        except WorkerLate:
            return None
        finally:
            port.stage.workers.dismiss(worker)

    def _cost(self, new: Counted) -> float | None:
        """Return what the tokens cost by the provider's prices; None without prices."""
        try:
            found = asked_for(self._port.plan, self._port.asked, "provider")
        except ProviderError:
            return None
        if found is None or found.price_input is None or found.price_output is None:
            return None
        cached = found.price_input if found.price_cached is None else found.price_cached
        paid = (new.input - new.cached) * found.price_input + new.output * found.price_output
        return (paid + new.cached * cached) / _MILLION
