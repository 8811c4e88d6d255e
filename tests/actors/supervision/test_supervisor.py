"""The rules of the supervisor's manual page that the recorded scenarios do not show."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors.supervision.backoff import Backoff
from actors.supervision.errors import (
    AddressTaken,
    AlreadyPresent,
    AlreadyStarted,
    NoSupervisor,
    NotFound,
    Restarting,
    Running,
    StartFailed,
)
from actors.supervision.events import (
    ChildFailed,
    ChildRestarted,
    ChildStarted,
    ChildStopped,
    GaveUp,
)
from actors.supervision.intensity import Intensity
from actors.supervision.ref import Counts
from actors.supervision.spec import Strategy, SupervisorSpec
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import (
    CRASH,
    PATIENCE,
    Log,
    Oops,
    Run,
    ask,
    life_of,
    node,
    oops,
    puppet,
    root,
    tell,
)

Grow = Callable[..., Tree]
FOR_EVER = Backoff(initial=3600, maximum=3600, jitter=0)


def hooks_of(log: Log, *names: str) -> list[Any]:
    return [item for item in log.all() if isinstance(item, tuple) and item[0] in names]


# Start and stop


def test_children_start_one_after_the_other_in_the_order_of_the_specs(grow: Grow) -> None:
    log = Log()
    inner = SupervisorSpec("s", children=(puppet("b", log), puppet("c", log)))
    grow(root(puppet("a", log), inner, puppet("d", log)))
    assert log.all() == [(what, name) for name in "abcd" for what in ("init", "start")]


def test_children_stop_in_reverse_order_each_after_the_one_before_has_ended(grow: Grow) -> None:
    log = Log()
    hooks = {"stop": lambda actor: log.add(("stopping", actor.name))}
    inner = SupervisorSpec("s", children=(puppet("b", log, hooks), puppet("c", log, hooks)))
    tree = grow(root(puppet("a", log, hooks), inner, puppet("d", log, hooks)))
    assert tree.stop(PATIENCE)
    assert hooks_of(log, "stop", "stopping") == [
        (what, name) for name in "dcba" for what in ("stop", "stopping")
    ]


def test_if_one_cannot_start_those_started_already_are_stopped_in_reverse_order(
    grow: Grow,
) -> None:
    log = Log()
    inner = SupervisorSpec("s", children=(puppet("b", log), puppet("c", log, {"start": oops})))
    with pytest.raises(StartFailed, match="root/s/c/ did not start: Oops: as told"):
        grow(root(puppet("a", log), inner, puppet("d", log)))
    assert hooks_of(log, "stop") == [("stop", "b"), ("stop", "a")]
    assert ("init", "d") not in log.all()


def test_an_order_to_stop_comes_before_waiting_mail(grow: Grow) -> None:
    log, go = Log(), threading.Event()
    tree = grow(root(puppet("a", log)))
    life = life_of(tree, "root/a/")
    hold = threading.Event()

    def wait(_actor: Any) -> None:
        hold.set()
        go.wait(PATIENCE)

    tell(tree, "root/a/", Run(wait))
    tell(tree, "root/a/", "not handled")
    assert hold.wait(PATIENCE)
    future = tree.root.terminate_child("a", block=False)
    assert life.stopping.wait(PATIENCE)
    go.set()
    future.result(PATIENCE)
    assert log.all()[-1] == ("stop", "a")
    assert "not handled" not in log.all()


# End and restart: what the scenarios cannot see


def test_intensity_counts_the_restarts_within_the_period() -> None:
    count = Intensity(2, 10.0)
    assert [count.add(now) for now in (0.0, 1.0, 2.0)] == [True, True, False]
    count = Intensity(2, 10.0)
    assert [count.add(now) for now in (0.0, 1.0, 10.1, 10.2)] == [True, True, True, False]
    assert Intensity(0, 1.0).add(5.0) is False


def test_when_the_root_gives_up_all_is_stopped_and_the_reason_is_told(
    grow: Grow, events: Log
) -> None:
    log, words = Log(), Log()

    def last_word(reason: str) -> None:
        words.add((reason, [e.address for e in events.of(ChildStopped)]))

    tree = grow(root(puppet("a", log), puppet("b", log), intensity=1), on_give_up=last_word)
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildRestarted, "a/")
    tell(tree, "root/a/", CRASH)
    assert tree.wait(PATIENCE)
    reason = "root/ gave up: more than 1 restarts in 5 s, the last one of root/a/: Oops: as told"
    assert words.all() == [(reason, ["root/b/"])]
    assert events.of(GaveUp)[0].reason == reason
    assert tree.inspect().state == "stopped"
    assert tree.inspect().last_error == reason
    assert not tree.directory.deliver("root/b/", "anybody?")
    with pytest.raises(NoSupervisor):
        tree.root.which_children()
    assert tree.stop(PATIENCE)


def test_a_give_up_hook_that_fails_is_logged(grow: Grow, caplog: pytest.LogCaptureFixture) -> None:
    tree = grow(root(puppet("a"), intensity=0), on_give_up=oops)
    tell(tree, "root/a/", CRASH)
    assert tree.wait(PATIENCE)
    assert "on_give_up failed" in caplog.text


def test_an_orderly_stop_is_no_giving_up(grow: Grow) -> None:
    words = Log()
    tree = grow(root(puppet("a")), on_give_up=words.add)
    assert tree.stop(PATIENCE)
    assert tree.wait(PATIENCE)
    assert words.all() == []


def test_events_tell_the_story_in_order(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a"), puppet("b"), strategy=Strategy.ONE_FOR_ALL))
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildRestarted, "b/")
    tree.stop(PATIENCE)
    assert tree.drain_events(PATIENCE)
    story = [(type(e).__name__, e.address, e.incarnation) for e in events.all()]
    assert story == [
        ("ChildStarted", "root/a/", 1),
        ("ChildStarted", "root/b/", 1),
        ("ChildStarted", "root/", 1),
        ("DeadLetter", "root/a/", 1),
        ("ChildFailed", "root/a/", 1),
        ("ChildStopped", "root/b/", 1),
        ("ChildRestarted", "root/a/", 2),
        ("ChildRestarted", "root/b/", 2),
        ("ChildStopped", "root/b/", 2),
        ("ChildStopped", "root/a/", 2),
    ]
    assert node(tree, "root/b/").restarts == 1


@pytest.mark.parametrize("harm", ["raise", "block"])
def test_a_hook_that_raises_or_blocks_harms_nobody(
    grow: Grow, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    release, called = threading.Event(), threading.Event()

    def hook(_event: Any) -> None:
        called.set()
        if harm == "raise":
            raise SystemExit
        release.wait(PATIENCE)

    log = Log()
    tree = grow(root(puppet("a", log)), on_event=hook)
    tell(tree, "root/a/", CRASH)
    log.wait(lambda items: items.count(("start", "a")) == 2)
    assert called.wait(PATIENCE)
    assert tree.stop(PATIENCE)
    release.set()
    assert tree.drain_events(PATIENCE)
    assert ("a hook of the supervision tree failed" in caplog.text) == (harm == "raise")


def test_incarnation_numbers_are_never_used_twice(grow: Grow) -> None:
    tree = grow(root(puppet("a")))
    tree.root.terminate_child("a")
    tree.root.delete_child("a")
    tree.root.start_child(puppet("a"))
    assert ask(tree, "root/a/", lambda actor: actor.incarnation) == 2


# Calls


def test_which_children_and_count_children_answer_like_otp(grow: Grow) -> None:
    inner = SupervisorSpec("s", children=(puppet("x"),))
    tree = grow(root(puppet("a"), inner, puppet("b")))
    tree.root.terminate_child("b")
    assert tree.root.count_children() == Counts(specs=3, active=2, supervisors=1, workers=2)
    rows = [(c.id, c.kind, c.address, c.state) for c in tree.root.which_children()]
    assert rows == [
        ("a", "worker", "root/a/", "running"),
        ("s", "supervisor", "root/s/", "running"),
        ("b", "worker", "root/b/", "stopped"),
    ]
    refs = [child.ref is not None for child in tree.root.which_children()]
    assert refs == [True, True, False]


def test_start_child_starts_a_child_and_returns_its_reference(grow: Grow) -> None:
    tree = grow(root())
    actor = tree.root.start_child(puppet("a"))
    assert actor.ask("hello", timeout=PATIENCE) == "hello"
    with pytest.raises(AlreadyStarted) as refusal:
        tree.root.start_child(puppet("a"))
    assert refusal.value.ref is actor
    tree.root.terminate_child("a")
    with pytest.raises(AlreadyPresent):
        tree.root.start_child(puppet("a"))


def test_a_child_whose_start_fails_is_not_kept(grow: Grow) -> None:
    tree = grow(root())
    with pytest.raises(StartFailed) as failed:
        tree.root.start_child(puppet("a", None, {"start": oops}))
    assert isinstance(failed.value.error, Oops)
    assert tree.root.which_children() == []
    assert tree.directory.addresses() == []


def test_a_restart_child_whose_start_fails_leaves_it_stopped(grow: Grow) -> None:
    fail = threading.Event()
    hooks = {"start": lambda actor: oops(actor) if fail.is_set() else None}
    tree = grow(root(puppet("a", None, hooks)))
    tree.root.terminate_child("a")
    fail.set()
    with pytest.raises(StartFailed):
        tree.root.restart_child("a")
    assert tree.root.which_children()[0].state == "stopped"
    assert not tree.directory.deliver("root/a/", "x")
    fail.clear()
    tree.root.restart_child("a")
    assert tree.directory.deliver("root/a/", "x")


def test_calls_about_unknown_or_running_children_are_refused(grow: Grow) -> None:
    tree = grow(root(puppet("a")))
    for call in (tree.root.terminate_child, tree.root.restart_child, tree.root.delete_child):
        with pytest.raises(NotFound):
            call("nobody")
    for call in (tree.root.restart_child, tree.root.delete_child):
        with pytest.raises(Running):
            call("a")


def test_a_child_that_waits_for_its_next_start_is_restarting(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a", backoff=FOR_EVER)))
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildFailed, "a/")
    assert tree.root.which_children()[0].state == "restarting"
    assert tree.root.count_children().active == 0
    for call in (tree.root.restart_child, tree.root.delete_child):
        with pytest.raises(Restarting):
            call("a")
    with pytest.raises(AlreadyPresent):
        tree.root.start_child(puppet("a"))
    tree.root.terminate_child("a")
    assert tree.root.which_children()[0].state == "stopped"
    tree.root.restart_child("a")
    assert tree.root.which_children()[0].state == "running"


def test_two_actors_cannot_live_at_one_address(grow: Grow) -> None:
    tree = grow(root(puppet("a", address="public/")))
    with pytest.raises(StartFailed) as failed:
        tree.root.start_child(puppet("b", address="public/"))
    assert isinstance(failed.value.error, AddressTaken)
    assert ask(tree, "public/", lambda actor: actor.incarnation) == 1


def test_a_reference_to_a_supervisor_stays_good_while_that_is_restarted(
    grow: Grow, events: Log
) -> None:
    tree = grow(root(SupervisorSpec("s", intensity=0, children=(puppet("a"),))))
    ref = tree.supervisor("root/s/")
    tell(tree, "root/s/a/", CRASH)
    events.wait_for(ChildRestarted, "s/")
    assert ref.count_children().active == 1
    with pytest.raises(LookupError):
        tree.supervisor("root/s/a/")


def test_a_supervisor_that_is_not_there_does_not_answer(grow: Grow, events: Log) -> None:
    tree = grow(root(SupervisorSpec("s", intensity=0, backoff=FOR_EVER, children=(puppet("a"),))))
    ref = tree.supervisor("root/s/")
    tell(tree, "root/s/a/", CRASH)
    events.wait_for(GaveUp, "s/")
    tree.root.which_children()  # it has heard of it now
    events.wait_for(ChildStopped, "s/")
    with pytest.raises(NoSupervisor):
        ref.which_children()


def test_a_supervisor_that_fails_itself_is_restarted_with_its_children(
    grow: Grow, events: Log
) -> None:
    log = Log()
    tree = grow(root(SupervisorSpec("s", children=(puppet("a", log),))))
    ref = next(c.ref for c in tree.root.which_children())
    assert ref is not None
    ref.tell("supervisors know no strings")
    events.wait_for(ChildFailed, "s/")
    events.wait_for(ChildRestarted, "s/")
    assert hooks_of(log, "start", "stop") == [("start", "a"), ("stop", "a"), ("start", "a")]


def test_specs_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="more than one child has the id a"):
        root(puppet("a"), puppet("b"), puppet("a"))
    for name in ("", "a/b"):
        with pytest.raises(ValueError, match="child id"):
            puppet(name)
    with pytest.raises(ValueError, match="shutdown"):
        puppet("a", shutdown=-1)
    with pytest.raises(ValueError, match="intensity"):
        root(intensity=-1)
    with pytest.raises(ValueError, match="period"):
        root(period=0)


# Many at once


def test_two_supervisors_can_stop_at_once(grow: Grow) -> None:
    children = tuple(puppet(f"w{n}") for n in range(20))
    specs = [SupervisorSpec(f"s{n}", children=children) for n in range(2)]
    tree, other = grow(root(*specs)), grow(root(*specs))
    futures = [tree.root.terminate_child(s.id, block=False) for s in specs]
    assert other.stop(PATIENCE)
    for future in futures:
        future.result(PATIENCE)
    for spec in specs:
        assert node(tree, f"root/{spec.id}/w0/").state == "stopped"


def test_callers_in_many_threads_get_their_own_answers(grow: Grow) -> None:
    tree = grow(root())
    answers = Log()

    def play(n: int) -> None:
        tree.root.start_child(puppet(f"w{n}"))
        tree.root.terminate_child(f"w{n}")
        tree.root.restart_child(f"w{n}")
        tree.root.terminate_child(f"w{n}")
        tree.root.delete_child(f"w{n}")
        answers.add(n)

    for n in range(12):
        threading.Thread(target=play, args=(n,), daemon=True).start()
    answers.wait(lambda items: len(items) == 12)
    assert tree.root.which_children() == []


def test_an_address_is_the_parents_and_the_id_unless_it_is_given(grow: Grow) -> None:
    inner = SupervisorSpec("demo", children=(puppet("workflow", address="demo/"), puppet("git")))
    tree = grow(root(SupervisorSpec("workflows", children=(inner,))))
    assert tree.directory.addresses() == ["demo/", "root/workflows/demo/git/"]
    assert tree.supervisor("root/workflows/demo/").count_children().workers == 2


def test_started_children_are_told_of_once(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a")))
    assert tree.drain_events(PATIENCE)
    assert [e.address for e in events.of(ChildStarted)] == ["root/a/", "root/"]
