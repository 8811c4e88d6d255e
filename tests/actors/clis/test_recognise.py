"""Ready, busy and questions are read off what real CLIs showed, and off nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.clis.keys import keys_for_choice
from actors.clis.profile import Profile, PromptRule, load
from actors.clis.recognise import (
    Prompt,
    answer_policy,
    asked_in_prose,
    find_prompt,
    is_busy,
    is_ready,
    selection,
    turn_began,
)
from tests.actors.clis.cli_screens import NAMES, drawn, recorded

PROFILES = load()
CUSTOM = Profile(name="mine", command=("mine",), ready=r"^> \Z")


@pytest.mark.parametrize("name", NAMES)
def test_ready_is_recognised_and_is_not_busy_and_not_a_question(name: str) -> None:
    for state in ("ready", "done"):
        screen = recorded(f"{name}-{state}")
        assert is_ready(PROFILES[name], screen), state
        assert not is_busy(PROFILES[name], screen)
        assert find_prompt(PROFILES[name], screen) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_running_turn_is_busy_and_not_a_question(name: str) -> None:
    screen = recorded(f"{name}-busy")
    assert is_busy(PROFILES[name], screen)
    assert find_prompt(PROFILES[name], screen) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_permission_question_is_known_and_is_neither_ready_nor_busy(name: str) -> None:
    """Hazard 31."""
    screen = recorded(f"{name}-prompt")
    prompt = find_prompt(PROFILES[name], screen)
    assert prompt is not None
    assert prompt.known
    assert not prompt.dangerous
    assert prompt.answer in prompt.choices
    assert not is_ready(PROFILES[name], screen)
    assert not is_busy(PROFILES[name], screen)


@pytest.mark.parametrize("name", NAMES)
def test_without_its_rule_the_same_question_is_unknown_and_shown_to_a_person(name: str) -> None:
    profile = Profile(
        name=name,
        command=("x",),
        ready=PROFILES[name].ready,
        busy=PROFILES[name].busy,
        markers=PROFILES[name].markers,
    )
    prompt = find_prompt(profile, recorded(f"{name}-prompt"))
    if name in ("opencode", "kilo", "cline"):  # options lie side by side, or are keys
        assert prompt is None
        assert not is_ready(profile, recorded(f"{name}-prompt"))
        return
    assert prompt is not None
    assert prompt.name == "unknown"
    assert len(prompt.choices) >= 2
    assert answer_policy("known", prompt) is None


@pytest.mark.parametrize(
    ("name", "rule", "answer", "dangerous"),
    [
        ("claude-theme", "theme", "Dark mode", False),
        ("claude-theme-auto", "theme", "Dark mode", False),
        ("claude-security-notes", "security-notes", "Enter", False),
        ("claude-trust", "trust", "Yes, I trust this folder", False),
        ("claude-trust-332", "trust", "Yes, I trust this folder", False),
        ("claude-api-key", "api-key", "Yes", True),
        ("claude-bypass-warning", "bypass-warning", "Yes, I accept", True),
        ("codex-trust", "trust", "Trust and continue", False),
    ],
)
def test_first_run_dialogs(name: str, rule: str, answer: str, dangerous: bool) -> None:
    """Hazard 33."""
    profile = PROFILES[name.split("-")[0]]
    prompt = find_prompt(profile, recorded(name))
    assert prompt is not None
    assert (prompt.name, prompt.answer, prompt.dangerous) == (rule, answer, dangerous)
    assert not is_ready(profile, recorded(name))
    assert answer_policy("never", prompt) is None
    assert answer_policy("known", prompt) == (None if dangerous else answer)
    assert answer_policy("bypass", prompt) == (None if dangerous else answer)


@pytest.mark.parametrize("name", NAMES)
def test_a_turn_that_came_and_went_between_two_looks_is_seen(name: str) -> None:
    ready, done = recorded(f"{name}-ready"), recorded(f"{name}-done")
    assert turn_began(PROFILES[name], ready, done)
    assert turn_began(PROFILES[name], ready, recorded(f"{name}-busy"))
    assert not turn_began(PROFILES[name], ready, ready)
    assert not turn_began(PROFILES[name], done, done)


def test_a_question_quoted_above_the_input_box_is_history() -> None:
    ready = recorded("claude-done")
    said = ["● The dialog says:", " Do you want to proceed?", " ❯ 1. Yes", "   2. No", ""]
    screen = drawn("\n".join(said + ready.lines))
    assert find_prompt(PROFILES["claude"], screen) is None
    assert is_ready(PROFILES["claude"], screen)


def test_a_pattern_without_anything_to_choose_is_not_a_question() -> None:
    assert find_prompt(PROFILES["claude"], drawn(" Do you want to proceed?\n")) is None


def test_a_dangerous_rule_is_never_answered_and_a_missing_label_neither() -> None:
    rules = (PromptRule("go", "Really", answer="Yes", dangerous=True),)
    screen = drawn("Really?\n❯ Yes\n  No")
    prompt = find_prompt(Profile(name="x", command=("x",), prompts=rules), screen)
    assert prompt == Prompt("go", screen.text, ["Yes", "No"], True, known=True, answer="Yes")
    assert prompt is not None
    assert answer_policy("known", prompt) is None
    renamed = (PromptRule("go", "Really", answer="Continue"),)
    other = find_prompt(Profile(name="x", command=("x",), prompts=renamed), screen)
    assert other is not None
    assert answer_policy("known", other) is None


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("Overwrite it? (y/n) ", ["y", "n"]),
        ("Overwrite it? [Y/n]", ["Y", "n"]),
        ("Continue [yes/no]: ", ["yes", "no"]),
        ("Apply? (Y)es/(N)o [Yes]: ", ["Y", "N"]),
        ("Press Enter to continue…", ["Enter"]),
        ("Pick one\n  › alpha\n    beta", ["alpha", "beta"]),
        ("│ ● 1. Allow once   │\n│   2. Reject (esc) │", ["Allow once", "Reject (esc)"]),
        ("❯ 1) one\n     what one means\n\n  2) two", ["one", "two"]),
    ],
)
def test_questions_nobody_described(text: str, choices: list[str]) -> None:
    prompt = find_prompt(CUSTOM, drawn(text))
    assert prompt is not None
    assert (prompt.name, prompt.choices, prompt.known) == ("unknown", choices, False)


@pytest.mark.parametrize(
    "text",
    ["working", "see (y/n) above\n> ", "1. one\n2. two", "❯ alone", "● said something\n● and more"],
)
def test_what_is_not_a_question(text: str) -> None:
    assert find_prompt(CUSTOM, drawn(text)) is None


def test_a_program_without_a_ready_pattern_is_ready_unless_it_asks() -> None:
    quiet = Profile(name="x", command=("x",))
    assert is_ready(quiet, drawn("hello"))
    assert not is_ready(quiet, drawn("Delete? [y/N] "))


def test_the_marked_option_is_found_wherever_it_stands() -> None:
    listed = selection(recorded("claude-bypass-warning"), "❯")
    assert listed is not None
    assert listed.labels[listed.marked] == "No, exit"
    listed = selection(recorded("claude-api-key"), "❯")
    assert listed is not None
    assert (listed.labels[listed.marked], listed.marked) == ("No (recommended)", 1)


PIECES = ["❯ ", "› 1. ", "  2. ", "● ", "│ ", " │", "(y/n)", "[Y/n] ", "\n", "> ", "─" * 30, "Yes"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=9), max_size=40))
def test_no_screen_breaks_recognition_and_every_choice_can_be_made(pieces: list[str]) -> None:
    screen = drawn("".join(pieces))
    for profile in [*PROFILES.values(), CUSTOM]:
        prompt = find_prompt(profile, screen)
        for label in prompt.choices if prompt else []:
            if prompt is not None and prompt.choices.count(label) == 1:
                assert keys_for_choice(screen, label, profile)[-1][1] == 0
        assert not (prompt and is_ready(profile, screen))


def test_pi_is_ready_busy_and_leaves_a_sign_of_its_turn() -> None:
    profile = PROFILES["pi"]
    before, busy, after = (recorded(f"pi-{state}") for state in ("ready", "busy", "done"))
    assert is_ready(profile, before)
    assert is_busy(profile, busy)
    assert [is_busy(profile, screen) for screen in (before, after)] == [False, False]
    assert is_ready(profile, after)
    assert turn_began(profile, before, after)
    assert is_busy(profile, drawn(" ⠹ Retrying (3/3) in 7s... (escape to cancel)"))


def test_continue_asks_below_a_clock_that_counts() -> None:
    """Its lowest row differs with the mode: `[⏵⏵ auto]`, or the branch where it asks."""
    profile, ready, asks = (
        PROFILES["continue"],
        *map(recorded, ("continue-ready", "continue-prompt")),
    )
    assert is_ready(profile, ready)
    row = next(line for line in ready.lines if line.endswith("◉ Continue CLI"))
    auto = ready.text.replace(row.split("◉")[0], "  [⏵⏵ auto]" + " " * 90)
    assert is_ready(profile, drawn(auto))
    assert not is_busy(profile, asks)
    prompt = find_prompt(profile, asks)
    assert prompt is not None
    assert answer_policy("known", prompt) == "Continue"
    assert keys_for_choice(asks, "Continue", profile) == [(b"\t", 0)]


def test_a_question_in_prose_is_the_newest_turns_own() -> None:
    """Not what the program itself shows, nor what was asked in an earlier turn."""
    lines = recorded("gemini-done").lines
    at = next(i for i, line in enumerate(lines) if line.startswith("✦"))
    asked = "✦ There are two ways. Which database shall I use, PostgreSQL or SQLite?"
    asks = drawn("\n".join([*lines[:at], asked, *lines[at + 1 :]]))
    said = "There are two ways. Which database shall I use, PostgreSQL or SQLite?"
    assert asked_in_prose(PROFILES["gemini"], asks) == said
    goes_on = drawn(f"{asks.text.partition(asked)[0]}{asked} I wait for that.\n")
    assert asked_in_prose(PROFILES["gemini"], goes_on) == said
    address = drawn(
        "\n".join([*lines[:at], "✦ All is in https://example.org/?a=1 now.", *lines[at + 1 :]])
    )
    assert asked_in_prose(PROFILES["gemini"], address) == ""
    later = drawn("\n".join([*lines[:at], asked, *lines[at:]]))
    assert asked_in_prose(PROFILES["gemini"], later) == ""
    assert asked_in_prose(Profile(name="x", command=("x",)), asks) == ""


@pytest.mark.parametrize(
    ("name", "sign", "end"),
    [
        ("claude", "●", "✻ Cogitated for 3s · done 2:04 PM"),
        ("claude", "●", "✻ Worked for 1m 12s"),
        ("codex", "•", "  Worked for 2s • 2:32 PM"),
    ],
)
def test_a_question_above_the_line_of_the_turn_s_end_is_found(
    name: str, sign: str, end: str
) -> None:
    """Claude 2.1.332 and codex 0.171.0 say below it how long the turn took. Hazard 102."""
    asks = f"{sign} Shall the dates be local or in UTC? I need to know that.\n\n{end}\n\n"
    said = "Shall the dates be local or in UTC?"
    assert asked_in_prose(PROFILES[name], drawn(f"{asks}> ")) == said
    silent = f"{asks}> Go on, will you?\n\n{end}\n\n> "
    assert asked_in_prose(PROFILES[name], drawn(silent)) == ""


@pytest.mark.parametrize("name", NAMES)
def test_an_ordinary_screen_asks_nothing_in_prose(name: str) -> None:
    for state in ("ready", "busy", "done"):
        assert asked_in_prose(PROFILES[name], recorded(f"{name}-{state}")) == ""
