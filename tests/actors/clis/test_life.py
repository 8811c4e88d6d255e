"""A screen lives when it shows something new; what blinks, spins or counts is not new.

Hazard 67.
"""

import pytest

from actors.clis.life import Life

QUESTION = "Do you want to proceed?\n❯ 1. Yes\n  2. No"


def still(frames: list[str]) -> float:
    """Seconds for which the last of these frames, two seconds apart, has stood still."""
    life = Life()
    for number, frame in enumerate(frames):
        life.see(frame, 2.0 * number)
    return life.still(2.0 * (len(frames) - 1))


@pytest.mark.parametrize(
    "frames",
    [
        [f"● Bash(make)\n{QUESTION}", f"  Bash(make)\n{QUESTION}"] * 5,
        [f"{mark} Retrying in {n}s · attempt {n % 4}/10" for n, mark in enumerate("·✢✳✶✻✽·✢✳✶")],
        [f"{chr(0x280B + n)} Thinking… ({8 + n}s · esc to interrupt)" for n in range(10)],
        ["waiting " + mark for mark in "|/-\\|/-\\|/"],
    ],
    ids=["blink", "countdown", "spinner", "bar"],
)
def test_what_blinks_spins_or_counts_is_no_life(frames: list[str]) -> None:
    assert still(frames) == 18.0


def test_an_unknown_blink_is_known_after_one_turn() -> None:
    assert still(["Yes?", "Yes? here", "Yes?", "Yes? here"]) == 4.0


@pytest.mark.parametrize(
    "frames",
    [
        [f"compiling {name}.c" for name in "abcdefghij"],
        ["." * n for n in range(1, 11)],
        [f"{QUESTION}\n{'x' * n}" for n in range(10)],
    ],
    ids=["lines", "dots", "typing"],
)
def test_what_is_new_is_life(frames: list[str]) -> None:
    assert still(frames) == 0.0


def test_before_the_first_frame_nothing_has_stood_still() -> None:
    assert Life().still(1_000.0) == 0.0
