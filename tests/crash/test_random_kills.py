"""Seeded random chaos.

Several workflows at once, and SIGKILL for runtime, hosts, agents and test runs. A short set of
seeds runs always; as many as one likes by hand:

    CHAOS_SEEDS=1000:1300 python -m pytest -m long tests/crash/test_random_kills.py
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.crash.chaos import Chaos

JOBS = int(os.environ.get("CRASH_JOBS", "2"))


def _run(place: Path, seed: int, workflows: int, strikes: int) -> tuple[str, str]:
    """(what went wrong, or ""; what was done and how it ended)."""
    place.mkdir()
    chaos = Chaos(place, seed, workflows)
    try:
        rows = chaos.run(strikes)
        chaos.check(rows)
        chaos.end()
    except (AssertionError, OSError, LookupError) as error:
        return f"seed {seed}: {error!r}\n  after {chaos.did}", ""
    finally:
        chaos.clean_up()
    return "", f"{[row['status'] for row in rows.values()]} after {', '.join(chaos.did)}"


@pytest.mark.parametrize("seed", [1, 2])
def test_random_kills_end_in_states_that_can_be_explained(seed: int, tmp_path: Path) -> None:
    problem, _ = _run(tmp_path / "chaos", seed, workflows=2, strikes=4)
    assert not problem, problem


@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
def test_many_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, _, end = os.environ.get("CHAOS_SEEDS", "1000:1200").partition(":")
    seeds = range(int(first), int(end or int(first) + 1))
    problems = []
    with ThreadPoolExecutor(JOBS) as pool:
        runs = pool.map(lambda seed: _run(tmp_path / str(seed), seed, 3, 3 + seed % 6), seeds)
        for seed, (problem, course) in zip(seeds, runs, strict=True):
            with capsys.disabled():
                print(f"seed {seed}: {problem or course}", file=sys.stderr, flush=True)
            problems += [problem] if problem else []
    assert not problems, f"{len(problems)} of {len(seeds)} seeds:\n" + "\n".join(problems)
