"""A screen is judged as a person would see it, however long ago parts of it were drawn."""

from pathlib import Path

import pytest

from actors.clis import judging
from actors.clis.judging import judge, look
from actors.clis.profile import Profile
from actors.clis.screen import render
from actors.host import segments

PROFILE = Profile(name="p", command=("p",), ready="^>", busy="esc to interrupt")
FIRST = b"\x1b[2J\x1b[1;1Hhello\x1b[40;1H> "
WORKING = b"\x1b[3;1Hworking: esc to interrupt"
TICK = b"\x1b[3;30H%9d"  # only what differs is drawn
DONE = b"\x1b[3;1H\x1b[2Kdone"
SIZE = (40, 120)


class Log:
    """The output of a terminal, as its host writes it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "out").mkdir(parents=True)
        self.data = b""

    def add(self, data: bytes) -> None:
        self.data += data
        Path(segments.path(str(self.directory / "out"), 0)).write_bytes(self.data)


WINDOW, DEEP, DEEPEST = 2_000, 8_000, 32_000


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    """With windows that are rendered in a moment."""
    for name, size in (("WINDOW", WINDOW), ("DEEP", DEEP), ("DEEPEST", DEEPEST)):
        monkeypatch.setattr(judging, name, size)
    judging._kept.clear()  # noqa: SLF001
    judging._before.clear()  # noqa: SLF001
    return Log(tmp_path)


def ticks(size: int) -> bytes:
    return b"".join(TICK % n for n in range(size // len(TICK % 0)))


@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize("size", [WINDOW // 2, 2 * WINDOW, DEEP, 2 * DEEP])
def test_after_a_long_turn_of_small_changes_it_is_ready(log: Log, looks: bool, size: int) -> None:
    log.add(FIRST)
    if looks:
        assert judge(PROFILE, log.directory, *SIZE).ready
    log.add(WORKING + ticks(size // 2))
    if looks:
        assert judge(PROFILE, log.directory, *SIZE).busy
    log.add(ticks(size // 2) + DONE)
    seen = judge(PROFILE, log.directory, *SIZE)
    assert (seen.ready, seen.busy) == (True, False)
    assert seen.end == len(log.data)
    assert look(log.directory, *SIZE)[0] == render(log.data, *SIZE)


def test_what_is_too_far_back_is_not_rendered_and_not_tried_again(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.add(FIRST + WORKING + ticks(DEEPEST) + DONE)
    assert not judge(PROFILE, log.directory, *SIZE).ready
    monkeypatch.setattr(judging, "_begun", None)
    assert not judge(PROFILE, log.directory, *SIZE).ready


def test_a_screen_of_before_is_not_the_one_of_now(log: Log) -> None:
    log.add(FIRST)
    before = len(log.data)
    assert judge(PROFILE, log.directory, *SIZE).ready
    assert not judge(PROFILE, log.directory, *SIZE, before).began
    log.add(WORKING)
    assert judge(PROFILE, log.directory, *SIZE, before).began
    assert look(log.directory, *SIZE, before)[0] == render(log.data[:before], *SIZE)
    assert look(log.directory, *SIZE)[0] == render(log.data, *SIZE)


def test_another_size_begins_anew(log: Log) -> None:
    log.add(FIRST + b"x" * 100)
    assert len(look(log.directory, *SIZE)[0].lines) == 40
    assert look(log.directory, 50, 80)[0] == render(log.data, 50, 80)


def test_only_so_many_screens_are_kept(tmp_path: Path) -> None:
    judging._kept.clear()  # noqa: SLF001
    for number in range(judging.KEEP + 5):
        log = Log(tmp_path / str(number))
        log.add(FIRST)
        look(log.directory, *SIZE)
    assert len(judging._kept) == judging.KEEP  # noqa: SLF001
