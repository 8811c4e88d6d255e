"""Judging a terminal: its output on disk, rendered and read. Runs in a worker process,
because rendering is slow (about 1 MB/s).
"""

from pathlib import Path

import msgspec

from actors.clis.keys import ARROWS, Write, hand_in, keys_for_choice
from actors.clis.profile import Profile
from actors.clis.recognise import Prompt, find_prompt, is_busy, is_ready, turn_began
from actors.clis.screen import Screen, render
from actors.terminals import output

WINDOW = 128 * 1024
"""Bytes of output a screen is made from: programs redraw within far less."""


class Judgement(msgspec.Struct, frozen=True):
    """What a screen says: see `actors.clis.recognise`. `text` is its lines without the empty
    ones at the end; `end` the offset of the output it was made from."""

    text: str
    end: int
    ready: bool
    busy: bool
    began: bool
    prompt: Prompt | None


def look(directory: Path, rows: int, columns: int, end: int | None = None) -> tuple[Screen, int]:
    """The screen after the output up to `end` (None: all there is), and that offset."""
    last = output.size(directory) if end is None else end
    start = max(output.start(directory), last - WINDOW)
    start, data = output.read(directory, start, last - start)
    return render(data, rows, columns), start + len(data)


def judge(
    profile: Profile, directory: Path, rows: int, columns: int, before: int | None = None
) -> Judgement:
    """Read the newest screen. `began` compares with the screen at offset `before`."""
    screen, end = look(directory, rows, columns)
    began = False
    if before is not None:
        began = turn_began(profile, look(directory, rows, columns, before)[0], screen)
        if not profile.busy and not profile.submit.evidence:
            began = end > before
    return Judgement(
        text=shown(screen),
        end=end,
        ready=is_ready(profile, screen) if profile.ready else find_prompt(profile, screen) is None,
        busy=is_busy(profile, screen),
        began=began,
        prompt=find_prompt(profile, screen),
    )


def shown(screen: Screen) -> str:
    return "\n".join(line.rstrip() for line in screen.lines).strip("\n")


def writes_for(
    profile: Profile, directory: Path, rows: int, columns: int, text: str
) -> list[Write]:
    """What to write to hand `text` in, as this program takes it on its present screen."""
    return hand_in(profile, look(directory, rows, columns)[0], text)


class Step(msgspec.Struct, frozen=True):
    """The next writes towards an answer, made from the screen at the offset `end`. `moves`: they
    only move the marker, and the screen has to be looked at again before it is taken."""

    writes: list[Write]
    end: int
    moves: bool


def step_towards(profile: Profile, directory: Path, rows: int, columns: int, label: str) -> Step:
    """What to write next to choose `label` on the newest screen: never an Enter together with a
    move, because what a move did is only known from the screen. Raises `NoSuchChoice`."""
    screen, end = look(directory, rows, columns)
    writes = keys_for_choice(screen, label, profile)
    moves = [write for write in writes if write[0] in ARROWS]
    return Step(moves or writes, end, moves=bool(moves))
