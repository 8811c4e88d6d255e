"""Nights with scripted agents and short times. One runs always. Hazard 68.

More of them by hand: NIGHT_SEEDS=100:200 python -m pytest -m long tests/crash/test_nights.py
"""

import os
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.crash.night")

from tests.crash.night import Night  # noqa: E402

FIRST, _, END = os.environ.get("NIGHT_SEEDS", "2:11").partition(":")


def _night(place: Path, seed: int) -> None:
    night = Night(place, seed)
    try:
        night.check(night.run())
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, after {' '.join(night.did)}: {error}") from error
    finally:
        night.close()


@pytest.mark.timeout(400)
def test_in_the_morning_five_have_landed_and_one_waits(tmp_path: Path) -> None:
    _night(tmp_path, 1)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", range(int(FIRST), int(END or int(FIRST) + 1)))
def test_so_it_is_in_many_nights(seed: int, tmp_path: Path) -> None:
    _night(tmp_path, seed)
