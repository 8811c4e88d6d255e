"""Only our keys change in somebody's configuration file."""

import json
import stat
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from actors.clis.edit import ConfigError, Document, edited, replace_file

TOML = """\
# my settings
model = "old"   # the good one
unknown = { a = 1 }

[projects."~/other"]  # keep
trust_level = "trusted"
"""


def test_toml_keeps_comments_order_and_unknown_keys() -> None:
    values = {"model": "new", "projects": {"~/a.b": {"trust_level": "trusted"}}}
    text = edited(TOML, "toml", values)
    assert text.startswith('# my settings\nmodel = "new"')
    assert "# the good one" in text
    assert "# keep" in text
    plain = tomlkit.parse(text).unwrap()
    assert plain["unknown"] == {"a": 1}
    assert list(plain["projects"]) == ["~/other", "~/a.b"]


def test_json_keeps_order_indentation_and_unknown_keys() -> None:
    text = '{\n    "z": 1,\n    "env": {\n        "A": "1"\n    },\n    "漢": 1\n}\n'
    assert edited(text, "json", {"env": {"B": "2"}}) == (
        '{\n    "z": 1,\n    "env": {\n        "A": "1",\n        "B": "2"\n    },\n'
        '    "漢": 1\n}\n'
    )


def test_json_with_comments_and_trailing_commas_is_read() -> None:
    text = '{ // hello\n "a": "http://x//y", /* b */ "c": [1, 2,],\n}'
    assert json.loads(edited(text, "json", {"d": 1})) == {"a": "http://x//y", "c": [1, 2], "d": 1}


def test_dropped_keys_go_by_pattern_and_take_empty_tables_along() -> None:
    text = '{"env": {"ANTHROPIC_A": "1", "ANTHROPIC_B": "2"}, "x": {"y": 1, "z": 2}}'
    assert json.loads(edited(text, "json", {}, ["env.ANTHROPIC_*", "x.y", "q.r"])) == {
        "x": {"z": 2}
    }


@pytest.mark.parametrize("text", ["[1]", "nope", '{"a": }'])
def test_what_is_not_an_object_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        edited(text, "json", {"a": 1})


def test_a_value_where_a_table_is_needed_is_refused() -> None:
    with pytest.raises(ConfigError, match="env is not a table"):
        edited('{"env": 3}', "json", {"env": {"A": "1"}})


@given(st.dictionaries(st.text(), st.recursive(st.text(), st.lists, max_leaves=10)))
def test_json_survives_a_round_trip(values: dict[str, object]) -> None:
    text = json.dumps(values)
    assert Document(edited(text, "json", {}), "json").plain() == values


def test_a_file_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    """Hazard 41."""
    path = tmp_path / "a.json"
    path.write_text("old")
    replace_file(path, b"new", 0o640)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
