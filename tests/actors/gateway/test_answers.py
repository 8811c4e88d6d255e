"""Every request gets one answer, also when whoever was to give it is just being ended."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from actors.command_line.client import orders
from actors.merger import actor as merger
from actors.merger import previewer
from actors.system.stage import Stage
from actors.terminal import prompts
from bus.client import NoAnswer
from bus.context import Context
from bus.errors import Refused
from bus.requests import WorkflowPrepare
from store.errors import Damaged
from store.reader import Reader
from tests.actors.served import Served, flat, lives, until, workers
from tests.bus.wire_kit import Watched
from tests.doors.kit import Home, coder, done, plan_text
from tests.repositories import git, make_repo

Reply = dict[str, Any]


class Wire:
    """A client that sends without waiting for the answers."""

    def __init__(self, served: Served) -> None:
        self._context = Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._watched = Watched(self._socket)
        self._socket.connect(served.at.requests)

    def send(self, type: str, **fields: Any) -> None:
        self._socket.send(msgspec.json.encode({"type": type, **fields}))

    def replies(self, count: int, timeout: float = 30) -> list[Reply]:
        """That many, and none more before the answer to a further request."""
        found: list[Reply] = []
        while len(found) < count:
            found.append(self._reply(timeout, found))
        self.send("runtime.info", id="further")
        assert self._reply(timeout, found)["id"] == "further"
        return found

    def _reply(self, timeout: float, found: list[Reply]) -> Reply:
        assert self._socket.poll(int(timeout * 1000)), f"no more answers after {found}"
        reply: Reply = msgspec.json.decode(self._socket.recv())
        return reply

    def last_replies(self) -> list[Reply]:
        """All that come before the runtime has ended."""
        return [msgspec.json.decode(reply) for reply in self._watched.rest()]

    def close(self) -> None:
        self._context.destroy(linger=0)


@pytest.fixture
def wire(served: Served) -> Any:
    wire = Wire(served)
    yield wire
    wire.close()


class Gate:
    """Holds back the next commit of an actor until it is opened."""

    def __init__(self, stage: Stage, of: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        commit = stage.commit

        def held(actor: Any, change: Any) -> Any:
            if actor.address == of:
                self.reached.set()
                assert self.open.wait(20)
            return commit(actor, change)

        monkeypatch.setattr(stage, "commit", held)


def submitted(served: Served, tmp_path: Path, *line: dict[str, Any]) -> str:
    text = plan_text(make_repo(tmp_path / "repo"), {"a": list(line) or [done("a")]})
    name: str = served.client.call("plan.submit", plan=text)["id"]
    return name


def state(served: Served, address: str) -> str:
    nodes = {node["address"]: node for node in flat(served.client.call("tree.inspect"))}
    return str(nodes[address]["state"])


def refusal(ask: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        ask()
    return refused.value.body.code, refused.value.body.reason


def test_an_order_where_nobody_takes_orders_is_refused(served: Served, tmp_path: Path) -> None:
    name = submitted(served, tmp_path)
    served.runtime.workflows.terminate_child(name)
    order = lambda: served.client.call("workflow.prepare", workflow=name, timeout=5)  # noqa: E731
    assert refusal(order) == (503, "stopping")


def test_orders_that_wait_when_the_actor_is_ended_are_refused_and_the_one_under_way_answered(
    served: Served, tmp_path: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = submitted(served, tmp_path)
    gate = Gate(served.runtime._stage, f"{name}/", monkeypatch)  # noqa: SLF001
    for type in ("prepare", "pause", "stop"):
        wire.send(f"workflow.{type}", workflow=name, id=type)
    assert gate.reached.wait(20)
    served.client.call("runtime.info")  # the gateway has handed on what came before
    ended = served.runtime.workflows.terminate_child(name, block=False)
    while state(served, f"{name}/") != "stopping":
        assert not ended.done()
    gate.open.set()
    ended.result(20)
    replies = {reply["id"]: reply for reply in wire.replies(3)}
    assert replies["prepare"]["ok"]
    assert {replies[id]["error"]["reason"] for id in ("pause", "stop")} == {"stopping"}


def test_an_order_that_waits_is_refused_also_where_its_workflow_cannot_be_read(
    served: Served, tmp_path: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = submitted(served, tmp_path)
    gate = Gate(served.runtime._stage, f"{name}/", monkeypatch)  # noqa: SLF001
    for type in ("prepare", "pause"):
        wire.send(f"workflow.{type}", workflow=name, id=type)
    assert gate.reached.wait(20)
    served.client.call("runtime.info")
    ended = served.runtime.workflows.terminate_child(name, block=False)
    while state(served, f"{name}/") != "stopping":
        assert not ended.done()

    def damaged(_: str) -> Any:
        raise Damaged("a page")

    monkeypatch.setattr(served.runtime._reader, "standing", damaged)  # noqa: SLF001
    gate.open.set()
    ended.result(20)
    replies = {reply["id"]: reply for reply in wire.replies(2)}
    assert replies["pause"]["error"]["reason"] == "store"


def test_an_order_that_comes_while_a_workflow_is_tidied_is_told_that_it_is_over(
    served: Served, tmp_path: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was written to a workflow that ran, and is read by one that is over."""
    name = submitted(served, tmp_path)
    gate = Gate(served.runtime._stage, f"{name}/", monkeypatch)  # noqa: SLF001
    wire.send("workflow.stop", workflow=name, id="first")
    assert gate.reached.wait(20)
    for number in range(20):
        wire.send("workflow.pause", workflow=name, id=number)
    served.client.call("runtime.info")
    gate.open.set()
    served.until_status(name, "cancelled")
    replies = wire.replies(21)
    assert [reply["id"] for reply in replies if reply["ok"]] == ["first"]
    assert {reply["error"]["code"] for reply in replies if not reply["ok"]} == {400}


def test_a_runtime_that_ends_answers_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Served(tmp_path / "home")
    name = submitted(served, tmp_path)
    wire = Wire(served)
    gate = Gate(served.runtime._stage, f"{name}/", monkeypatch)  # noqa: SLF001
    for number in range(5):
        wire.send("workflow.prepare", workflow=name, id=number)
    assert gate.reached.wait(20)
    served.client.call("runtime.info")
    threading.Timer(0.5, gate.open.set).start()
    served.close()
    replies = wire.last_replies()
    wire.close()
    assert sorted(reply["id"] for reply in replies) == list(range(5))
    assert [reply["error"]["code"] for reply in replies if not reply["ok"]] == [503] * 4


def test_an_answer_that_a_restless_screen_never_takes_is_given_up_and_said(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The marker has to be moved, and what that did is only read from a screen at rest."""
    monkeypatch.setattr(prompts, "ANSWER_SECONDS", 2.0)
    noise = "$ (while :; do printf '\\a' > /dev/tty; sleep 0.1; done) > /dev/null 2>&1 &\n"
    name = submitted(served, tmp_path, coder(noise + "@ ask Which? | red | blue\n"))
    served.client.call("workflow.prepare", workflow=name)
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    while True:
        with pytest.raises(Refused) as refused:
            served.client.call("terminal.answer", terminal=f"{name}/a/1", choice="blue")
        if "does not come to rest" in refused.value.body.message:
            break
        assert "asks nothing now" in refused.value.body.message  # it has not come so far


def test_a_workflow_that_is_forgotten_while_it_is_asked_for_is_unknown(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = submitted(served, tmp_path)
    plan_of = Reader.plan
    monkeypatch.setattr(Reader, "plan", lambda self, _id: plan_of(self, "gone meanwhile"))
    for type in ("workflow.prepare", "plan.show"):
        with pytest.raises(Refused) as refused:
            served.client.call(type, workflow=name)
        assert (refused.value.body.code, refused.value.body.reason) == (404, "unknown")


def merging_with(served: Served, tmp_path: Path, driver: str) -> str:
    """A workflow whose merge has come to its merge driver, which writes `pid` first."""
    repo = make_repo(tmp_path / "repo", {"f": "1\n", ".gitattributes": "f merge=own\n"})
    pid = tmp_path / "pid"
    git(repo, "config", "merge.own.driver", f"echo $$ > {pid}; {driver}")
    text = plan_text(repo, {"a": [done("f", "a")], "b": [done("f", "b")]})
    name: str = served.client.call("plan.submit", plan=text)["id"]
    served.client.call("workflow.prepare", workflow=name)
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    until(lambda: pid.exists() and pid.read_text())
    return name


def test_a_merge_driver_that_hangs_is_refused_with_the_reason(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merger, "MERGE_SECONDS", 8.0)
    name = merging_with(served, tmp_path, "sleep 300")
    served.until_status(name, "failed")
    facts = served.client.call("events.replay", after=0, limit=10_000)["facts"]
    (refused,) = [f for f in facts if f["type"] == "merge.refused"]
    assert refused["reason"] == "too_long"
    assert "took longer than" in refused["message"]
    assert not lives(int((tmp_path / "pid").read_text()))


def test_a_preview_whose_merge_driver_hangs_names_it_and_disturbs_no_merge(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewer, "TO_TELL", 3.0 / previewer.PREVIEW_SECONDS)
    gate = tmp_path / "gate"
    name = merging_with(served, tmp_path, f"until [ -e {gate} ]; do sleep 0.05; done")
    first, second = served.client.call("merge.preview", workflow=name)
    assert (first["branch"], first["unknown"]) == ("feat/a", "")
    assert second["unknown"].startswith("the merge driver own of f did not end in ")
    run = Home(served.home).ok("merge", name, "--preview")
    assert "feat/b: not known: the merge driver own of f did not end in" in run
    assert served.client.call("workflow.get", workflow=name)["status"] == "merging"
    gate.touch()
    served.until_status(name, "completed")


def test_a_preview_of_a_broken_repository_is_answered_and_costs_no_restart(
    served: Served, tmp_path: Path
) -> None:
    """Six restarts in a minute would end the runtime, and reading must not."""
    name = submitted(served, tmp_path)
    served.client.call("workflow.prepare", workflow=name)
    served.until_status(name, "ready")
    (task,) = served.client.call("workflow.get", workflow=name)["tasks"]
    (tmp_path / "repo/.git/refs/heads" / task["branch"]).write_text("1234567890" * 4 + "\n")
    preview = lambda: served.client.call("merge.preview", workflow=name)  # noqa: E731
    assert [refusal(preview) for _ in range(2)] == [(500, "failed")] * 2
    nodes = {node["address"]: node for node in flat(served.client.call("tree.inspect"))}
    assert nodes["runtime/previewer/"]["restarts"] == 0


def test_a_command_that_waits_notices_that_the_runtime_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "SILENCE_SECONDS", 1.0)
    served = Served(tmp_path / "home")
    name = submitted(served, tmp_path)
    waiting = ThreadPoolExecutor().submit(
        orders.order, served.home, WorkflowPrepare(workflow=name), ("completed",), ()
    )
    served.until_status(name, "ready")
    served.close()
    # It hears nothing, or is refused where it asks just then.
    with pytest.raises((NoAnswer, Refused), match=r"runtime|no answer"):
        waiting.result(60)


def test_a_preview_that_the_end_of_the_runtime_cuts_is_refused_in_words(tmp_path: Path) -> None:
    served = Served(tmp_path / "home")
    name = submitted(served, tmp_path)
    served.client.call("workflow.prepare", workflow=name)
    served.until_status(name, "ready")
    pack = tmp_path / "repo/.git/objects/pack" / f"pack-{'0' * 40}"
    pack.with_suffix(".pack").write_bytes(b"PACK")
    os.mkfifo(pack.with_suffix(".idx"))  # who reads it waits
    wire = Wire(served)
    wire.send("merge.preview", workflow=name, id="x")
    until(lambda: workers("preview"))
    served.close()
    (reply,) = wire.last_replies()
    wire.close()
    assert reply["error"]["code"] == 503
    assert reply["error"]["reason"] == "stopping"
    assert f"the preview of {name}/ was not ended in time" in reply["error"]["message"]
    assert "DidNotStop" not in str(reply)
