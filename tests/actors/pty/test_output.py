"""What is left of a program's output where people read it as text."""

import pytest

from actors.pty.output import plain


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("\x1b[1;31mFAILED\x1b[0m test\r\n", "FAILED test\n"),
        ("1 of 3\r2 of 3\r\x1b[K3 of 3\r\n", "3 of 3\n"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b]8;;\x1b\\c", "abc"),
        ("\x1b[38:2::1:2:3mx\x1b[?25l\x1b(B\x1b=\x1b7y", "xy"),
        ("a\r\r\nb\n\nc", "a\nb\n\nc"),
        ("cut \x1b[3", "cut 3"),
        ("\x07bell \x9b31m", "\x07bell \x9b31m"),
    ],
)
def test_output_is_read_without_what_only_a_terminal_needs(output: str, text: str) -> None:
    assert plain(output) == text


@pytest.mark.parametrize("bad", ["\x1b[", "\x1b]", "\x1b(", "\x1bP", "\r", "\x1b[1;", "a\r"])
def test_the_worst_output_is_read_in_a_moment(bad: str) -> None:
    plain(bad * 200_000)
