"""What is dropped without `close`: the garbage collector does not wait for it."""

import subprocess
import sys
from pathlib import Path

DROPPED = """
import gc, sys
from bus.client import Client
from bus.subscriber import Subscriber

def drop(made):
    circle = [made]
    circle.append(circle)

at = "ipc://" + sys.argv[1]
drop(Client(at))
drop(Subscriber(at, at))
gc.collect()
print("collected")
"""


def test_a_dropped_client_stops_nobody(tmp_path: Path) -> None:
    """Hazard 83."""
    words = [sys.executable, "-c", DROPPED, str(tmp_path / "nobody")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.stdout == "collected\n", done.stderr
