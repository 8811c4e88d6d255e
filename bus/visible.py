"""Text from outside, made safe to print: control characters become visible escapes.

Others write commit subjects, file names, screens and the output of tests. Printed raw, an escape
sequence in them can change the title, overwrite other text, or write to the clipboard; a
bidirectional control can show words in the wrong order; a character without a shape makes two names
look the same. Code that prints such text passes it through `visible` where it prints.

Joiners and variation selectors belong to some scripts and to emoji. They stay where they join what
is not ASCII, one at a time.
"""

import re

_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f"  # C0 without tab and line feed, and DEL
    "\x80-\x9f"  # C1: for some terminals, U+009B starts a sequence
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    "\u2028\u2029\u206a-\u206f\ufeff\ufff9-\ufffb"  # separators, deprecated controls
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u2061-\u2065\u3164\uffa0\ufff0-\ufff8"  # no shape
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"  # tags, which are invisible in every font
    "\ud800-\udfff"  # surrogates: no output can encode them
)
_JOINERS = "\u200b-\u200d\u2060"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_KEYCAP = "\u20e3"
_unsafe = re.compile(f"[{_UNSAFE}{_JOINERS}{_SELECTORS}]")
_is_joiner = re.compile(f"[{_JOINERS}]").match
_is_selector = re.compile(f"[{_SELECTORS}]").match


def visible(text: str) -> str:
    r"""Replace each control character except tab and line feed by its escape, such as `\x1b`.

    >>> visible("title: \x1b]0;gone\x07")
    'title: \\x1b]0;gone\\x07'
    """
    return _unsafe.sub(_visible, text)


def visible_json(text: str) -> str:
    r"""Escape the control characters in a JSON document, which occur in its strings only.

    >>> visible_json('{"subject":"\x9b2J"}')
    '{"subject":"\\u009b2J"}'
    """
    return _unsafe.sub(_visible_json, text)


def _visible(found: re.Match[str]) -> str:
    return found[0] if _joins(found) else _escape(found)


def _visible_json(found: re.Match[str]) -> str:
    return found[0] if _joins(found) else _escape_json(found)


def _joins(found: re.Match[str]) -> bool:
    """Return whether a joiner or a selector stands where it changes the shape of its neighbours."""
    before = found.string[found.start() - 1 : found.start()]
    after = found.string[found.end() : found.end() + 1]
    if _is_selector(found[0]):
        return _has_shape(before) or (after == _KEYCAP and bool(before))
    return bool(_is_joiner(found[0])) and _may_join(before) and _has_shape(after)


def _may_join(before: str) -> bool:
    return _has_shape(before) or bool(_is_selector(before))


def _has_shape(char: str) -> bool:
    return char > "\x7f" and not _unsafe.match(char)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def _escape_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
