"""F6, F9: any bytes of programs, of hosts, of git and of databases are read or refused.

A short set runs always; `-m long` tries a hundred times as much.
"""

import contextlib
import functools
import sqlite3
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pygit2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygit2.enums import ObjectType

from actors.clis import lookup, recognise
from actors.clis.cc_switch import CcSwitchError, key_from, read_entries
from actors.clis.edit import ConfigError, Document
from actors.clis.limits import find_limit, reset_of
from actors.clis.obstacle import find_obstacle
from actors.clis.screen import ScreenReader
from actors.clis.usage import count
from actors.git.reading import branch_diff
from actors.git.reading.changes import changed
from actors.git.reading.commits import read
from actors.git.reading.reflog import entries
from actors.git.reading.refs import RefScanner, read_ref
from actors.git.users.shared import File
from actors.git.users.shared import settings as of_git
from actors.host import wire
from actors.pty.events import decode_event
from actors.pty.records import decode_exit
from bus import clock, subscriber
from tests.repositories import Repo
from tests.security.test_fuzz import JSON, LONG, SHORT, TEXT

_SCREEN: tuple[bytes | str, ...] = (
    *(
        b"\x1b[",
        b"\x1b]0;",
        b"\x07",
        b"\x1bP",
        b"\x1b\\",
        b"\x9b",
        b"?1049h",
        b"?2026h",
        b";",
        b"m",
    ),
    *(b"99999999999", b"H", b"r", b"L", b"M", b"P", b"@", b"X", b"S", b"T", b"J", b"K", b"\r\n"),
    *(
        b"\x1bM",
        b"\x1b7",
        b"\x1b8",
        b"\x1bc",
        b"\t",
        b"\x08",
        b"\x0e",
        b"\x1b(0",
        b"\xe2\x94",
        b"-1",
    ),
    *("❯ 1. Yes", "│", "─" * 30, "家", "e\u0301", "\u202e", "👨\u200d👩", "› 2. No\r\n"),
    *("Do you want to proceed", "resets 99:99pm (Mars/Base)", "try again at Feb 31st, 2027"),
    *("Password: ", "(Y)es/(N)o [Yes]: ", "Retrying in 9999999999s · attempt 1"),
)
SCREENS = st.lists(
    st.sampled_from(_SCREEN).map(lambda each: each if isinstance(each, bytes) else each.encode())
    | st.binary(max_size=12),
    max_size=60,
).map(b"".join)
SIZES = st.sampled_from([(1, 1), (2, 3), (24, 80), (50, 132)])
FIELDS = st.dictionaries(
    st.sampled_from(["seconds", "minutes", "hours", "days", "time", "date", "zone"]),
    st.sampled_from(
        ["9" * 12, "12:60am", "0pm", "25:00", "Feb 30", "Feb 29th, 2027", "../etc", "3"]
    )
    | st.text(max_size=8),
)
OIDS = st.sampled_from([b"0" * 40, b"a" * 40, b"ref: refs/heads/x", b"ref: refs/heads/../y", b""])
BYTES = st.lists(
    st.sampled_from(
        [
            *(
                b"tree ",
                b"parent ",
                b"author ",
                b"encoding idna",
                b"encoding utf-7",
                b"\n",
                b"\n\n",
            ),
            *(
                b"A <a@b> 99999999999999999999 +9999",
                b"<",
                b">",
                b" refs/heads/",
                b"^",
                b"#",
                b"\t",
            ),
            *(
                b"commit: x",
                b"\0",
                b"\xff\xfe",
                b"gitdir: ",
                b"[core]",
                b"x = y",
                b"include.path=/",
            ),
        ]
    )
    | OIDS
    | st.binary(max_size=30),
    max_size=30,
).map(b"".join)
NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: (
        not {b"/", b"\0"} & {bytes([each]) for each in name}
        and name not in (b".", b"..")
        and name.lower().strip() != b".git"
    )
)
KINDS = st.integers(min_value=0, max_value=255)


def short_and_long(**strategies: Any) -> Callable[[Any], tuple[Any, Any]]:
    """Make two tests of one function: a short one, and a `long` one."""

    def made(function: Any) -> tuple[Any, Any]:
        def again(*words: Any, **named: Any) -> Any:
            return function(*words, **named)

        functools.update_wrapper(again, function)
        short = SHORT(given(**strategies)(function))
        long = LONG(given(**strategies)(again))
        return short, pytest.mark.timeout(3_600)(pytest.mark.long(long))

    return made


def any_screen(data: bytes, pieces: int, size: tuple[int, int]) -> None:
    """The same bytes make the same screen in whatever pieces they come; every profile reads it."""
    reader, whole = ScreenReader(*size), ScreenReader(*size)
    for at in range(0, len(data), pieces):
        reader.feed(data[at : at + pieces])
    whole.feed(data)
    assert reader.screen.lines == whole.screen.lines
    screen = whole.screen
    assert len(screen.lines) == size[0]
    msgspec.json.encode(screen)
    find_obstacle(screen)
    for profile in lookup.profiles().values():
        find_limit(profile, screen)
        recognise.is_busy(profile, screen)
        recognise.is_ready(profile, screen)
        recognise.turn_began(profile, screen, screen)
        if (prompt := recognise.find_prompt(profile, screen)) is not None:
            msgspec.json.encode(prompt)


def any_time_of_a_limit(fields: dict[str, str]) -> None:
    """What a screen says of a limit's end is a time, or unknown."""
    found = reset_of(fields, datetime(2027, 2, 28, 23, 59, tzinfo=UTC), clock.HERE)
    assert found is None or found.tzinfo is not None


def any_frame_of_a_host(data: bytes, kind: int) -> None:
    """A frame is decoded, waits for more, or is refused with one of three errors."""
    with contextlib.suppress(ValueError, struct.error):
        wire.steps(data)
    with contextlib.suppress(ValueError, struct.error):
        wire.keyed(data)
    inbox = bytearray(data)
    with contextlib.suppress(ValueError):
        while wire.take(inbox):
            pass
    with contextlib.suppress(ValueError, struct.error, msgspec.DecodeError):
        decode_event(kind, data)
    with contextlib.suppress(msgspec.DecodeError):
        decode_exit(data)


def any_frame_of_the_feed(data: bytes) -> None:
    """A frame of the feed is a fact or a heartbeat, or is passed over and asked for again."""
    subscriber.said_in(b"demo/ " + data)
    subscriber.said_in(data)


test_any_screen, test_many_screens = short_and_long(
    data=SCREENS, pieces=st.integers(1, 9), size=SIZES
)(any_screen)
test_any_time_of_a_limit, test_many_times_of_a_limit = short_and_long(fields=FIELDS)(
    any_time_of_a_limit
)
test_any_frame_of_a_host, test_many_frames_of_a_host = short_and_long(
    data=st.binary(max_size=300), kind=st.integers(0, 20) | KINDS
)(any_frame_of_a_host)
test_any_frame_of_the_feed, test_many_frames_of_the_feed = short_and_long(
    data=st.binary(max_size=60)
    | JSON.map(lambda value: msgspec.json.encode({"type": "heartbeat", "head": value}))
)(any_frame_of_the_feed)


# ---- git -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A repository with one commit, which the examples of this module write into."""
    repo = Repo.made(tmp_path_factory.mktemp("sample"))
    repo.commit("first", {"a": "a\n"})
    return repo


def any_commit(sample: Repo, data: bytes) -> None:
    """A commit of any bytes is read, and can be stored and sent."""
    repo = pygit2.Repository(sample.git_dir)
    found = read(repo, str(repo.write(ObjectType.COMMIT, data)))
    assert found is not None
    msgspec.json.encode(found)


def any_files_of_git(sample: Repo, data: bytes, head: bytes) -> None:
    """Refs, packed refs, reflogs and configurations of any bytes are read, or are none."""
    git = Path(sample.git_dir)
    (git / "refs/heads/odd").write_bytes(head)
    (git / "packed-refs").write_bytes(data)
    (git / "logs/refs/heads/odd").write_bytes(data)
    (git / "worktrees/w").mkdir(parents=True, exist_ok=True)
    (git / "worktrees/w/HEAD").write_bytes(head + data)
    scanner = RefScanner(str(git))
    try:
        _read_all(scanner, git)
    finally:
        for name in ("refs/heads/odd", "packed-refs", "worktrees/w/HEAD"):
            (git / name).unlink()
        (git / "worktrees/w").rmdir()


def _read_all(scanner: RefScanner, git: Path) -> None:
    for state in (scanner.scan(), scanner.look({"refs/heads/odd", "refs/heads/main"}, ["w"])):
        msgspec.json.encode((state.heads, state.broken))
    read_ref(str(git), "refs/heads/odd")
    list(entries(str(git), "refs/heads/odd"))


def any_output_of_git(data: bytes) -> None:
    """The output of `--numstat -z` and of `config -z --list` is read, or refused as malformed."""
    of_git(File(data))
    with contextlib.suppress(ValueError):
        list(branch_diff._files(data))  # noqa: SLF001


def any_names_of_files(sample: Repo, names: list[bytes]) -> None:
    """Files of any name are named in what is untracked, and in the diff."""
    made = []
    for name in names:
        path = bytes(sample.path) + b"/" + name
        with contextlib.suppress(OSError), open(path, "xb") as file:
            file.write(b"x")
            made.append(path)
    found = list(changed(str(sample.path), untracked=True))
    assert len(found) == len(made)
    head = sample.git("rev-parse", "HEAD")
    diff = branch_diff.branch_diff(sample.git_dir, str(sample.path), head, head, True)
    msgspec.json.encode(diff)
    for path in made:
        Path(path.decode(errors="surrogateescape")).unlink()


test_any_commit, test_many_commits = short_and_long(data=BYTES)(any_commit)
test_any_files_of_git, test_many_files_of_git = short_and_long(data=BYTES, head=OIDS | BYTES)(
    any_files_of_git
)
test_any_output_of_git, test_much_output_of_git = short_and_long(data=BYTES)(any_output_of_git)
test_any_names_of_files, test_many_names_of_files = short_and_long(
    names=st.lists(NAMES, max_size=3, unique=True)
)(any_names_of_files)


# ---- files of users and of programs ----------------------------------------------------------

CELLS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=20)
APPS = st.sampled_from(["claude", "codex", "gemini", "opencode"])
SETTINGS = JSON.map(lambda value: msgspec.json.encode(value).decode()) | st.sampled_from(
    ["[" * 100_000, '{"env": {"ANTHROPIC_BASE_URL": 1}}', '{"config": "a.b = ["}', "1e999", ""]
)
ROWS = st.lists(
    st.tuples(
        APPS | CELLS,
        CELLS | st.text(max_size=5),
        CELLS | st.text(max_size=5),
        SETTINGS | CELLS,
        CELLS,
    ),
    max_size=3,
)


def any_cc_switch(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    """The rows of a database of cc-switch may hold any values of any types."""
    path = tmp_path / "cc-switch.db"
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    database.execute(
        "CREATE TABLE providers (app_type, id, name, settings_config, is_current, sort_index)"
    )
    database.executemany(
        "INSERT INTO providers VALUES (?, ?, ?, ?, ?, 0)",
        [tuple(map(_storable, row)) for row in rows],
    )
    database.commit()
    database.close()
    found = []
    with contextlib.suppress(CcSwitchError):
        found = read_entries(path)
    msgspec.json.encode(found)
    for entry in found:
        with contextlib.suppress(CcSwitchError):
            key_from(entry.reference, path)


def _storable(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def any_old_cc_switch(tmp_path: Path, value: Any) -> None:
    """The file of an older cc-switch may hold any JSON."""
    path = tmp_path / "config.json"
    inner = {"providers": {"x": {"settingsConfig": value, "name": value}}, "current": value}
    for whole in (value, {"claude": value, "codex": inner}, inner, {"providers": value}):
        path.write_bytes(msgspec.json.encode(whole))
        with contextlib.suppress(CcSwitchError):
            msgspec.json.encode(read_entries(path))


def any_settings(text: str, kind: str) -> None:
    """A user's own settings are read or refused; what is changed in them can be read again."""
    try:
        document = Document(text, kind)  # type: ignore[arg-type]
    except ConfigError:
        return
    document.plain()
    document.matching("env.ANTHROPIC_*")
    with contextlib.suppress(ConfigError):
        document.set(("x", "y"), "z")
        document.remove(("a",))
        assert Document(document.dump(), kind).get(("x", "y")) == "z"  # type: ignore[arg-type]


def any_session(tmp_path: Path, data: bytes, value: Any) -> None:
    """A program's own record of what it used may hold anything."""
    folder = tmp_path / "projects/p"
    folder.mkdir(parents=True, exist_ok=True)
    line = msgspec.json.encode({"message": {"id": value, "usage": {"input_tokens": value}}})
    (folder / "s.jsonl").write_bytes(data + b"\n" + line + b"\n" + line[:-3])
    msgspec.json.encode(count(lookup.profiles()["claude"], tmp_path))


test_any_cc_switch, test_much_of_cc_switch = short_and_long(rows=ROWS)(any_cc_switch)
test_any_old_cc_switch, test_much_of_old_cc_switch = short_and_long(value=JSON)(any_old_cc_switch)
test_any_settings, test_many_settings = short_and_long(
    text=TEXT, kind=st.sampled_from(["json", "toml"])
)(any_settings)
test_any_session, test_many_sessions = short_and_long(data=BYTES, value=JSON)(any_session)
