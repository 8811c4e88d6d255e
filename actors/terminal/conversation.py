"""The conversation of a terminal goes on after its program has ended.

A program keeps its conversation in its config home, and may keep the home's path with it. So the
next incarnation uses the home of the one before, as long as the same CLI runs in it, and is started
with the words that resume the newest session. Runs in the terminal actor's thread. Each step may be
repeated after a crash, with the same result.
"""

from pathlib import Path

import msgspec

from actors.clis.profile import Profile
from actors.clis.usage import newest_session
from actors.platform import disk
from actors.platform.files import NAME, read_bounded
from actors.terminal.port import Port
from bus.facts import ConversationResumed

_MARK = "conversation.json"


class _Mark(msgspec.Struct):
    """Whose conversation a config home holds."""

    cli: str


_decode_mark = msgspec.json.Decoder(_Mark).decode


def home_of(port: Port) -> tuple[Path, int]:
    """Return the config home of this incarnation, and the incarnation that made it.

    It is its own unless a conversation goes on: those up to `fresh` do not.
    """
    row, profile = port.row, port.profile
    own = port.directory / "home", row.incarnation
    if not profile.session.resume or own[0].exists():
        return own
    last = row.fresh if row.fresh < row.incarnation else 0
    for number in range(row.incarnation - 1, last, -1):
        home = port.directory.with_name(str(number)) / "home"
        if home.is_dir() and not home.is_symlink():
            return (home, number) if _cli_in(home) == profile.name else own
    return own


def _cli_in(home: Path) -> str:
    """Return the CLI whose conversation the home holds; "" if it was not made whole."""
    try:
        return _decode_mark(read_bounded(home / _MARK, NAME, follow=False)).cli
    except (OSError, msgspec.DecodeError):
        return ""


def session_of(port: Port) -> str:
    """Return the session to resume; "" if the program begins a new conversation."""
    home, made_by = home_of(port)
    return newest_session(port.profile, home / "config") if made_by < port.row.incarnation else ""


def note(home: Path, profile: Profile) -> None:
    """Note whose conversation the home holds from now on."""
    disk.write_durably(home / _MARK, msgspec.json.encode(_Mark(profile.name)))


def tell(port: Port, session: str) -> None:
    """Tell, once, that the session goes on; do nothing for a new conversation."""
    if session and not port.row.resumed:
        fact = ConversationResumed(
            address=port.at, incarnation=port.row.incarnation, session=session
        )
        port.observe(fact, resumed=True)
