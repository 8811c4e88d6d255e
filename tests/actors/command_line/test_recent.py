"""`ps` leaves out what ended more than a day ago, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest

from actors.command_line.client.asking import has_ended_before
from bus.facts import WorkflowMoved
from bus.rows import Workflow
from bus.status import WorkflowStatus


def at(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


@pytest.mark.parametrize(
    ("status", "created", "ended", "shown"),
    [
        ("running", 100, None, True),
        ("failed", 100, 90, True),
        ("completed", 3, 2, True),
        ("completed", 100, 2, True),
        ("completed", 100, 30, False),
        ("cancelled", 100, 30, False),
        ("completed", 100, None, False),
    ],
)
def test_what_is_shown(status: str, created: float, ended: float | None, shown: bool) -> None:
    row = Workflow(
        id="demo",
        address="demo/",
        name="demo",
        repo="/r",
        git_dir="/r",
        target="main",
        status=WorkflowStatus(status),
        created=at(created),
    )
    moved = None
    if ended is not None:
        moved = WorkflowMoved(address="demo/", old=None, new=row.status, at=at(ended))
    assert has_ended_before(row, moved, datetime.now(UTC), timedelta(days=1)) != shown
