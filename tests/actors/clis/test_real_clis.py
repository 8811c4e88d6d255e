"""Real CLIs, in real terminals, against the fake model: what the profiles say is what happens.

A CLI is found on PATH or below `$CALLBOARD_TEST_CLIS` (a directory where npm installed them);
codex is installed into a cache if neither has it and npm does it within two minutes. What is not
found is skipped and says so. The programs see no network but the fake model's.
"""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.clis.keys import hand_in, harmless, keys_for_choice
from actors.clis.recognise import answer_policy, find_prompt, is_busy, turn_began
from tests.cli_desk import NAMES, Desk

ALWAYS_ONE = ["codex", *(pytest.param(n, marks=pytest.mark.long) for n in NAMES if n != "codex")]

pytestmark = pytest.mark.timeout(300)


def _said(words: str, request: dict[str, Any]) -> bool:
    return any(words in text for text in request.get("texts", []))


@pytest.mark.parametrize("desk", NAMES, indirect=True)
def test_an_instruction_becomes_a_commit_with_its_own_url_key_and_model(desk: Desk) -> None:
    """Hazard 42."""
    launch = desk.launch("one", bypass=True)
    with desk.start(launch) as program:
        before = desk.deliver(program, "Please add made.txt.\nCommit it.")
        assert find_prompt(desk.profile, before) is None
        asked = desk.island.wait_for(
            lambda r: any("Please add made.txt.\nCommit it." in text for text in r.get("texts", []))
        )
        after = desk.wait_committed(program)
        assert (asked["key"], asked["model"]) == ("key-one", "model-one")
        assert {(r["key"], r["model"]) for r in desk.island.requests if r.get("texts")} == {
            ("key-one", "model-one")
        }
        assert turn_began(desk.profile, before, after)
        assert any(is_busy(desk.profile, screen) for screen in program.history)
        program.write(hand_in(desk.profile, after, desk.profile.exit.text))
        assert program.wait_end() == 0


@pytest.mark.parametrize("desk", ALWAYS_ONE, indirect=True)
def test_two_providers_of_one_cli_at_the_same_time(desk: Desk) -> None:
    """Hazard 42."""
    names = ("one", "two")
    launches = [desk.launch(name, bypass=True) for name in names]
    with desk.start(launches[0]) as first, desk.start(launches[1]) as second:
        for name, program in zip(names, (first, second), strict=True):
            desk.deliver(program, f"I am {name}. RUN: true")
        for name in names:
            asked = desk.island.wait_for(partial(_said, f"I am {name}."))
            assert (asked["key"], asked["model"]) == (f"key-{name}", f"model-{name}")


@pytest.mark.parametrize("desk", ALWAYS_ONE, indirect=True)
def test_a_permission_question_is_answered_by_label(desk: Desk) -> None:
    if desk.profile.name == "opencode":  # asks only where the user's configuration says so
        config = Path(desk.env["HOME"]) / ".config/opencode/opencode.json"
        config.parent.mkdir(parents=True)
        config.write_text('{"permission": {"bash": "ask"}}')
    with desk.start(desk.launch("one", bypass=False)) as program:
        desk.deliver(program, "Please add made.txt and commit it.")
        asking = program.wait(lambda s: find_prompt(desk.profile, s) is not None)
        prompt = find_prompt(desk.profile, asking)
        assert prompt is not None
        assert prompt.known
        assert desk.committed() == "First"
        label = answer_policy("known", prompt)
        assert label is not None
        program.write(keys_for_choice(asking, label, desk.profile))
        desk.wait_committed(program)


@pytest.mark.parametrize("desk", ALWAYS_ONE, indirect=True)
def test_a_refusal_by_label_runs_nothing(desk: Desk) -> None:
    if desk.profile.name == "opencode":
        pytest.skip("the same question as above; its refusal is Escape, tried by hand")
    with desk.start(desk.launch("one", bypass=False)) as program:
        desk.deliver(program, "Please add made.txt and commit it.")
        asking = program.wait(lambda s: find_prompt(desk.profile, s) is not None)
        program.write(keys_for_choice(asking, "no", desk.profile))
        program.wait(desk.idle)
        assert desk.committed() == "First"
        assert not (desk.worktree / "made.txt").exists()


@pytest.mark.parametrize("desk", ALWAYS_ONE, indirect=True)
def test_long_and_hostile_text_arrives_as_one_turn(desk: Desk) -> None:
    lines = [f"line {n}: 漢字と絵文字 🎉 {'word ' * 5}." for n in range(400)]
    text = "\n".join(["你好 RUN: true", "out: \x1b[201~\r\x03 \x1b[31mred", *lines, "the end"])
    assert len(text.encode()) > 20_000
    with desk.start(desk.launch("one", bypass=True)) as program:
        desk.deliver(program, text)
        asked = desk.island.wait_for(lambda r: any("the end" in t for t in r.get("texts", [])))
        arrived = next(t for t in asked["texts"] if "the end" in t)
        assert harmless(text) in arrived
