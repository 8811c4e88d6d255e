"""Text from outside, made safe to print: control characters become visible escapes.

Others write commit subjects, file names, screens and the output of tests. Printed raw, an escape
sequence in them can change the title, overwrite other text, or write to the clipboard; a
bidirectional control can show words in the wrong order. Code that prints such text passes it
through `visible` where it prints.
"""

import re

_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f"  # C0 without tab and line feed, and DEL
    "\x80-\x9f"  # C1: for some terminals, U+009B starts a sequence
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    "\u2028\u2029\u206a-\u206f\ufeff\ufff9-\ufffb"  # separators, deprecated controls
    "\U000e0000-\U000e007f"  # tags, which are invisible in every font
    "\ud800-\udfff"  # surrogates: no output can encode them
)
_unsafe = re.compile(f"[{_UNSAFE}]")


def visible(text: str) -> str:
    r"""Replace each control character except tab and line feed by its escape, such as `\x1b`.

    >>> visible("title: \x1b]0;gone\x07")
    'title: \\x1b]0;gone\\x07'
    """
    return _unsafe.sub(_escape, text)


def visible_json(text: str) -> str:
    r"""Escape the control characters in a JSON document, which occur in its strings only.

    >>> visible_json('{"subject":"\x9b2J"}')
    '{"subject":"\\u009b2J"}'
    """
    return _unsafe.sub(_escape_json, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def _escape_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
