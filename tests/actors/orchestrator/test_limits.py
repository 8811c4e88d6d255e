"""When an endpoint is left alone, and for how long; by a clock that the test sets."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.orchestrator.limits import Breaker, Limits, pause, retry_after

LIMITS = Limits(failures=3, rest=30.0, longest_rest=100.0, backoff=1.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_rests_longer_each_time_and_is_tried_once_in_between() -> None:
    clock = Clock()
    breaker = Breaker(LIMITS, clock)
    waits = []
    for _ in range(6):
        breaker.failed("down", 0.0)
        waits.append(breaker.wait)
        clock.now += breaker.wait
    assert waits == [0.0, 0.0, 30.0, 60.0, 100.0, 100.0]
    breaker.worked()
    breaker.failed("down", 0.0)
    assert breaker.wait == 0.0


def test_what_the_server_asks_for_counts_at_once_and_has_a_limit() -> None:
    clock = Clock()
    breaker = Breaker(LIMITS, clock)
    breaker.failed("wait", 7.0)
    assert breaker.wait == 7.0
    clock.now = 7.0
    assert breaker.wait == 0.0
    breaker.failed("wait", math.inf)
    assert breaker.wait == 100.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0.0),
        ("", 0.0),
        ("2", 2.0),
        ("1.5", 1.5),
        ("-1", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("soon", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str | None, seconds: float) -> None:
    assert retry_after(value) == seconds


def test_a_date_to_come_is_awaited() -> None:
    assert retry_after("Wed, 21 Oct 2199 07:28:00 GMT") > 1e9
    assert retry_after("Wed, 21 Oct 2199 07:28:00") > 1e9


@given(st.text())
def test_no_header_breaks_it(value: str) -> None:
    assert 0.0 <= retry_after(value) < math.inf


def test_pauses_grow_and_differ() -> None:
    pauses = {pause(LIMITS, 3) for _ in range(20)}
    assert len(pauses) > 1
    assert all(2.0 <= each <= 4.0 for each in pauses)
