"""Text from outside is shown, and never obeyed."""

import json
import unicodedata

import pytest

from bus.visible import visible, visible_json

_SHOWN = {*map(chr, [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD])}
_SHOWN |= {*map(chr, range(0x13430, 0x13440))}
"""Characters of the category Cf that have a shape: signs around numbers, hieroglyphs."""
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00\ufe0f\U000e0100\U000e01ef"
"""Letters and marks without a shape."""


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
        or (unicodedata.category(chr(code)) == "Cf" and chr(code) not in _SHOWN)
        or chr(code) in _BLANK
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
    text = (
        "Grüße, 世界 🎉 مرحبا שלום\n\tan e\u0301 👩\u200d❤\ufe0f\u200d👨 1\ufe0f\u20e3 ©\ufe0f "
        "\u0645\u06cc\u200c\u0634\u0648\u062f ภาษา\u200bไทย 葛\U000e0100"
    )
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ma\u200bin", r"ma\u200bin"),
        ("é\u200b", r"é\u200b"),
        ("é\u200d\u200cé", r"é\u200d\u200cé"),
        ("\ufe0fa\ufe0f", r"\ufe0fa\ufe0f"),
        ("é\ufe0f\ufe01\U000e0101", "é\ufe0f\\ufe01\\U000e0101"),
    ],
)
def test_what_has_no_shape_and_joins_nothing_is_shown(text: str, shown: str) -> None:
    """Two names that differ must not look the same, and no text may be hidden in another."""
    assert visible(text) == shown


def test_json_holds_the_same_values() -> None:
    for text in ("\x7f\x9b2J\u202e\U000e0041", "plain"):
        assert json.loads(visible_json(json.dumps(text, ensure_ascii=False))) == text
