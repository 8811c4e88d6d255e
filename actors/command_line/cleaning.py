"""Remove what workflows that are over left, for the commands `clean` and `forget`."""

import re
from collections.abc import Iterator
from datetime import timedelta
from shlex import quote

from actors.command_line.client.asking import ended_before
from actors.command_line.client.orders import tidied
from actors.command_line.output.exits import USAGE, Stop
from actors.command_line.output.program import command
from bus import clock
from bus.checked import CheckedPlan
from bus.client import Client
from bus.requests import WorkflowClean, WorkflowForget, WorkflowGet, WorkflowList
from bus.results import Cleaned, Kept
from bus.rows import Workflow
from bus.sizes import readable
from bus.status import FINAL_WORKFLOW

_HEADS = "refs/heads/"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def age(text: str) -> timedelta:
    """Return a duration: a number and one of the units s, m, h, d, w. Raise `Stop`."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    if found is None:
        raise Stop(f"--older-than: {text!r} is no age; write 30m, 12h, 3d or 2w", USAGE)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


class Clearance:
    """What was cleared of one workflow, for the views."""

    def __init__(self, row: Workflow, cleaned: Cleaned) -> None:
        self.row = row
        self.cleaned = cleaned

    def lines(self) -> Iterator[str]:
        """Yield what was removed, and what stays with the commands that help."""
        row, cleaned = self.row, self.cleaned
        sizes = cleaned.sizes
        verb = "would be removed" if cleaned.dry_run else "removed"
        whole = f", {readable(sum(sizes.values()))}" if sizes else ""
        yield f"{row.address} {row.status}: {len(cleaned.removed)} {verb}{whole}"
        for what in cleaned.removed:
            yield f"  {what}" + (f" ({readable(sizes[what])})" if what in sizes else "")
        for kept in cleaned.kept:
            yield f"  kept: {kept.what}: {kept.why}"
            yield from (f"    {words}" for words in _ways_on(row, kept))


def _ways_on(row: Workflow, kept: Kept) -> list[str]:
    """Return the commands that keep or give up a ref that stays."""
    git = f"git -C {quote(row.repo)}"
    if kept.what.startswith(_HEADS):
        return [f"{git} log {quote(kept.what.removeprefix(_HEADS))}"]
    if not kept.what.startswith("refs/"):
        return []
    name = kept.what.rpartition("/")[2]
    branch = next((task.branch for task in row.tasks if task.id == name), f"{row.id}-{name}")
    return [
        f"{git} branch {quote(branch)} {quote(kept.what)}   # bring it back as a branch",
        f"{git} update-ref -d {quote(kept.what)}   # give it up",
    ]


def clean(client: Client, name: str | None, older: timedelta | None, dry: bool) -> list[Clearance]:
    """Clear one workflow, or all that are over and ended longer than `older` ago."""
    if name is not None:
        rows = [_settled(client, client.ask(WorkflowGet(workflow=name)))]
    else:
        rows = [row for row in client.ask(WorkflowList()) if row.tidied]
    if older is not None:
        ended = ended_before(client, rows, clock.wall(), older)
        rows = [row for row in rows if row.id in ended]
    return [
        Clearance(row, _ask(client, WorkflowClean(workflow=row.id, dry_run=dry))) for row in rows
    ]


def free_branches(client: Client, plan: CheckedPlan) -> Iterator[str]:
    """Remove the worktrees and branches that former runs of a plan left; yield what was done.

    A run that is not over keeps what it has. The outputs of all runs stay.
    """
    for row in client.ask(WorkflowList()):
        if (row.name, row.repo) != (plan.name, plan.repo):
            continue
        if not _settled(client, row).tidied:
            yield f"{row.address} is {row.status}, and keeps its branches"
            continue
        cleaned = _ask(client, WorkflowClean(workflow=row.id, keep_outputs=True))
        if cleaned.removed:
            yield f"of {row.address} was removed: {', '.join(cleaned.removed)}"
        for kept in cleaned.kept:
            yield f"of {row.address} stays {kept.what}: {kept.why}"


def forget(client: Client, name: str) -> Clearance:
    """Clear one workflow and remove its rows."""
    row = _settled(client, client.ask(WorkflowGet(workflow=name)))
    return Clearance(row, _ask(client, WorkflowForget(workflow=row.id)))


def not_over(client: Client) -> list[Workflow]:
    """Return the workflows that nothing is removed of, because they are not over."""
    return [row for row in client.ask(WorkflowList()) if row.status not in FINAL_WORKFLOW]


def shown(cleared: list[Clearance], open_ones: list[Workflow]) -> str:
    """Return what was cleared and what is kept as text."""
    found = [each for each in cleared if each.cleaned.removed or each.cleaned.kept]
    lines = [line for each in found for line in each.lines()]
    lines += [
        f"kept: {row.address} is {row.status}; {command('stop', row.id)} ends it"
        for row in open_ones
    ]
    return "\n".join(lines) or "nothing to clean"


def _settled(client: Client, row: Workflow) -> Workflow:
    """Return the row of a workflow; of one that has just ended, once its programs are gone."""
    return tidied(client, row) if row.status in FINAL_WORKFLOW else row


def _ask(client: Client, request: WorkflowClean | WorkflowForget) -> Cleaned:
    return client.ask(request, timeout=request.patience)
