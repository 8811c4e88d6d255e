"""A visit to a terminal by way of its host: output as it comes, and keys that are typed once."""

from collections.abc import Callable

import pytest

from actors.platform.readiness import wait_for
from actors.pty import entry as entry_module
from actors.pty.entry import Entry
from actors.pty.events import Acknowledged, Event, Output, Result
from tests.actors.host.host_kit import WAIT, Terminal, collect
from tests.actors.host.test_host_typing import ECHO, chunks


def listen(entry: Entry, until: Callable[[Event], bool]) -> list[Event]:
    """Read events until one of them is it."""
    found: list[Event] = []
    while not any(until(event) for event in found):
        assert entry.connected, found
        assert wait_for(entry.fileno(), WAIT), found
        entry.write()
        found += entry.read()
    return found


def shown(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Output))


def entered(terminal: Terminal) -> Entry:
    terminal.python(ECHO)
    entry = Entry()
    assert entry.open(str(terminal.socket), terminal.token, 1, 0)
    listen(entry, lambda event: isinstance(event, Output) and b"ready" in event.data)
    return entry


def lend(entry: Entry) -> None:
    """Answer as the runtime does that is asked for the keyboard."""
    assert entry.must_ask()
    entry.lend(1000.0)


def acknowledged(event: Event) -> bool:
    return isinstance(event, Acknowledged)


def test_nothing_is_typed_before_the_session_has_the_keyboard(terminal: Terminal) -> None:
    entry = entered(terminal)
    entry.type("1", b"a", 1)
    entry.type("2", b"b", 1)
    with terminal.connect() as other:
        other.link.type(b"another", [(b"first", 0)])
        collect(other, b"<6669727374>")
        lend(entry)
        assert chunks(collect(other, b"62>\n"))[0] == b"first"
    found = listen(entry, lambda event: getattr(event, "key", b"") == b"input:2")
    assert [event.key for event in found if isinstance(event, Acknowledged)][-1] == b"input:2"
    entry.close()


def test_a_refused_session_s_keys_are_dropped(terminal: Terminal) -> None:
    entry = entered(terminal)
    entry.type("1", b"a", 1)
    assert entry.must_ask()
    entry.drop()
    entry.type("2", b"b", 1)
    lend(entry)
    assert b"<62>" in shown(listen(entry, lambda event: b"<" in getattr(event, "data", b"")))
    entry.close()


def test_the_keyboard_is_asked_for_once_and_kept_while_it_is_typed(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry_module, "ASK_AGAIN_SECONDS", 1e6)
    entry = entered(terminal)
    assert not entry.must_ask()  # nobody types
    entry.type("1", b"a", 1)
    lend(entry)
    entry.type("2", b"b", 1)
    assert not entry.must_ask()  # the half of what was lent is not over
    entry.lend(0.0)
    entry.type("3", b"c", 1)
    assert entry.must_ask()
    assert not entry.must_ask()  # it was asked for, and the answer is to come
    entry.close()


def test_what_was_not_acknowledged_is_sent_again_and_typed_once(terminal: Terminal) -> None:
    entry = entered(terminal)
    entry.type("1", b"a", 1)
    lend(entry)  # it is sent; the link is lost before the answer is read
    with terminal.connect() as other:
        collect(other, b"<61>")
    entry.close()
    assert entry.open(str(terminal.socket), terminal.token, 1, 0)
    found = listen(entry, acknowledged)
    assert [e.result for e in found if isinstance(e, Acknowledged)] == [Result.ALREADY]
    entry.type("2", b"z", 1)
    with terminal.connect() as other:
        assert chunks(collect(other, b"<7a>")) == [b"a", b"z"]
    entry.close()


def test_what_was_meant_for_another_program_is_not_typed(terminal: Terminal) -> None:
    entry = entered(terminal)
    entry.close()
    entry.type("1", b"a", 1)
    assert not entry.open(str(terminal.socket), terminal.token, 2, 0)
    entry.type("2", b"b", 2)
    lend(entry)
    with terminal.connect() as other:
        assert chunks(collect(other, b"<62>")) == [b"b"]
    entry.close()
