"""Judge a terminal: render its output on disk and read the screen.

This runs in a worker process, because rendering is slow (about 1 MB/s).

The worker keeps the screens that it has rendered and adds only new output. This is faster, and some
programs need it: codex never redraws a whole screen, only what differs. Text drawn before a long
turn is still on its screen, but far back in the output.
"""

import contextlib
import os
from collections import OrderedDict
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from actors.clis.keys import ARROWS, Write, hand_in, harmless, keys_for_choice, wants_file
from actors.clis.limits import Limit, find_limit
from actors.clis.obstacle import Obstacle, find_obstacle
from actors.clis.profile import Profile
from actors.clis.recognise import Prompt, asked_in_prose, find_prompt, is_busy, is_ready, turn_began
from actors.clis.screen import Screen, ScreenReader, render
from actors.pty import output

T = TypeVar("T")

WINDOW = 128 * 1024
"""Bytes of output that a new screen is rendered from. Most programs redraw within far less."""
DEEP = 1024 * 1024
"""Bytes for a second try, if a screen from `WINDOW` shows nothing the profile knows. It is also the
most that is rendered on top of a kept screen."""
DEEPEST = 4 * DEEP
"""Bytes for the third and last try: 45 minutes of codex at work."""
KEEP: Final = 32
"""How many screens are kept: those of the terminals read last. Each takes about 1 MB."""


class _Kept(msgspec.Struct):
    """A rendered screen after the output up to the offset `end`.

    `whole` says that nothing drawn before can be missing, or that the last try (`DEEPEST`) is done.
    """

    reader: ScreenReader
    size: tuple[int, int]
    end: int
    whole: bool


_kept: OrderedDict[Path, _Kept] = OrderedDict()
_before: OrderedDict[Path, tuple[tuple[int, ...], Screen]] = OrderedDict()  # offset and size


class Judgement(msgspec.Struct, frozen=True):
    """What a screen shows, as read by `recognise`, `limits` and `obstacle` of `actors.clis`.

    `text` is the screen's lines without empty ones at its start and end. `end` is the offset up to
    which the output was rendered. `question` is the last that the newest turn asks in prose.
    """

    text: str
    end: int
    ready: bool
    busy: bool
    began: bool
    prompt: Prompt | None
    obstacle: Obstacle | None = None
    limit: Limit | None = None
    question: str = ""

    @property
    def readable(self) -> bool:
        """False if the screen could not be read in time; `text` then says why."""
        return self.end >= 0


def look(directory: Path, rows: int, columns: int, end: int | None = None) -> tuple[Screen, int]:
    """Return the screen after the output up to `end` (None: all of it), and that offset."""
    last = output.size(directory) if end is None else end
    kept = _kept.get(directory)
    if kept is None or kept.size != (rows, columns) or not 0 <= last - kept.end <= DEEP:
        if kept is not None and last < kept.end:
            return _rendered(directory, rows, columns, last)
        kept = _begun(directory, rows, columns, last, WINDOW)
    _advance(directory, kept, last)
    return kept.reader.screen, kept.end


def _rendered(directory: Path, rows: int, columns: int, last: int) -> tuple[Screen, int]:
    start = max(output.start(directory), last - WINDOW)
    start, data = output.read(directory, start, last - start)
    return render(data, rows, columns), start + len(data)


def _begun(directory: Path, rows: int, columns: int, last: int, window: int) -> _Kept:
    """Keep and return an empty screen that starts `window` bytes before the offset `last`."""
    first = output.start(directory)
    start = max(first, last - window)
    kept = _Kept(ScreenReader(rows, columns), (rows, columns), start, whole=start == 0)
    _keep(_kept, directory, kept)
    return kept


def _advance(directory: Path, kept: _Kept, last: int) -> None:
    """Render the output from `kept.end` to `last`.

    If part of it was dropped from disk, render the rest: it is still newer.
    """
    start, data = output.read(directory, kept.end, last - kept.end)
    kept.reader.feed(data)
    kept.whole = kept.whole and start == kept.end
    kept.end = start + len(data)
    _kept.move_to_end(directory)


def _keep(kept: OrderedDict[Path, T], directory: Path, value: T) -> None:
    kept[directory] = value
    kept.move_to_end(directory)
    if len(kept) > KEEP:
        kept.popitem(last=False)


def _screen_before(directory: Path, rows: int, columns: int, end: int) -> Screen:
    """Return the screen at the offset `end`.

    It is cached, because waiting for the start of a turn asks for the same screen many times.
    """
    known = _before.get(directory)
    if known is None or known[0] != (end, rows, columns):
        known = ((end, rows, columns), look(directory, rows, columns, end)[0])
        _keep(_before, directory, known)
    return known[1]


def _look_deeper(profile: Profile, directory: Path, rows: int, columns: int) -> tuple[Screen, int]:
    """Return the newest screen and its offset.

    If the screen was begun in the middle of the output and shows nothing that the profile knows,
    render it again from further back.
    """
    screen, end = look(directory, rows, columns)
    kept = _kept[directory]
    for depth in (DEEP, DEEPEST):
        if kept.whole or _says_something(profile, screen):
            return screen, end
        kept = _begun(directory, rows, columns, end, depth)
        _advance(directory, kept, end)
        screen = kept.reader.screen
    kept.whole = True  # the last try is done
    return screen, end


def _says_something(profile: Profile, screen: Screen) -> bool:
    known = not profile.ready or is_ready(profile, screen) or is_busy(profile, screen)
    return known or find_prompt(profile, screen) is not None


def judge(
    profile: Profile, directory: Path, rows: int, columns: int, before: int | None = None
) -> Judgement:
    """Judge the newest screen. Set `began` by comparing it with the screen at offset `before`."""
    earlier = None if before is None else _screen_before(directory, rows, columns, before)
    screen, end = _look_deeper(profile, directory, rows, columns)
    limit = find_limit(profile, screen)
    began = False
    if before is not None and earlier is not None:
        began = turn_began(profile, earlier, screen)
        if not profile.busy and not profile.submit.evidence:
            began = end > before
        began = began or (limit is not None and limit != find_limit(profile, earlier))
    return Judgement(
        text=shown(screen),
        end=end,
        ready=is_ready(profile, screen) if profile.ready else find_prompt(profile, screen) is None,
        busy=is_busy(profile, screen),
        began=began,
        prompt=find_prompt(profile, screen),
        obstacle=find_obstacle(screen),
        limit=limit,
        question=asked_in_prose(profile, screen),
    )


def shown(screen: Screen) -> str:
    """Return the lines of a screen without empty ones at its start and end."""
    return "\n".join(line.rstrip() for line in screen.lines).strip("\n")


def writes_for(
    profile: Profile, directory: Path, rows: int, columns: int, text: str, place: Path
) -> list[Write]:
    """Return the writes that submit `text` to the program on its newest screen.

    A text that is given by a file is written to `place`, which only the user can read. If it cannot
    be written, the text is typed as one line.
    """
    screen = look(directory, rows, columns)[0]
    if wants_file(profile, screen, text) and _write_private(place, harmless(text)):
        text = profile.submit.file.replace("{file}", str(place))
    return hand_in(profile, screen, text)


def _write_private(place: Path, text: str) -> bool:
    """Write a new file; return whether it was. No link of the program's is followed."""
    try:
        directory = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place.name, dir_fd=directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(place.name, flags, 0o600, dir_fd=directory), "w", encoding="utf-8") as f:
            f.write(text)
    except OSError:
        return False
    finally:
        os.close(directory)
    return True


class Step(msgspec.Struct, frozen=True):
    """The next writes towards an answer, made from the screen at the offset `end`.

    `moves` says that they only move the marker. The caller must then read the screen again before
    the next step.
    """

    writes: list[Write]
    end: int
    moves: bool


def step_towards(profile: Profile, directory: Path, rows: int, columns: int, label: str) -> Step:
    """Return the next writes to choose `label` on the newest screen.

    A step never holds both a move and Enter, because only the screen shows what a move did. Raise
    `NoSuchChoice` if the label is not on the screen.
    """
    screen, end = look(directory, rows, columns)
    writes = keys_for_choice(screen, label, profile)
    moves = [write for write in writes if write[0] in ARROWS]
    return Step(moves or writes, end, moves=bool(moves))
