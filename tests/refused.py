"""An agent whose model's server refuses it, with the screens of real CLIs."""

import json
from pathlib import Path
from typing import Any

from tests.doors.kit import PYTHON

AGENT = r"""
import os, sys, tty, subprocess, pathlib, datetime, time
flag, refusal, seconds = pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
tty.setraw(0)
show = lambda text: os.write(1, b"\x1b[2J\x1b[H" + text.replace("\n", "\r\n").encode())
os.write(1, b"\x1b[?2004h")
show("> ")
turn = 0
while True:
    given = b""
    while b"\r" not in given:
        given = (given + os.read(0, 65536)).lstrip(b"\r")  # Enter alone begins no turn
    turn += 1
    with open(str(flag) + ".told", "ab") as told:
        told.write(os.environ.get("MODEL_URL", "own").encode() + b": " + given + b"\n--\n")
    show("* Working (esc to interrupt)")
    time.sleep(0.7)
    if not flag.exists():
        at = datetime.datetime.now() + datetime.timedelta(seconds=seconds)
        said = refusal.replace("EPOCH", str(int(at.timestamp()) + 1))
        show("turn %d\n%s\n> " % (turn, said))
        continue
    subprocess.run("echo x > work; git add -A; git commit -qm 'work #done'", shell=True)
    show("turn %d\ndone\n> " % turn)
"""
RULES = {
    "usage": r"^■ You've hit your usage limit.*at=(?P<epoch>\d+)$",
    "credit": r"^■ Quota exceeded",
    "context": r"^■ Codex ran out of room",
    "overload": r"^■ high demand",
}
USAGE = "■ You've hit your usage limit. at=EPOCH"
"""`at=EPOCH` becomes the time at which it serves again, in seconds since 1970."""


def refused_cli(flag: Path, refusal: str, seconds: float, **more: Any) -> str:
    """`[cli.refused]`: it shows `refusal` until the file `flag` is there.

    What it is told is noted in `flag.told`. The refusal ends in `seconds`.
    """
    command = [PYTHON, "-c", AGENT, str(flag), refusal, str(seconds)]
    keys = {"command": command, "ready": "^> $", "busy": "esc to interrupt", **more}
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    rules = "\n".join(
        f"[[cli.refused.limits]]\nby = '{by}'\npattern = '''{pattern}'''"
        for by, pattern in RULES.items()
    )
    env = '[cli.refused.provider.env]\nMODEL_URL = "{base_url}"'
    submit = "submit = { evidence = '^turn [0-9]+$' }"
    return f"[cli.refused]\n{text}\n{submit}\n{env}\n{rules}\n"
