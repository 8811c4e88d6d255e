"""The process and its keeper, with real processes and a server that is scripted."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from actors.host import family
from actors.orchestrator.keeper import Keeper, child_environment
from actors.orchestrator.thoughts import Said, Thinking, Thought, ThoughtOver
from actors.platform.loop import EventLoop
from tests.actors.orchestrator.kit import GOOD, thought
from tests.scripted_model import KEY, Asked, Reply, ScriptedModel, refusal
from tests.scripted_model import Said as Told

PATIENCE = 60.0


class Kept:
    """A keeper, and what it was told."""

    def __init__(self, grace: float = PATIENCE) -> None:
        self.loop = EventLoop()
        self.loop.start()
        self.heard: queue.Queue[Said] = queue.Queue()
        self.keeper = Keeper(self.loop, self.heard.put, grace)

    def next(self) -> Said:
        return self.heard.get(timeout=PATIENCE)

    def over(self) -> ThoughtOver:
        """The next end of a thought."""
        while isinstance(said := self.next(), Thinking):
            pass
        return said

    def close(self) -> None:
        self.keeper.close()
        self.loop.stop()


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    kept.close()


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Servers that wait for it go on at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def test_each_attempt_is_told_and_then_the_end(kept: Kept) -> None:
    replies: list[Told] = [refusal(400, "no strict"), GOOD]
    with ScriptedModel(lambda _: replies.pop(0)) as model:
        kept.keeper.ask(thought(model.endpoint(), id="café/1"))
        first, second, over = kept.next(), kept.next(), kept.over()
    assert [type(first), type(second)] == [Thinking, Thinking]
    assert {first.id, second.id, over.id} == {"café/1"}
    assert over.arguments == GOOD
    assert (over.attempts, over.rung) == (2, "tool")
    assert kept.heard.empty()


def test_nothing_runs_while_nobody_asks(kept: Kept) -> None:
    assert kept.keeper.pid is None


def test_several_thoughts_are_thought_at_once(kept: Kept, held: threading.Event) -> None:
    def server(asked: Asked) -> Told:
        if asked.headers["authorization"] == "Bearer slow":
            held.wait(PATIENCE)
        return GOOD

    with ScriptedModel(server) as model:
        kept.keeper.ask(thought(model.endpoint(key="slow"), id="slow"))
        for number in range(5):
            kept.keeper.ask(thought(model.endpoint(), id=f"quick {number}"))
        quick = {kept.over().id for _ in range(5)}
        held.set()
        last = kept.over()
    assert quick == {f"quick {number}" for number in range(5)}
    assert (last.id, last.rung) == ("slow", "tool")


def test_a_large_question_passes(kept: Kept) -> None:
    with ScriptedModel(lambda asked: GOOD | {"reason": str(len(asked.question))}) as model:
        large = msgspec.structs.replace(thought(model.endpoint()), question="é" * 2_000_000)
        kept.keeper.ask(large)
        over = kept.over()
    assert over.arguments is not None
    assert over.arguments["reason"] == "2000000"


def test_a_killed_process_ends_its_thoughts_as_spent_and_the_next_has_another(
    kept: Kept, held: threading.Event
) -> None:
    def server(_: Asked) -> Told:
        held.wait(PATIENCE)
        return GOOD

    with ScriptedModel(server) as model:
        kept.keeper.ask(thought(model.endpoint()))
        begun = kept.next()
        model.wait_for(1)
        first = kept.keeper.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        over = kept.over()
        assert isinstance(begun, Thinking)
        assert (over.id, over.arguments, over.rung, over.attempts) == ("one", None, "none", 1)
        assert (over.tokens_in, over.tokens_out, over.exact) == (begun.tokens_in, 500, False)
        assert "ended with -9" in over.error
        held.set()
        kept.keeper.ask(thought(model.endpoint(), id="two"))
        assert kept.over().rung == "tool"
        assert kept.keeper.pid != first


def test_a_process_that_hangs_is_ended(held: threading.Event) -> None:
    kept = Kept(grace=0.2)
    try:
        with ScriptedModel(lambda _: (held.wait(PATIENCE), GOOD)[1]) as model:
            kept.keeper.ask(thought(model.endpoint(), timeout=PATIENCE))
            model.wait_for(1)
            pid = kept.keeper.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            kept.keeper.ask(thought(model.endpoint(), id="two", timeout=0.1))
            overs = [kept.over(), kept.over()]
        assert {over.id for over in overs} == {"one", "two"}
        assert all("it did not answer in time" in over.error for over in overs)
        assert {over.id: over.attempts for over in overs} == {"one": 1, "two": 0}
    finally:
        kept.close()


def test_it_ends_with_its_keeper(kept: Kept, held: threading.Event) -> None:
    with ScriptedModel(lambda _: (held.wait(PATIENCE), GOOD)[1]) as model:
        kept.keeper.ask(thought(model.endpoint()))
        model.wait_for(1)
        assert isinstance(kept.next(), Thinking)
        pid = kept.keeper.pid
        assert pid is not None
        kept.keeper.close()
        assert family.stat(pid) is None or family.stat(pid)[0] in "ZX"  # type: ignore[index]
        kept.keeper.ask(thought(model.endpoint(), id="late"))
    assert kept.heard.empty()


def test_the_key_is_in_no_log_and_on_no_command_line(
    kept: Kept, capfd: pytest.CaptureFixture[str]
) -> None:
    """A long key is known by its beginning, too; a short one only as a whole."""
    keys = (KEY, "short-7777")

    def server(asked: Asked) -> Told:
        return Reply(401, {}, (asked.headers["authorization"].encode(),))

    with ScriptedModel(server) as model:
        for key in keys:
            kept.keeper.ask(thought(model.endpoint(key=key), id=key[:5]))
        errors = [kept.over().error for _ in keys]
        words = family.stat(kept.keeper.pid or 0) and _command_line(kept.keeper.pid)
    kept.keeper.close()
    printed = capfd.readouterr()
    for key in keys:
        assert key not in f"{errors} {words} {printed.out} {printed.err}"
    assert all("Bearer [secret]" in error for error in errors)


def _command_line(pid: int | None) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text() if family.LINUX else ""


def test_the_process_gets_neither_keys_nor_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("OTHER_API_KEY", "HTTPS_PROXY", "SSL_CERT_FILE", "AWS_SECRET_ACCESS_KEY")
    for name in given:
        monkeypatch.setenv(name, "https://x.example")
    assert not child_environment().keys() & set(given)
    assert "PATH" in child_environment()


def test_it_ends_by_itself_when_its_pipe_closes(held: threading.Event) -> None:
    """So a runtime that was killed leaves none behind, also in the middle of a thought."""
    ours, theirs = socket.socketpair()
    words = [sys.executable, "-m", "actors.orchestrator.process", "warning", "text"]
    with ScriptedModel(lambda _: (held.wait(PATIENCE), GOOD)[1]) as model:
        process = subprocess.Popen(words, stdin=theirs.fileno(), env=child_environment())
        theirs.close()
        with ours:
            ours.sendall(
                b"{}\nno thought\n" + msgspec.json.encode(thought(model.endpoint())) + b"\n"
            )
            model.wait_for(1)
        assert process.wait(PATIENCE) == 0


def test_a_key_is_not_shown_with_its_endpoint() -> None:
    with ScriptedModel(lambda _: GOOD) as model:
        asked: Thought = thought(model.endpoint())
    assert KEY not in repr(asked)
