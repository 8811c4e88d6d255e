"""The tables of `usage`: what was used by address, by account and by day."""

from collections.abc import Callable
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from bus.accounts import Used
from bus.results import UsageReport


def usage(report: UsageReport) -> Any:
    """Return a table of addresses with their sums, then one of accounts and days."""
    if not report.used and not report.unknown:
        return "nothing was used yet, as far as is known"
    parts: list[Any] = []
    if report.used:
        parts.append(_table("address", report.used, _addresses))
        parts.append(_table("account, day", report.used, _account_and_day))
    parts += [f"unknown: {escape(_name(address))}" for address in report.unknown]
    return Group(*parts)


def _account_and_day(used: Used) -> list[str]:
    return [f"{used.account}, {used.day}"]


def _name(address: str) -> str:
    """Return the address of a terminal; for that of a workflow, whose model is meant."""
    return address if address.count("/") > 1 else f"{address} [orchestrator]"


def _addresses(used: Used) -> list[str]:
    """Return the addresses whose sums a terminal belongs to, the outermost first."""
    found = [f"{used.workflow}/", used.task, _name(used.terminal)]
    return list(dict.fromkeys(address for address in found if address))


def _table(head: str, used: list[Used], groups: Callable[[Used], list[str]]) -> Table:
    sums: dict[str, list[Used]] = {}
    for each in used:
        for name in groups(each):
            sums.setdefault(name, []).append(each)
    table = Table(head, "in", "cached", "out", "requests", "cost", box=None, pad_edge=False)
    for name in sorted(sums):
        table.add_row(escape(name), *_numbers(sums[name]))
    return table


def _numbers(used: list[Used]) -> list[str]:
    costs = [each.cost for each in used]
    known = [cost for cost in costs if cost is not None]
    cost = f"{sum(known):.4f}" if len(known) == len(costs) else "unknown"
    counts = (
        sum(each.input for each in used),
        sum(each.cached for each in used),
        sum(each.output for each in used),
        sum(each.requests for each in used),
    )
    return [*map(str, counts), cost]
