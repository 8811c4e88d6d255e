"""An agent of the night: `sleepless.py PLACE PROMPT BUSY`, one program in several looks.

Its first instruction says `be KIND with FILE`. `PLACE` is where it notes each instruction that it
got, and remembers what it has done, because it may be killed. Kinds:

- `good`: it works for `SECONDS`, and commits.
- `forgetful`: it commits only when it is told that something is missing.
- `asking`: it asks in prose, and commits nothing.
- `dying`: it is killed in the middle of its work, once.
- `limited`: its model's server refuses it until `SECONDS` after its first instruction.
- `modelled`: it asks its model, and stops where the answer is no 200.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import tty
import urllib.parse
from pathlib import Path

QUESTION = "Shall the dates be local or in UTC? I need to know that before I go on."
MESSAGE = '{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'
TASK = re.compile(r"be (\w+) with (\w+) for ([\d.]+)")


def show(text: str) -> None:
    """Clear the screen and write a text on it."""
    os.write(1, b"\x1b[2J\x1b[H" + text.replace("\n", "\r\n").encode())


def instruction() -> str:
    """Wait for an instruction: what was pasted or typed before Enter."""
    given = b""
    while not given.endswith(b"\r") or not given.strip():
        data = os.read(0, 65536)
        if not data:
            sys.exit()
        given += data
    return re.sub(rb"\x1b\[20[01]~", b"", given).decode().strip()


def status_of_model() -> int:
    """Ask the model until there is an answer; its status. A failure is tried thrice."""
    failures = 0
    at = urllib.parse.urlsplit(os.environ["MODEL_URL"])
    headers = {"x-api-key": os.environ["MODEL_KEY"], "content-type": "application/json"}
    while True:
        try:
            connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=30)
            connection.request("POST", f"{at.path}/v1/messages", MESSAGE, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
        else:
            failures += answer.status == 529
            if answer.status not in (502, 503, 529) or failures == 3:
                return answer.status
            time.sleep(0.1)


class Agent:
    """What it was told, and what it does about that. One for each branch."""

    def __init__(self, place: Path) -> None:
        self._told = place / "told"
        self._place = place

    def note(self, kind: str, text: str) -> None:
        """Note an instruction, with who got it."""
        line = json.dumps([kind, os.getpid(), text])
        with self._told.open("a") as told:
            told.write(f"{line}\n")

    def once(self, what: str) -> bool:
        """Return whether this is the first time."""
        mark = self._place / what
        first = not mark.exists()
        if first:
            mark.write_text(str(time.time()))
        return first

    def answer(self, kind: str, file: str, seconds: float) -> str:
        """Work; return what the screen is to show afterwards."""
        first = self.once(f"{file}-{kind}")
        begun = float((self._place / f"{file}-{kind}").read_text())
        if kind == "asking":
            return QUESTION
        if kind == "limited" and time.time() < begun + seconds:
            return f"■ You've hit your usage limit. at={int(begun + seconds) + 1}"
        if kind == "modelled" and (status := status_of_model()) != 200:
            return f"■ high demand ({status})"
        if kind not in ("limited", "modelled"):
            time.sleep(seconds)
        Path(file).write_text("x")
        if kind == "dying" and first:
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "forgetful" and first:
            return "All is done."
        subprocess.run(["git", "add", "-A"], check=True)
        subprocess.run(["git", "commit", "-qm", f"write {file} #done"], check=True)
        return "All is done."


def main(place: str, prompt: str, busy: str) -> None:
    """Carry out one instruction after another."""
    agent, task = Agent(Path(place)), ("", "", "0")
    turns = 0
    tty.setraw(0)
    os.write(1, b"\x1b[?2004h")
    show(f"ready\n{prompt} ")
    while True:
        told = instruction()
        if found := TASK.search(told):
            task = found[1], found[2], found[3]
        agent.note(task[0], told)
        turns += 1
        show(f"turn {turns}\n* {busy}")
        said = agent.answer(task[0], task[1], float(task[2]))
        show(f"turn {turns}\n{said}\n{prompt} ")


if __name__ == "__main__":
    main(*sys.argv[1:])
