"""A program whose clock on the wall is wrong: `python shifted.py FILE PYTHON SCRIPT WORDS…`.

FILE says by how many seconds, and may be written at any time: the clock jumps then. A real
one cannot be set here without setting everybody's.
"""

import runpy
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

_real = time.time
_file = Path(sys.argv[1])


def _shifted() -> float:
    return _real() + float(_file.read_text())


if __name__ == "__main__":
    sys.argv = sys.argv[3:]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    from bus import clock

    put: Callable[[object, str, object], None] = setattr
    put(time, "time", _shifted)
    put(clock, "wall", lambda: datetime.fromtimestamp(_shifted(), UTC))
    runpy.run_path(sys.argv[0], run_name="__main__")
