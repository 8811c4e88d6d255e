"""The tokens in the session files of real CLIs (two turns each, against the fake model)."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.clis import usage
from actors.clis.profile import Profile, load
from actors.clis.rules import UsageRule
from actors.clis.usage import Counted, count

PROFILES = load()
SESSIONS = Path(__file__).with_name("sessions")
RULE = UsageRule(files="*.jsonl", id="id", input=("u.in", "u.more"), output=("u.out",))
MINE = Profile(name="mine", command=("mine",), usage=RULE)


@pytest.mark.parametrize("cli", ["claude", "codex", "gemini", "qwen"])
def test_two_turns_of_two_requests_each(cli: str) -> None:
    """The fake model says 10 tokens in and 10 out for each request."""
    assert count(PROFILES[cli], SESSIONS / cli) == Counted(40, 40, 0, 4)


@pytest.mark.parametrize("cli", ["opencode", "aider", "custom"])
def test_a_program_that_does_not_say_it_is_unknown(cli: str, tmp_path: Path) -> None:
    assert count(PROFILES[cli], tmp_path) is None


def test_a_home_without_a_session_is_unknown(tmp_path: Path) -> None:
    assert count(MINE, tmp_path) is None


def test_lines_of_one_request_are_not_added_up(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "u": {"in": 5, "more": 1, "out": 1}},
        {"id": "a", "u": {"in": 5, "more": 1, "out": 7}},
        {"id": "b", "u": {"in": 2, "out": 1}},
        {"id": "c", "else": {"in": 900}},
    ]
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert count(MINE, tmp_path) == Counted(8, 8, 0, 2)


def test_what_is_no_number_counts_nothing(tmp_path: Path) -> None:
    lines = ['{"id":"a","u":{"in":-5,"out":1e3}}', '{"u":{"in":"9"}}', '"in"', "[" * 9000 + "in"]
    lines.append('{"id":"b","u":{"in":99999999999999999999}}')
    (tmp_path / "s.jsonl").write_text("\n".join(lines))
    assert count(MINE, tmp_path) == Counted(0, 0, 0, 2)


def test_a_link_or_a_file_that_is_too_large_makes_it_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.jsonl").symlink_to("/etc/passwd")
    assert count(MINE, tmp_path) is None
    (tmp_path / "s.jsonl").unlink()
    (tmp_path / "s.jsonl").write_text('{"u":{"in":1}}\n')
    assert count(MINE, tmp_path) == Counted(1, 0, 0, 1)
    monkeypatch.setattr(usage, "MOST_BYTES", 5)
    assert count(MINE, tmp_path) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    found: dict[tuple[str, object], tuple[int, int, int]] = {}
    usage._read_line(MINE, "x", 1, b'"in"' + data, found)  # noqa: SLF001


def test_nothing_is_taken_away_when_a_session_is_forgotten() -> None:
    assert Counted(5, 5, 0, 1).less(Counted(9, 2, 0, 3)) == Counted(0, 3, 0, 0)


def test_the_recordings_are_of_the_profiles_own_places() -> None:
    assert sorted(path.name for path in SESSIONS.iterdir()) == ["claude", "codex", "gemini", "qwen"]
