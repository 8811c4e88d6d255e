"""The screen is what a person would see, whatever bytes made it, and no bytes end the reader."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.clis.screen import Screen, ScreenReader, render

SAMPLE = (
    "\x1b[?1049h\x1b[2J\x1b[H\x1b[>4;1m\x1b[?u\x1b[38:2::10:20:30mhéllo 世界\x1b[0m\r\n"
    "\x1b]0;a title\x07\x1bP+q544e\x1b\\\x1b_Gi=31;AAAA\x1b\\two\x1b]8;;http://x\x1b\\link\x1b[K"
    "\x1b[4:3munder\x1b[3;5Hat\x1b[?2004h"
).encode()


def test_text_lands_where_the_cursor_is() -> None:
    screen = render(b"one\r\ntwo\x1b[1;6Hmore\x1b[4;1Hend", rows=5, cols=20)
    assert screen.lines == ["one  more", "two", "", "end", ""]
    assert screen.text == "one  more\ntwo\n\nend"
    assert screen.cursor == (3, 3)


def test_sequences_pyte_misreads_leave_no_trace() -> None:
    screen = render(SAMPLE)
    assert screen.lines[:3] == ["héllo 世界", "twolinkunder", "    at"]
    assert screen.bracketed_paste


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_pieces_of_any_size_give_the_same_screen(size: int) -> None:
    reader = ScreenReader()
    for at in range(0, len(SAMPLE), size):
        reader.feed(SAMPLE[at : at + size])
    assert reader.screen == render(SAMPLE)


def test_an_unfinished_sequence_is_kept_and_shown_as_nothing() -> None:
    reader = ScreenReader()
    reader.feed(b"ab\x1b[3")
    assert reader.screen.text == "ab"
    reader.feed(b"1mc")
    assert reader.screen.text == "abc"


def test_characters_without_a_width_do_not_swallow_what_follows() -> None:
    assert render("a❤\ufe0f b \u200b c".encode()).text == "a❤ b  c"


def test_a_wide_character_overwritten_by_half_does_not_break_the_line() -> None:
    assert render("世界\x1b[1;1Hx".encode()).text == "x 界"


def test_the_row_of_the_cursor_reaches_to_the_cursor() -> None:
    assert render(b"\r\n> ").text == "\n> "
    assert render(b"done\x1b[40;120H").text == "done"


def test_leaving_the_alternate_screen_brings_the_main_one_back() -> None:
    screen = render(b"shell\x1b[?1049h\x1b[Hediting\x1b[?1049l done")
    assert screen.text == "shell done"


def test_scroll_up_and_repeat() -> None:
    assert render(b"1\r\n2\r\n3\x1b[S", rows=3).lines == ["2", "3", ""]
    assert render("─\x1b[4b".encode()).text == "─────"


def test_a_string_that_never_ends_keeps_no_memory() -> None:
    reader = ScreenReader()
    reader.feed(b"ok\x1bP")
    for _ in range(50):
        reader.feed(b"x" * 10_000)
    assert len(reader._rest) == 0  # noqa: SLF001
    reader.feed(b"\x1b\\!")
    assert reader.screen.text == "ok!"


def test_the_screen_is_plain_data() -> None:
    screen = render(SAMPLE)
    assert pickle.loads(pickle.dumps(screen)) == screen


GARBAGE = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"\x1b[", b"\x1b]", b"\x1bP", b"\x1b\\", "世é\u0301\ufe0f".encode()]),
        st.builds(
            lambda mark, numbers, end: f"\x1b[{mark}{';'.join(map(str, numbers))}{end}".encode(),
            st.sampled_from(["", "?", ">", "=", "<", " "]),
            st.lists(st.integers(0, 10**12), max_size=20),
            st.characters(min_codepoint=0x40, max_codepoint=0x7E),
        ),
    ),
    max_size=30,
)


@settings(max_examples=300)
@given(GARBAGE)
def test_garbage_never_ends_the_reader(pieces: list[bytes]) -> None:
    reader = ScreenReader(rows=10, cols=30)
    for piece in pieces:
        reader.feed(piece)
        assert_is_a_picture(reader.screen)
    reader.feed(b"\x18\x1b\\\x1bc\x1b[?6l\x1b[Hstill here")
    assert reader.screen.lines[0].startswith("still here")


@settings(max_examples=200)
@given(GARBAGE, st.integers(1, 9))
def test_splitting_changes_nothing(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces)
    reader = ScreenReader(rows=10, cols=30)
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
    assert reader.screen == render(data, rows=10, cols=30)


def assert_is_a_picture(screen: Screen) -> None:
    assert len(screen.lines) == 10
    assert all(len(line) <= 30 for line in screen.lines)
    assert not any(ord(c) < 32 for line in screen.lines for c in line)
