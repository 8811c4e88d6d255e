"""What a terminal's screen shows: rendered in a worker process, so that nobody waits for it."""

from pathlib import Path
from typing import Any

from actors.clis.judging import look
from actors.platform.workers import WorkerLate
from actors.pty import window
from actors.supervision.actor import handles
from actors.system.replies import refusal
from actors.system.stage import CompanyActor
from bus.errors import Refused, illegal, unknown
from bus.messages import ScreenAsk
from bus.reasons import Reason
from bus.results import TerminalScreen


class ScreenReader(CompanyActor):
    """Answers one `terminal.screen` after another; each waits for the worker."""

    @handles(ScreenAsk)
    def ask(self, message: ScreenAsk) -> None:
        """Answer a request. A screen that takes too long is refused with 503."""
        replies = self.stage.replies
        try:
            replies.reply(message.client, message.id, self._shown(message.terminal))
        except Refused as error:
            replies.refuse(message.client, message.id, error)
        except (WorkerLate, OSError) as error:
            failure = Refused(503, Reason.UNREADABLE, f"the screen of {message.terminal}: {error}")
            replies.refuse(message.client, message.id, failure)

    def _shown(self, terminal: str) -> TerminalScreen:
        row = self.stage.reader.terminal(terminal)
        if row is None:
            raise unknown("terminal", terminal)
        if not row.incarnation:
            raise illegal(Reason.NOT_STARTED, f"{terminal} has not run a program yet")
        directory = self.stage.paths.terminal_dir(terminal, row.incarnation)
        rows, columns = window.size(directory)
        text, offset = self.stage.workers.screens.call(shown, directory, rows, columns)
        return TerminalScreen(row.incarnation, text, offset, rows, columns, ended=row.gone)

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """A request that broke this actor is answered all the same."""
        message = self.decode(item)
        if isinstance(message, ScreenAsk):
            failure = refusal(f"the screen of {message.terminal}", error)
            self.stage.replies.refuse(message.client, message.id, failure)


def shown(directory: Path, rows: int, columns: int) -> tuple[str, int]:
    """Return the text of the newest screen and its offset. Runs in a worker process."""
    screen, offset = look(directory, rows, columns)
    return screen.text, offset
