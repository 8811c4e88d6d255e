"""One mapping from errors to the replies of requests."""

import pytest

from actors.git.running.errors import RepositoryError, Rule
from actors.platform.workers import WorkerDied, WorkerLate
from actors.system.replies import refusal
from bus.errors import Refused, unknown
from store.errors import Damaged, LostRace, StoreError


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (unknown("task", "a"), 404, "unknown"),
        (RepositoryError(next(iter(Rule)), "it is not", "do this"), 400, next(iter(Rule))),
        (WorkerLate("took 9 s"), 503, "too_long"),
        (WorkerDied("ended"), 500, "failed"),
        (Damaged("a page"), 500, "damaged"),
        (LostRace("another was first"), 409, "lost_race"),
        (StoreError("closed"), 503, "store"),
        (ValueError("x"), 500, "failed"),
    ],
)
def test_each_error_has_its_reply(error: Exception, code: int, reason: str) -> None:
    made: Refused = refusal("the preview of demo/", error)
    assert (made.body.code, made.body.reason) == (code, reason)
    if code == 500 and reason == "failed":
        assert made.body.message.startswith("the preview of demo/ broke: ")
