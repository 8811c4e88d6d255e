"""A runtime whose guesses are short: `python hasty.py PYTHON SCRIPT WORDS…`.

Where nobody says when a provider serves again, it tries again after two seconds, not after a
minute. A real night has the time.
"""

import runpy
import sys
from datetime import timedelta
from pathlib import Path

if __name__ == "__main__":
    sys.argv = sys.argv[2:]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    from actors.clis import limits as screens
    from actors.terminal import limits

    soon = dict.fromkeys(screens._ESTIMATES, timedelta(seconds=2))  # noqa: SLF001
    screens._ESTIMATES.update(soon)  # noqa: SLF001
    for name, seconds in (("AGAIN", 0.5), ("PROBE", 5.0)):
        setattr(limits, name, seconds)
    runpy.run_path(sys.argv[0], run_name="__main__")
