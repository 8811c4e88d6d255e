"""A `git` for the path in front of the real one.

Kills the runtime around the one ref update that lands. `$DOOM` is `ref.before` or `ref.after`; with
`.all` at its end everything that works on the landing dies with the runtime, as when the power
fails.
"""

import os
import signal
import subprocess
import sys

GIT, PID_FILE = os.environ["REAL_GIT"], os.environ["DOOM_LOCK"]


def die() -> None:
    with open(PID_FILE) as file:
        os.kill(int(file.read()), signal.SIGKILL)
    if doom.endswith(".all"):
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


doom = os.environ.get("DOOM", "")
words = sys.argv[1:]
if not (doom.startswith("ref.") and "update-ref" in words and "-m" in words):
    os.execv(GIT, ["git", *words])
if ".before" in doom:
    die()
code = subprocess.run([GIT, *words], check=False).returncode
if ".after" in doom:
    die()
sys.exit(code)
