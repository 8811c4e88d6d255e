#!/usr/bin/env python3
"""A scripted agent: behaves like an AI CLI in a terminal, without a model.

It shows a prompt, takes an instruction as a bracketed paste and Enter, and carries out the
lines of the instruction that are meant for it:

    $ COMMAND        run it with sh in the working directory, and show its output
    $<< COMMAND      the same, with the following lines up to `<<` as its input
    @ ask QUESTION | CHOICE | CHOICE    show a selection list and wait for an answer, which
                                        later commands find in `$ANSWER`
    @ sleep SECONDS
    @ exit STATUS

Everything else is prose for a model and is only counted. While it works the screen says
`esc to interrupt`; then the prompt comes back. `--ask` shows a question before it is ready.
`--do LINES` carries out these lines at every instruction, whatever it says; the commands find
it in `$INSTRUCTION`: so it can stand for a model that repairs, where nobody writes its lines.
"""

import os
import re
import subprocess
import sys
import termios
import time
import tty

PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
PASTED = re.compile(rb"\x1b\[200~(.*?)\x1b\[201~", re.DOTALL)


def show(text: str = "", end: str = "\r\n") -> None:
    """Print a text in raw mode."""
    sys.stdout.write(text.replace("\n", "\r\n") + end)
    sys.stdout.flush()


class Keyboard:
    """The raw terminal: bytes in, one key or one paste at a time."""

    def __init__(self) -> None:
        self._pending = b""

    def _more(self) -> None:
        data = os.read(0, 65536)
        if not data:
            raise EOFError
        self._pending += data

    def instruction(self) -> str:
        """What was pasted before Enter; typed text counts as well."""
        text = ""
        while True:
            while not self._pending or (
                self._pending.startswith(b"\x1b[200~") and not PASTED.match(self._pending)
            ):
                self._more()
            if paste := PASTED.match(self._pending):
                text += paste[1].decode()
                self._pending = self._pending[paste.end() :]
                show(f"[Pasted text +{text.count(chr(10))} lines]", end="")
            elif self._pending[:1] in (b"\r", b"\n"):
                self._pending = self._pending[1:]
                if text.strip():
                    return text
            elif self._pending[:1] == b"\x03":
                raise KeyboardInterrupt
            else:
                text += self._pending[:1].decode(errors="replace")
                self._pending = self._pending[1:]

    def key(self) -> bytes:
        """Wait for a key, and return its bytes."""
        while not self._pending:
            self._more()
        size = 3 if self._pending.startswith(b"\x1b[") else 1
        key, self._pending = self._pending[:size], self._pending[size:]
        return key


def choose(keyboard: Keyboard, question: str, choices: list[str]) -> str:
    """A selection list: arrow keys move the marker, Enter takes it."""
    marked = 0
    show(f"\n{question}")
    while True:
        for index, choice in enumerate(choices):
            show(f"{'❯' if index == marked else ' '} {index + 1}. {choice}")
        key = keyboard.key()
        if key == b"\r":
            show(f"chose: {choices[marked]}")
            return choices[marked]
        marked = (marked + {b"\x1b[A": -1, b"\x1b[B": 1}.get(key, 0)) % len(choices)
        show(f"\x1b[{len(choices)}A", end="\x1b[J")


def carry_out(keyboard: Keyboard, instruction: str) -> None:
    """Carry out the lines of an instruction."""
    lines = iter(instruction.split("\n"))
    show("* Working (esc to interrupt)")
    for line in lines:
        line = line.strip("\r")
        if line.startswith("$<< "):
            body = []
            for inner in lines:
                if inner.strip() == "<<":
                    break
                body.append(inner)
            run(line[4:], "\n".join(body) + "\n")
        elif line.startswith("$ "):
            run(line[2:])
        elif line.startswith("@ "):
            directive(keyboard, line[2:])
    show("\x1b[2J\x1b[H● Done.")


def run(command: str, given: str = "") -> None:
    """Run a shell command, and show it with its output."""
    show(f"$ {command}")
    done = subprocess.run(
        ["sh", "-c", command], input=given, capture_output=True, text=True, check=False
    )
    show((done.stdout + done.stderr).strip())


def directive(keyboard: Keyboard, words: str) -> None:
    """Carry out one directive."""
    name, _, rest = words.partition(" ")
    if name == "ask":
        question, *choices = [part.strip() for part in rest.split("|")]
        show("\x1b[2J\x1b[H", end="")  # as the CLIs do: one that asks is not busy
        os.environ["ANSWER"] = choose(keyboard, question, choices)
        show("* Working (esc to interrupt)")
    elif name == "sleep":
        time.sleep(float(rest))
    elif name == "exit":
        sys.exit(int(rest))


def own_lines() -> str:
    """What `--do` gave."""
    return sys.argv[sys.argv.index("--do") + 1] if "--do" in sys.argv else ""


def main() -> None:
    """Wait for instructions and carry them out."""
    keyboard = Keyboard()
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        show("Scripted agent", end="\r\n\r\n")
        if "--ask" in sys.argv:
            choose(keyboard, "Do you trust this folder?", ["No, exit", "Yes, I trust it"])
        show(PASTE_ON, end="")
        while True:
            show("\r\n> ", end="")
            instruction = keyboard.instruction()
            os.environ["INSTRUCTION"] = instruction
            carry_out(keyboard, own_lines() or instruction)
    except (EOFError, KeyboardInterrupt):
        show("\r\nbye")
    finally:
        show(PASTE_OFF, end="")
        termios.tcsetattr(0, termios.TCSADRAIN, before)


if __name__ == "__main__":
    main()
