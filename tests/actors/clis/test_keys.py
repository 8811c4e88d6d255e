"""Text goes in as one bracketed paste that cannot break out; choices are made by label."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.clis.keys import (
    NoSuchChoice,
    hand_in,
    harmless,
    keys_for_choice,
    match_label,
    paste,
    wants_file,
)
from actors.clis.profile import Profile, PromptRule, Submit, load
from tests.actors.clis.cli_screens import drawn, recorded

PROFILES = load()
UP, DOWN, ENTER = b"\x1b[A", b"\x1b[B", b"\r"


def test_paste_then_enter_apart() -> None:
    """Hazard 29."""
    assert paste("one\ntwo") == [(b"\x1b[200~one\ntwo\x1b[201~", 300), (b"\r", 0)]


def test_text_that_ends_the_paste_or_presses_keys_is_made_visible() -> None:
    assert harmless("a\x1b[201~\rb\x03\x7f\x9b2J\tc") == "a␛[201~\nb␃␡�2J\tc"


@given(st.text())
def test_no_text_gets_out_of_the_paste(text: str) -> None:
    """Hazard 30."""
    (body, _), (enter, _) = paste(text)
    inner = body.removeprefix(b"\x1b[200~").removesuffix(b"\x1b[201~").decode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", inner)
    assert enter == b"\r"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_ordinary_text_arrives_as_it_is(text: str) -> None:
    assert paste(text)[0][0] == b"\x1b[200~" + text.encode() + b"\x1b[201~"


def test_a_program_that_did_not_ask_for_paste_gets_one_line() -> None:
    custom = Profile(name="x", command=("x",))
    assert hand_in(custom, drawn("> "), "one\ntwo")[0][0] == b"one two"
    assert hand_in(custom, recorded("codex-ready"), "one\ntwo")[0][0].startswith(b"\x1b[200~")
    always = Profile(name="x", command=("x",), submit=Submit("always", 450))
    assert hand_in(always, drawn("> "), "hi") == [(b"\x1b[200~hi\x1b[201~", 450), (b"\r", 0)]


def test_several_lines_are_given_by_a_file_where_they_cannot_be_pasted() -> None:
    given = Profile(name="x", command=("x",), submit=Submit(file="Read {file}."))
    plain, asked = drawn("> "), recorded("codex-ready")
    assert wants_file(given, plain, "one\ntwo")
    assert not wants_file(given, plain, "one\n")
    assert not wants_file(given, asked, "one\ntwo")
    assert not wants_file(Profile(name="x", command=("x",)), plain, "one\ntwo")


def test_what_the_profile_types_for_a_label_comes_before_arrow_keys() -> None:
    rule = PromptRule("news", "^News", "Go on", typed={"Go on": "q"})
    by_key = Profile(name="x", command=("x",), prompts=(rule,))
    assert keys_for_choice(drawn("News\n❯ Go on\n  Stop"), "go on", by_key) == [(b"q", 0)]


@pytest.mark.parametrize(
    ("name", "label", "keys"),
    [
        ("claude-bypass-warning", "Yes, I accept", [DOWN, ENTER]),
        ("claude-bypass-warning", "No, exit", [ENTER]),
        ("claude-api-key", "yes", [UP, ENTER]),
        ("claude-prompt", "no", [DOWN, DOWN, ENTER]),
        ("gemini-prompt", "No, suggest", [DOWN, DOWN, ENTER]),
        ("qwen-prompt", "Yes, allow once", [ENTER]),
        ("codex-prompt", "No, and tell", [DOWN, DOWN, ENTER]),
        ("opencode-prompt", "reject", [b"\x1b"]),
        ("aider-prompt", "No", [b"n", ENTER]),
    ],
)
def test_the_marker_is_moved_to_the_label(name: str, label: str, keys: list[bytes]) -> None:
    writes = keys_for_choice(recorded(name), label, PROFILES[name.split("-")[0]])
    assert [data for data, _ in writes] == keys
    assert all(pause >= 100 for _, pause in writes[:-1])


def test_a_label_is_found_where_it_moved_to() -> None:
    profile = PROFILES["claude"]
    asked = " Do you want to proceed?\n"
    assert keys_for_choice(drawn(asked + " ❯ 1. No\n   2. Yes"), "Yes", profile)[0][0] == DOWN
    assert keys_for_choice(drawn(asked + "   1. Yes\n ❯ 2. No"), "Yes", profile)[0][0] == UP


@pytest.mark.parametrize("label", ["1", "", "Maybe", "Y"])
def test_a_position_a_guess_or_nothing_is_refused_with_the_choices(label: str) -> None:
    """Hazard 33."""
    screen = drawn(" Do you want to proceed?\n ❯ 1. Yes\n   2. Yes, always\n   3. No")
    with pytest.raises(NoSuchChoice) as caught:
        keys_for_choice(screen, label, PROFILES["claude"])
    assert caught.value.choices == ["Yes", "Yes, always", "No"]


def test_an_exact_label_wins_over_longer_ones() -> None:
    assert match_label("yes", ["Yes", "Yes, always"]) == "Yes"


def test_typed_answers() -> None:
    custom = Profile(name="x", command=("x",))
    assert [d for d, _ in keys_for_choice(drawn("Go? [y/N] "), "n", custom)] == [b"N", ENTER]
    rule = PromptRule("go", "Go\\?", typed={"Go on": "g\r", "Leave": "q"})
    profile = Profile(name="x", command=("x",), prompts=(rule,))
    assert [d for d, _ in keys_for_choice(drawn("Go?"), "go on", profile)] == [b"g", ENTER]
    assert [d for d, _ in keys_for_choice(drawn("Go?"), "Leave", profile)] == [b"q"]


def test_nothing_is_pressed_where_nothing_is_asked() -> None:
    with pytest.raises(NoSuchChoice):
        keys_for_choice(recorded("claude-ready"), "Yes", PROFILES["claude"])
