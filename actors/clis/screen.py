"""Render the bytes of a terminal's output as lines of text.

Programs are judged by their *rendered* screen, never by their bytes: a redraw repeats text, a
cursor move hides it. pyte keeps the grid. Its parser is not used, because it fails on or misreads
sequences that today's CLIs send (private CSI, colon SGR, DCS, APC). `ScreenReader` splits the
stream itself, passes to pyte only what a grid needs, and drops the rest. Colours are dropped too,
because patterns are applied to text.

No input makes this module raise. Rendering is slow (about 1 MB/s). It takes and returns plain data,
so it can run in a worker process.
"""

import codecs
import copy
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

ROWS: Final = 40
COLS: Final = 120

_LONGEST_SEQUENCE: Final = 256  # characters of one CSI; longer ones are garbage
_LARGEST_NUMBER: Final = 9999

# One alternative for each kind of token; the order matters. Of a string (OSC, DCS, APC, PM, SOS)
# only the introducer is matched. `_skip_string` skips the content, however long it is.
_TOKEN: Final = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x9f])"
    r"|\x1b\[(?P<params>[0-?]{0,200})(?P<between>[ -/]{0,20})(?P<final>[@-~])"
    r"|\x1b(?P<string>[\]PX^_])"
    r"|\x1b(?P<two>[ -/]{1,20}[0-~])"
    r"|\x1b(?P<one>[0-OQ-WYZ\\`-~])"
)
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[ -/]*)\Z")
_STRING_END: Final = re.compile(r"[\x07\x18\x1a\x1b\x9c]")
_NUMBERS: Final = re.compile(r"\??[0-9]*(?:;[0-9]*)*\Z")
_ALTERNATE: Final = frozenset({47, 1047, 1049})
_GRID_MODES: Final = frozenset({6, 7, 25})  # origin, wrap, cursor shown; 3 would resize the grid
_BRACKETED_PASTE: Final = 2004

_CONTROLS: Final = {
    "\b": "backspace",
    "\t": "tab",
    "\n": "linefeed",
    "\v": "linefeed",
    "\f": "linefeed",
    "\r": "carriage_return",
    "\x84": "index",
    "\x85": "linefeed",
    "\x8d": "reverse_index",
}
_ESCAPES: Final = {
    "c": "reset",
    "D": "index",
    "E": "linefeed",
    "M": "reverse_index",
    "H": "set_tab_stop",
    "7": "save_cursor",
    "8": "restore_cursor",
}
_CSI: Final = {
    "@": "insert_characters",
    "A": "cursor_up",
    "B": "cursor_down",
    "C": "cursor_forward",
    "D": "cursor_back",
    "E": "cursor_down1",
    "F": "cursor_up1",
    "G": "cursor_to_column",
    "H": "cursor_position",
    "J": "erase_in_display",
    "K": "erase_in_line",
    "L": "insert_lines",
    "M": "delete_lines",
    "P": "delete_characters",
    "X": "erase_characters",
    "`": "cursor_to_column",
    "a": "cursor_forward",
    "d": "cursor_to_line",
    "e": "cursor_down",
    "f": "cursor_position",
    "g": "clear_tab_stop",
    "r": "set_margins",
}
_TWO_NUMBERS: Final = frozenset("Hfr")


class Screen(msgspec.Struct, frozen=True):
    """The visible text of a terminal at one moment.

    `lines` has one string for each row, without trailing blanks. The cursor's row is padded up to
    the cursor, so that a prompt such as `"> "` keeps its blank. `cursor` is (row, column), both
    from 0. `bracketed_paste` says that the program asked for it.
    """

    lines: list[str]
    cursor: tuple[int, int] = (0, 0)
    bracketed_paste: bool = False

    @property
    def text(self) -> str:
        """The rows joined by newlines, without the empty rows at the end."""
        return "\n".join(self.lines).rstrip("\n")


class ScreenReader:
    """Renders output that arrives in pieces of any size.

    A character or an escape sequence that is cut in two is kept until the rest arrives.
    """

    def __init__(self, rows: int = ROWS, cols: int = COLS) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        import pyte  # only where screens are read: the runtime's own process does not
        from wcwidth import wcwidth

        self._grid: Any = pyte.Screen(cols, rows)
        self._width: Callable[[str], int] = wcwidth
        self._main: tuple[Any, Any] | None = None  # buffer and cursor behind the alternate screen
        self._rest = ""
        self._in_string = ""  # the introducer of the string being skipped, or nothing
        self._last = " "
        self._bracketed_paste = False

    def feed(self, data: bytes) -> None:
        """Render the next bytes of output. This never raises."""
        text = self._rest + self._decode(data)
        self._rest = ""
        at = 0
        while at < len(text):
            at = self._skip_string(text, at) if self._in_string else self._token(text, at)

    def resize(self, rows: int, cols: int) -> None:
        """Set the size of the screen."""
        self._grid.resize(rows, cols)

    @property
    def screen(self) -> Screen:
        """The present screen, as plain data."""
        row, col = min(self._grid.cursor.y, self._grid.lines - 1), self._grid.cursor.x
        lines = [self._line(y) for y in range(self._grid.lines)]
        if lines[row]:
            lines[row] = lines[row].ljust(min(col, self._grid.columns))
        return Screen(lines, (row, col), self._bracketed_paste)

    def _line(self, y: int) -> str:
        """Return the text of one row.

        The empty cell after a wide character is left out. An empty cell elsewhere is a blank.
        """
        row, out, after_wide = self._grid.buffer[y], [], False
        written = max(row, default=-1) + 1  # pyte keeps only cells that were written to
        for x in range(min(written, self._grid.columns)):
            data = row[x].data
            if not data:
                if not after_wide:
                    out.append(" ")
                after_wide = False
                continue
            out.append(data)
            after_wide = self._width(data[0]) == 2
        return "".join(out).rstrip()

    def _token(self, text: str, at: int) -> int:
        """Act on the token at `at`; return where the next begins."""
        found = _TOKEN.match(text, at)
        if found is None:
            if _UNFINISHED.match(text, at) and len(text) - at <= _LONGEST_SEQUENCE:
                self._rest = text[at:]
                return len(text)
            return at + 1  # an unknown sequence: drop its ESC and take the rest as text
        kind = found.lastgroup
        try:
            if kind == "text":
                self._draw(found["text"])
            elif kind == "control":
                self._do(_CONTROLS.get(found["control"]))
            elif kind == "string":
                self._in_string = found["string"]
            elif kind == "one":
                self._do(_ESCAPES.get(found["one"]))
            elif kind == "final" and not found["between"]:
                self._csi(found["params"], found["final"])
        except Exception:  # noqa: BLE001  # an error in pyte must not end the reader
            self._grid.cursor.x = min(max(self._grid.cursor.x, 0), self._grid.columns)
            self._grid.cursor.y = min(max(self._grid.cursor.y, 0), self._grid.lines - 1)
        return found.end()

    def _skip_string(self, text: str, at: int) -> int:
        r"""Skip to the end of an OSC, DCS, APC, PM or SOS string; return where the text goes on.

        An ESC ends the string and begins the next sequence (usually the terminator `ESC \`). BEL
        ends only an OSC.
        """
        while found := _STRING_END.search(text, at):
            at = found.end()
            if found[0] == "\x07" and self._in_string != "]":
                continue
            self._in_string = ""
            return found.start() if found[0] == "\x1b" else at
        return len(text)

    def _do(self, name: str | None, *numbers: int) -> None:
        if name is not None:
            method: Callable[..., None] = getattr(self._grid, name)
            method(*numbers)

    def _draw(self, text: str) -> None:
        """Draw the characters that have a width.

        Characters without a width (a variation selector, a joiner) are removed first, because pyte
        drops the text after them.
        """
        drawn = "".join(c for c in text if self._width(c) > 0)
        if drawn:
            self._last = drawn[-1]
            self._grid.draw(drawn)

    def _csi(self, params: str, final: str) -> None:
        if not _NUMBERS.match(params):
            return  # private (`>`, `=`, `<`) or with colons: the grid does not need it
        private = params.startswith("?")
        numbers = [min(int(n or 0), _LARGEST_NUMBER) for n in params.lstrip("?").split(";")]
        first = max(numbers[0], 1)
        if final in "hl":
            self._modes(numbers, private, final == "h")
        elif private and final not in "JK":
            return
        elif final in "ST":
            self._scroll(min(first, self._grid.lines), up=final == "S")
        elif final == "b":
            self._grid.draw(self._last * min(first, self._grid.columns))
        elif final == "s":
            self._grid.save_cursor()
        elif final == "u":
            self._grid.restore_cursor()
        else:
            self._do(_CSI.get(final), *numbers[: 2 if final in _TWO_NUMBERS else 1])

    def _modes(self, numbers: list[int], private: bool, on: bool) -> None:
        for number in numbers:
            if private and number in _ALTERNATE:
                self._alternate(on)
            elif private and number == _BRACKETED_PASTE:
                self._bracketed_paste = on
            elif (private and number in _GRID_MODES) or (not private and number in (4, 20)):
                change = self._grid.set_mode if on else self._grid.reset_mode
                change(number, private=private)

    def _alternate(self, on: bool) -> None:
        if on and self._main is None:
            self._main = (copy.deepcopy(self._grid.buffer), copy.copy(self._grid.cursor))
            self._grid.erase_in_display(2)
        elif not on and self._main is not None:
            self._grid.buffer, self._grid.cursor = self._main
            self._main = None
            self._grid.ensure_hbounds()
            self._grid.ensure_vbounds()

    def _scroll(self, count: int, up: bool) -> None:
        grid = self._grid
        x, y = grid.cursor.x, grid.cursor.y
        top, bottom = grid.margins or (0, grid.lines - 1)
        for _ in range(count):
            grid.cursor.y = bottom if up else top
            (grid.index if up else grid.reverse_index)()
        grid.cursor.x, grid.cursor.y = x, y


def render(data: bytes, rows: int = ROWS, cols: int = COLS) -> Screen:
    """Render `data` on an empty screen and return the screen.

    `data` may begin at any offset of a log: the first full redraw corrects the screen.
    """
    reader = ScreenReader(rows, cols)
    reader.feed(data)
    return reader.screen
