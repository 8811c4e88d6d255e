"""The modes that output has set, however it comes in pieces."""

import pytest

from bus.modes import Modes

OUTPUT = (
    b"$ vim\r\n\x1b[?1049h\x1b[?25;2004h\x1b[31mred\x1b[?25l\x1b[?1049l\x1b[?1;1002h\x1b[?9999h"
)
MODES = {1049: False, 25: False, 2004: True, 1: True, 1002: True}


@pytest.mark.parametrize("at", range(len(OUTPUT)))
def test_a_sequence_that_is_cut_between_two_pieces_counts(at: int) -> None:
    modes = Modes()
    modes.note(OUTPUT[:at])
    modes.note(OUTPUT[at:])
    assert modes.on == MODES


@pytest.mark.parametrize("at", range(len(OUTPUT)))
def test_output_that_follows_the_sequence_of_modes_ends_in_the_same_modes(at: int) -> None:
    before, after = Modes(), Modes()
    before.note(OUTPUT[:at])
    after.note(before.sequence() + OUTPUT[at:])
    assert after.on == MODES


@pytest.mark.parametrize("text", [b"a\x1b", b"\x1b[", b"\x1b[?25", b"x\x1b[?" + b"1;" * 19])
def test_only_the_beginning_of_a_sequence_is_kept(text: bytes) -> None:
    modes = Modes()
    modes.note(text)
    assert modes.cut == text[text.index(b"\x1b") :]
    modes.note(b"m plain text")
    assert (modes.cut, modes.on) == (b"", {})
