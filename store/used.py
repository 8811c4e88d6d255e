"""The queries of what terminals have used."""

from collections.abc import Callable
from typing import Any

from bus.accounts import Used

Ask = Callable[..., list[Any]]
"""Runs a query with values and returns its rows."""


def counted(ask: Ask, terminal: str, first: int) -> tuple[int, int, int, int]:
    """Return input, output and cached tokens and requests since the incarnation `first`."""
    ((first, second, third, fourth),) = ask(
        "SELECT ifnull(sum(input), 0), ifnull(sum(output), 0), ifnull(sum(cached), 0),"
        " ifnull(sum(requests), 0) FROM usage WHERE terminal = ? AND incarnation >= ?",
        *(terminal, first),
    )
    return int(first), int(second), int(third), int(fourth)


def untold(ask: Ask, workflow: str) -> list[str]:
    """Return the workflows with a question whose use is not known; of all workflows with ""."""
    found = ask(
        "SELECT DISTINCT workflow FROM question WHERE at != '' AND stage != 'asked'"
        " AND (workflow = ? OR ? = '') AND NOT EXISTS (SELECT 1 FROM usage WHERE"
        " usage.workflow = question.workflow AND terminal = question.workflow || '/'"
        " AND incarnation = question.number) ORDER BY workflow",
        *(workflow, workflow),
    )
    return [str(id) for (id,) in found]


def usage(ask: Ask, workflow: str) -> list[Used]:
    """Return what was used, by terminal, account and day; of all workflows with ""."""
    where, values = ("workflow = ?", (workflow,)) if workflow else ("1", ())
    found = ask(
        "SELECT workflow, task, terminal, account, day, sum(input), sum(output), sum(cached),"
        " sum(requests), CASE WHEN count(cost) = count(*) THEN sum(cost) END FROM usage"
        f" WHERE {where} GROUP BY workflow, task, terminal, account, day ORDER BY day, terminal",
        *values,
    )
    return [Used(*each) for each in found]
