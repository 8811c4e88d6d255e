"""Draw lines with further lines below them, such as a workflow with its tasks.

Rich's own tree lays each label out as a paragraph, which takes ten times as long: `ps` shows
thousands of lines.
"""

from collections.abc import Iterable, Iterator
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment

Piece = tuple[str, str]
"""A text and the name of its style, "" for none."""

_GUIDES = ("├── ", "└── ", "│   ", "    ")
_ASCII_GUIDES = ("+-- ", "`-- ", "|   ", "    ")


class Outline:
    """A renderable: one line of `pieces`, and the outlines below it."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = list(pieces)
        self._below: list[Self] = []

    def add(self, pieces: Iterable[Piece]) -> Self:
        """Add a line below this one and return its outline."""
        self._below.append(type(self)(pieces))
        return self._below[-1]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the segments of all lines. A line feed in a piece becomes a blank."""
        guides = _ASCII_GUIDES if options.ascii_only else _GUIDES
        for guide, pieces in self.lines(guides, "", ""):
            yield Segment(guide)
            for text, style in pieces:
                named = console.get_style(style) if style else None
                yield Segment(text.replace("\n", " "), named)
            yield Segment.line()

    def lines(
        self, guides: tuple[str, str, str, str], own: str, before: str
    ) -> Iterator[tuple[str, list[Piece]]]:
        """Yield each line's guide and pieces: `own` is this line's guide, `before` that below."""
        yield own, self._pieces
        fork, last, line, blank = guides
        for number, each in enumerate(self._below, 1):
            ends = number == len(self._below)
            here, under = (last, blank) if ends else (fork, line)
            yield from each.lines(guides, before + here, before + under)
