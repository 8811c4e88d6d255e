"""The power goes at a random moment: what was told is there afterwards, and the work goes on.

POWER_CUTS=1000:1030 python -m pytest -m long tests/crash/test_power_cuts.py
"""

import os
import sys
from pathlib import Path

import pytest

from tests.crash import power


@pytest.fixture(autouse=True)
def _needs_root() -> None:
    if missing := power.why_not():
        pytest.skip(missing)


def _one(place: Path, seed: int) -> str:
    """What is wrong after one cut; empty when nothing is."""
    place.mkdir()
    scene = power.PowerCut(place, seed)
    try:
        scene.run()
        scene.check()
        scene.finish()
    except Exception as error:  # noqa: BLE001 - all seeds are tried, and told together
        words = str(getattr(error, "stderr", "") or "")
        return f"seed {seed}, {scene.moment}: {error!r} {words}"
    finally:
        scene.close()
    return ""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_told_is_there_after_a_power_cut(seed: int, tmp_path: Path) -> None:
    """Hazard 63."""
    assert not _one(tmp_path / "cut", seed)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_thirty_power_cuts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hazard 63."""
    first, _, end = os.environ.get("POWER_CUTS", "100:130").partition(":")
    problems = []
    for seed in range(int(first), int(end or int(first) + 1)):
        problem = _one(tmp_path / str(seed), seed)
        with capsys.disabled():
            print(f"seed {seed}: {problem or 'well'}", file=sys.stderr, flush=True)
        problems += [problem] if problem else []
    assert not problems, "\n".join(problems)
