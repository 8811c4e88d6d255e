"""The event loop outlives its callbacks, and an actor learns of its errors there."""

import functools
import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from actors.platform.loop import EventLoop
from bus import clock
from tests.actors.served import Served, facts, submit
from tests.doors.kit import coder, done, plan_text
from tests.repositories import make_repo

WAIT = 30.0

GROWS = """
CREATE TRIGGER grows AFTER UPDATE OF instruction ON terminal WHEN NEW.address LIKE '%/a/1/'
BEGIN UPDATE terminal SET instruction = printf('%.*c', 2000000, 'x') WHERE address = NEW.address;
END"""
"""What is typed to one terminal gets longer than a frame to its host may be."""


class Pipe:
    """A descriptor to watch, and the hand that makes it readable."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def fileno(self) -> int:
        return self._read

    def fill(self) -> None:
        os.write(self._write, b"x")

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    loop.start()
    yield loop
    loop.stop()


class Held:
    """What a callback holds."""


def breaks() -> None:
    raise sqlite3.OperationalError("database is locked")


def after(_loop: EventLoop, start: Callable[[Callable[[], None]], object]) -> None:
    """What `start` is given is called."""
    called = threading.Event()
    start(called.set)
    assert called.wait(WAIT), "the loop has ended"


def test_a_callback_that_fails_ends_neither_the_loop_nor_another(loop: EventLoop) -> None:
    """Posted, due or readable: the others are called as ever. Hazard 20."""
    pipes = Pipe(), Pipe()
    try:
        loop.post(breaks)
        after(loop, loop.post)
        loop.later(0, breaks)
        after(loop, lambda heard: loop.later(0, heard))
        heard: SimpleQueue[int] = SimpleQueue()
        loop.post(lambda: loop.watch(pipes[0], breaks, None))
        loop.post(lambda: loop.watch(pipes[1], lambda: heard.put(1), None))
        for pipe in pipes:
            pipe.fill()
        assert heard.get(timeout=WAIT) == 1
        loop.post(lambda: loop.unwatch(pipes[1].fileno()))
        after(loop, loop.post)
    finally:
        for pipe in pipes:
            pipe.close()


@pytest.mark.parametrize("where", ["it asks for the timer", "it runs a callback"])
def test_no_timer_runs_out_while_the_process_is_stopped(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Wherever in the loop that is: it does not only wait.

    Who looks at the clock later is told that an hour has passed, as after SIGSTOP and SIGCONT.
    """
    stopped = [0.0]
    awake = clock.awake
    monkeypatch.setattr(clock, "awake", lambda: awake() + stopped[0])
    fired: list[str] = []
    if where == "it runs a callback":
        loop.later(1800, lambda: fired.append("early"))
        loop.post(lambda: stopped.append(stopped.pop() + 3600))
    else:

        def asks() -> None:
            loop.later(1800, lambda: fired.append("early"))
            stopped.append(stopped.pop() + 3600)

        loop.post(asks)
    for _ in range(3):
        after(loop, loop.post)
        after(loop, lambda heard: loop.later(0, heard))
    assert fired == []


def test_a_timer_that_is_cancelled_lets_go_of_what_it_holds_before_it_would_be_due(
    loop: EventLoop,
) -> None:
    held = Held()
    gone = weakref.ref(held)
    timer = loop.later(3_600.0, functools.partial(print, held))
    after(loop, loop.post)  # the loop has it now
    del held
    assert gone() is not None
    timer.cancel()
    assert gone() is None


def test_where_the_loop_breaks_the_runtime_gives_up_and_says_why(
    served: Served,
) -> None:
    """Else it would go on and hear nothing, while its rows say `running`. Hazard 20."""
    served.runtime._loop.post(sys.exit)  # what no callback may do, and `Exception` does not hold  # noqa: SLF001
    assert served.runtime.ended.wait(WAIT)
    assert "the event loop broke: SystemExit" in served.runtime.failure


def test_what_cannot_be_said_to_a_host_fails_its_actor_and_not_in_silence(
    served: Served, tmp_path: Path
) -> None:
    """An instruction that no frame holds.

    Typed in the loop's thread, it would be lost there while the row goes on saying `running`.
    Hazard 20.
    """
    repo = make_repo(tmp_path / "repo")
    text = plan_text(repo, {"a": [coder("@ sleep 600\n")], "b": [done("b")]})
    name = submit(served, text)
    served.until_status(name, "ready")
    served.sql(GROWS)
    served.client.call("workflow.start", workflow=name)
    served.until_fact("actor.failed", f"{name}/a/1/")
    failed = facts(served, "actor.failed")[0]
    assert "1048576 bytes" in failed["error"]
    served.until(name, lambda row: row["tasks"][1]["status"] == "completed")
