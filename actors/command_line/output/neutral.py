"""Print with Rich, but only visible text. Styles and Rich's own control codes are kept."""

import os
import sys
from typing import Any

from rich.console import (
    Console,
    ConsoleOptions,
    ConsoleRenderable,
    RenderableType,
    RenderHook,
    RenderResult,
)
from rich.segment import Segment

from bus.visible import visible

_WIDEST = 1_000


def console() -> Console:
    """Make a console on standard output that prints visible text only.

    In a pipe or a file a table is as wide as it needs to be: nothing is wrapped or cut there.
    """
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDEST
    made = Console(highlight=False, soft_wrap=True, width=width)
    made.push_render_hook(_VisibleOnly())
    return made


class Neutral:
    """A renderable whose text is made visible after its layout.

    `console` wraps everything that it prints in this class. A live display bypasses that, so its
    content must be wrapped explicitly.
    """

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._inner, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


class _VisibleOnly(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[Any]:
        return [Neutral(renderable) for renderable in renderables]
