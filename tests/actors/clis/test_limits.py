"""What real CLIs show when their model's server refuses them, and until when. Hazard 68.

The screens were recorded against a server that answers as the real ones do.
"""

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.clis.limits import estimate, find_limit, reset_of
from actors.clis.profile import Profile, load
from actors.clis.rules import LimitRule
from bus import clock
from bus.kinds import LimitKind
from tests.actors.clis.cli_screens import NAMES, SCREENS, drawn, recorded

PROFILES = load()
REFUSED = sorted(path.stem for path in Path(SCREENS).glob("*-limit-*.txt"))
CET = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=CET)


@pytest.mark.parametrize("name", REFUSED)
def test_a_screen_of_a_refused_request_is_recognised(name: str) -> None:
    """The file's name says which CLI and which limit, and whether the CLI goes on by itself."""
    cli, _, by, *retries = name.split("-")
    limit = find_limit(PROFILES[cli], recorded(name))
    assert limit is not None
    assert (limit.by, limit.retries) == (by, "retries" in retries)
    assert not re.search("[─╹┃▣↑]", limit.text), limit.text


def test_there_is_a_recorded_screen_of_each_kind() -> None:
    assert {name.split("-")[2] for name in REFUSED} == {
        "usage", "rate", "overload", "login", "credit", "context",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_ordinary_screen_shows_no_limit(name: str) -> None:
    for state in ("ready", "busy", "done", "prompt"):
        assert find_limit(PROFILES[name], recorded(f"{name}-{state}")) is None


def test_a_limit_above_a_later_turn_is_over() -> None:
    refused = recorded("codex-limit-credit")
    at = next(i for i, line in enumerate(refused.lines) if line.startswith("■"))
    later = [*refused.lines[: at + 1], "", "› go on", "", "• The work is committed.", ""]
    assert find_limit(PROFILES["codex"], drawn("\n".join(later))) is None


@pytest.mark.parametrize(
    "said",
    [
        "Connection refused — a firewall or proxy may be blocking it (ECONNREFUSED)",
        "Can't reach the API server — check your internet or DNS (ENOTFOUND)",
        "No internet route — check your connection or VPN (ENETUNREACH)",
        "Connection dropped (ECONNRESET)",
        "Unable to connect to API: SSL certificate verification failed (CERT_HAS_EXPIRED). Check",
    ],
)
def test_a_claude_that_reaches_no_server_has_not_ended_its_turn(said: str) -> None:
    """The first was seen with 2.1.332, which gave up after ten tries; the others are its words."""
    lines = recorded("claude-limit-rate").lines
    shown = [f"● API Error: {said}" if line.startswith("● API") else line for line in lines]
    shown = [line for line in shown if not line.startswith("✻")]
    limit = find_limit(PROFILES["claude"], drawn("\n".join(shown)))
    assert limit is not None
    assert (limit.by, limit.retries) == ("overload", False)


def test_the_time_of_reset_is_read_off_the_screen() -> None:
    limit = find_limit(PROFILES["codex"], recorded("codex-limit-usage"))
    assert limit is not None
    assert limit.fields == {"time": "1:52 PM"}
    assert reset_of(limit.fields, NOW, CET) == NOW.replace(hour=13, minute=52)


@pytest.mark.parametrize(
    ("said", "by", "fields"),
    [
        ("[retrying in 16s attempt #4]", "overload", {"seconds": "16"}),
        ("[retrying in 2m 5s attempt #4]", "overload", {"minutes": "2", "seconds": "5"}),
        ("limit. [retrying in 1h 59m attempt #1", "usage", {"hours": "1", "minutes": "59"}),
        ("(click to expand) [retrying\n        attempt #5]", "overload", {}),
        ("You can retry your reque... [retrying in", "overload", {}),
    ],
)
@pytest.mark.parametrize("name", ["kilo", "opencode"])
def test_the_tries_of_opencode_and_kilo(
    name: str, said: str, by: str, fields: dict[str, str]
) -> None:
    """A wait of hours is a usage limit, and the row of it may be broken, or cut by the screen."""
    limit = find_limit(PROFILES[name], drawn(f"     ▣  Code · model\n   ⬝⬝⬝ {said}"))
    assert limit is not None
    assert (limit.by, limit.fields, limit.retries) == (by, fields, True)


@pytest.mark.parametrize("after", ["● made.txt is written.", "● bash(touch made.txt)\n  ⎿  done"])
@pytest.mark.parametrize("name", ["503", "file"])
def test_the_tries_of_continue_are_over_with_its_next_word(name: str, after: str) -> None:
    """It draws them above all turns, and leaves them there."""
    rows = recorded(f"continue-limit-overload-retries-{name}").text.split("\n")
    at = next(i for i, row in enumerate(rows) if "esc to interrupt" in row)
    later = [*rows[:at], after, "", *rows[at:]]
    assert find_limit(PROFILES["continue"], drawn("\n".join(later))) is None


@pytest.mark.parametrize("name", ["pi-ready", "pi-busy", "pi-done"])
def test_an_ordinary_screen_of_pi_shows_no_limit(name: str) -> None:
    assert find_limit(PROFILES["pi"], recorded(name)) is None


@pytest.mark.parametrize(
    ("said", "fields", "until"),
    [
        ("resets 3pm", {"time": "3pm"}, "2026-11-29T15:00:00+01:00"),
        ("resets 3pm (UTC)", {"time": "3pm", "zone": "UTC"}, "2026-11-29T16:00:00+01:00"),
        ("resets 1am", {"time": "1am"}, "2026-11-30T01:00:00+01:00"),
        ("resets Dec 3 at 5pm", {"date": "Dec 3", "time": "5pm"}, "2026-12-03T17:00:00+01:00"),
    ],
)  # fmt: skip
def test_the_subscription_of_claude(said: str, fields: dict[str, str], until: str) -> None:
    text = f"❯ go on\n  ⎿  You've hit your session limit · {said}\n\n✻ Worked for 0s\n"
    limit = find_limit(PROFILES["claude"], drawn(text))
    assert limit is not None
    assert limit.by == LimitKind.USAGE
    assert limit.fields == fields
    assert reset_of(limit.fields, NOW, CET) == datetime.fromisoformat(until)


@pytest.mark.parametrize(
    ("fields", "until"),
    [
        ({"seconds": "13"}, "2026-11-29T12:00:13+01:00"),
        ({"days": "3", "hours": "2", "minutes": "5"}, "2026-12-02T14:05:00+01:00"),
        ({"epoch": "1796043600"}, "2026-11-30T14:00:00+01:00"),
        ({"time": "11:30 AM"}, "2026-11-29T11:30:00+01:00"),
        ({"time": "10:30 AM"}, "2026-11-30T10:30:00+01:00"),
        ({"time": "17:00"}, "2026-11-29T17:00:00+01:00"),
        ({"time": "12:05 AM"}, "2026-11-30T00:05:00+01:00"),
        ({"time": "5:35 AM", "date": "Dec 3rd, 2026"}, "2026-12-03T05:35:00+01:00"),
        ({"time": "5:35 AM", "date": "2026-12-03"}, "2026-12-03T05:35:00+01:00"),
        ({"time": "5pm", "zone": "No/Where"}, None),
        ({"time": "25:00"}, None),
        ({"time": "13pm"}, None),
        ({"epoch": "9" * 30}, None),
        ({"days": "400"}, None),
        ({}, None),
    ],
)
def test_when_a_limit_ends(fields: dict[str, str], until: str | None) -> None:
    assert reset_of(fields, NOW, CET) == (datetime.fromisoformat(until) if until else None)


@pytest.mark.parametrize(
    ("now", "said", "until"),
    [
        ("2026-10-25T01:00+02:00", "4am", "2026-10-25T04:00+01:00"),
        ("2027-03-28T01:00+01:00", "4am", "2027-03-28T04:00+02:00"),
        ("2026-10-24T23:00+02:00", "5am", "2026-10-25T05:00+01:00"),
        ("2026-10-24T12:00+02:00", "2pm", "2026-10-24T14:00+02:00"),
        ("2026-10-25T02:30+01:00", "2:45am", "2026-10-25T02:45+01:00"),
    ],
)
def test_a_time_without_a_zone_is_right_where_summer_time_ends_or_begins_before_it(
    monkeypatch: pytest.MonkeyPatch, now: str, said: str, until: str
) -> None:
    """Hazard 101."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        begun = datetime.fromisoformat(now)
        found = reset_of({"time": said}, begun, clock.HERE)
    time.tzset()
    assert found == datetime.fromisoformat(until)


def test_the_first_of_january_is_next_years() -> None:
    eve = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
    assert reset_of({"time": "1am", "date": "Jan 1"}, eve, UTC) == datetime(
        2027, 1, 1, 1, tzinfo=UTC
    )


@given(
    st.dictionaries(
        st.sampled_from(["epoch", "days", "seconds", "time", "date", "zone"]), st.text()
    )
)
def test_any_text_is_a_time_or_none(fields: dict[str, str]) -> None:
    until = reset_of(fields, NOW, CET)
    assert until is None or until.tzinfo is not None


def test_what_nobody_says_is_estimated_longer_each_time_and_not_for_ever() -> None:
    waits = [estimate(LimitKind.RATE, times, NOW) for times in (0, 1, 20)]
    assert waits == [NOW + timedelta(minutes=m) for m in (1, 2, 60)]
    assert estimate(LimitKind.CREDIT, 0, NOW) is None


def test_a_users_own_program_may_have_limits() -> None:
    rule = LimitRule(by="usage", pattern=r"^LIMIT until (?P<epoch>\d+)$")
    mine = Profile(name="mine", command=("mine",), ready="^> $", limits=(rule,))
    limit = find_limit(mine, drawn("LIMIT until 17\n> "))
    assert limit is not None
    assert limit.fields == {"epoch": "17"}
