"""Start the program: put its directory first on the path, then run its command line."""

import os
import sys


def place() -> str:
    """The directory of the program: `callboard/app/` if installed, else the clone."""
    here = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120 - pathlib costs 5 ms
    inside = os.path.join(here, "app")  # noqa: PTH118
    return inside if os.path.isdir(inside) else os.path.dirname(here)  # noqa: PTH112, PTH120


def main() -> None:
    """The console script `callboard`."""
    sys.path.insert(0, place())
    import run

    run.start(installed=True)


if __name__ == "__main__":
    sys.path.insert(0, place())
    import run

    run.start()
