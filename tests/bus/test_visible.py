"""Text from outside is shown, and never obeyed."""

import json
import unicodedata

import pytest

from bus.visible import visible, visible_json


@pytest.fixture(scope="module")
def controls() -> list[str]:
    """All that must not pass. It takes a second, which no other process shall pay at its start."""
    return [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(chr(code)) in ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI")
        or chr(code) in "\u2068\u2069\u200e\u200f\u061c\ufeff"
        or 0xE0000 <= code <= 0xE007F
    ]


@pytest.mark.parametrize("convert", [visible, lambda text: visible_json(json.dumps(text))])
def test_no_control_character_passes_but_tab_and_line_feed(
    convert: object, controls: list[str]
) -> None:
    assert callable(convert)
    left = {c for c in controls if c in convert(f"a{c}b")}
    assert left <= {"\t", "\n"}


def test_what_was_there_can_be_read() -> None:
    assert visible("\x1b[2J\x9b\u202e\U000e0041") == r"\x1b[2J\x9b\u202e\U000e0041"


def test_what_people_write_stays_as_it_is() -> None:
    text = "Grüße, 世界 🎉 \u200d مرحبا שלום\n\tan e\u0301 zero\u200bwidth"
    assert visible(text) == text


def test_json_holds_the_same_values() -> None:
    for text in ("\x7f\x9b2J\u202e\U000e0041", "plain"):
        assert json.loads(visible_json(json.dumps(text, ensure_ascii=False))) == text
