"""The sandbox: what it adds to a start, and to a run that computes, reads and writes many files.

The reference is the same program without it, in the same run.
"""

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from actors.platform import landlock, openings, sandbox
from bench.table import Row, alternate, at_most, percentile, seconds, within

_ROOT = Path(__file__).resolve().parents[1]
_COMPILES = """
import time
began = time.process_time()
import compileall, sys
assert compileall.compile_dir(sys.argv[1], quiet=1, force=True)
print(time.process_time() - began)
"""
"""It says itself how many seconds of CPU it took: those of a sandbox nobody else is told.

Landlock is put on by the same process, whose CPU until here is that of a start.
"""


def run(at: Path, quick: bool) -> list[Row]:
    """Measure starts of `true`, and the compilation of our own files as a run of tests."""
    if trouble := sandbox.trouble():
        raise OSError(f"no sandbox: {trouble}")
    tree, hidden = at / "tree", at / "hidden"
    shutil.copytree(_ROOT / "actors", tree, ignore=shutil.ignore_patterns("__pycache__"))
    hidden.mkdir()
    home = sandbox.own_home(at / "own")
    limits = openings.Limits(cwd=str(tree), writable=(str(tree),), hidden=(str(hidden),), home=home)
    rounds, count = (3, 20) if quick else (9, 60)

    def starts(argv: list[str]) -> float:
        taken = [seconds(lambda: subprocess.run(argv, check=True)) * 1e3 for _ in range(count)]
        return percentile(taken, 0.5)

    def computes(argv: list[str]) -> float:
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        return float(done.stdout)

    true = ["true"]
    compiles = [sys.executable, "-c", _COMPILES, str(tree)]
    ways = {"the sandbox": sandbox.wrapped}
    if not sandbox.of_landlock().trouble:
        ways["Landlock"] = landlock.wrapped
    rows = []
    for name, wrapped in ways.items():
        inside, outside = alternate(
            rounds, partial(starts, wrapped(true, limits)), partial(starts, true)
        )
        rows.append(within(f"a start in {name}", "ms", inside, outside, 20.0, "without it"))
        sides = alternate(
            rounds, partial(computes, wrapped(compiles, limits)), partial(computes, compiles)
        )
        rows.append(at_most(f"CPU of a run in {name}", "s", sides, 1.02, "without it"))
    return rows
