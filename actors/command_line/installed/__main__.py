"""Start the program: put its directory first on the path, then run its command line."""

import os
import sys


def place() -> str:
    """Return the directory of the program in the installed package."""
    here = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120 - pathlib costs 5 ms
    return os.path.join(here, "app")  # noqa: PTH118


def main() -> None:
    """Run the console script `callboard`."""
    sys.path.insert(0, place())
    import run

    run.start(installed=True)


if __name__ == "__main__":
    sys.path.insert(0, place())
    import run

    run.start()
