"""F6, F9: whatever strangers write is read or refused, by everything that reads it.

A short set runs always; `-m long` tries a hundred times as much.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.clis.cc_switch import CcSwitchError
from actors.clis.edit import ConfigError, edited
from actors.clis.providers import ProviderError, import_cc_switch, load_providers, provider
from actors.git.users.keeping import described
from actors.git.users.shared import File, changes
from bus import plan, requests
from bus.commit_words import parse
from bus.errors import Refused
from bus.visible import visible, visible_json

SHORT = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
LONG = settings(SHORT, max_examples=6_000)

_PARTS = (
    *("---METADATA---\n", "status: completed\n", "#done", "#fail", "`", "```\n", "\\r\\n", "//"),
    *("/*", "*/", ",", "{", "}", "[", "]", '"', "\\", "[[task]]\n", "[cli.x]\n", "a.b", "=", "'''"),
    *("\x00", "\x1b]0;x\x07", "\ud800", "\u202e", "\n", "\t", "1e999", "2" * 20, "nan"),
)
TEXT = st.lists(st.sampled_from(_PARTS) | st.text(max_size=8), max_size=40).map("".join)
UNICODE = TEXT.map(lambda text: text.encode("utf-8", "replace").decode())
"""Without lone surrogates: the decoder of the wire refuses them before."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | UNICODE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(UNICODE, inner, max_size=4),
    max_leaves=20,
)


def _commit(text: str) -> None:
    parse(text)


def _plan(text: str) -> None:
    with contextlib.suppress(Refused):
        plan.decode(text)


def _request(text: str) -> None:
    frame = text.encode("utf-8", "surrogatepass")
    for given_frame in (frame, b'{"type":"plan.check","plan":' + frame + b"}"):
        requests.id_of(given_frame)
        with contextlib.suppress(Refused):
            requests.decode(given_frame)


def _jsonc(text: str) -> None:
    for kind in ("json", "toml"):
        with contextlib.suppress(ConfigError):
            edited(text, kind, {"a": 1})


def _printed(text: str) -> None:
    visible(text).encode()
    assert json.loads(visible_json(json.dumps(text, ensure_ascii=False))) == text


def _shared(text: str) -> None:
    file = File(text.encode("utf-8", "surrogatepass"), runs=True)
    found = changes({}, {"hooks/x": file, "config": File(file.data)}, "main")
    described(found).encode()


READERS = (_commit, _plan, _request, _jsonc, _printed, _shared)


@pytest.mark.parametrize("read", READERS)
@SHORT
@given(text=TEXT)
def test_any_text_is_read_or_refused(read: Any, text: str) -> None:
    read(text)


@pytest.mark.long
@pytest.mark.timeout(1800)  # one reader asks git about each text
@pytest.mark.parametrize("read", READERS)
@LONG
@given(text=TEXT)
def test_much_more_of_any_text_is_read_or_refused(read: Any, text: str) -> None:
    read(text)


@SHORT
@given(value=JSON)
def test_any_json_is_a_plan_or_a_provider_or_is_refused(value: Any) -> None:
    with contextlib.suppress(Refused):
        plan.decode(value if isinstance(value, dict) else {"task": value})
    with contextlib.suppress(ProviderError):
        provider("x", value)


@SHORT
@given(data=st.binary(max_size=2_000), of_header=st.booleans())
def test_any_database_and_any_file_of_providers_are_read_or_refused(
    tmp_path: Path, data: bytes, of_header: bool
) -> None:
    file = tmp_path / "cc-switch.db"
    file.write_bytes((b"SQLite format 3\x00" if of_header else b"") + data)
    with contextlib.suppress(CcSwitchError):
        import_cc_switch(file)
    with contextlib.suppress(ProviderError):
        load_providers(file)
