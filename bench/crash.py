"""An actor's crash: the time until the next message at its address is handled.

The reference is Pykka's own `stop` and `start`, which the caller has to call.
"""

import logging
import statistics
import threading
import time
from pathlib import Path

import pykka

from actors.supervision.actor import Actor, handles
from actors.supervision.spec import SupervisorSpec, worker
from actors.supervision.tree import Tree, start_tree
from bench.table import Row, alternate, at_most


class Crash(Exception):
    """A message that the actor raises as its failure."""


class Fragile(Actor):
    """An actor that fails on `Crash` and answers any string."""

    def __init__(self, done: threading.Event) -> None:
        super().__init__()
        self.done = done

    @handles(Crash)
    def crash(self, message: Crash) -> None:
        """Raise the message."""
        raise message

    @handles(str)
    def handle(self, _message: str) -> None:
        """Tell the bench that a message was handled."""
        self.done.set()


class Plain(pykka.ThreadingActor):
    """A Pykka actor that answers each message."""

    use_daemon_thread = True

    def on_receive(self, message: threading.Event) -> None:
        """Tell the bench that a message was handled."""
        message.set()


def ours(tree: Tree, done: threading.Event, count: int) -> float:
    """Return the median microseconds from a crash to the next message handled."""
    taken = []
    for _ in range(count):
        done.clear()
        began = time.perf_counter()
        tree.directory.deliver("bench/fragile/", Crash())
        tree.directory.deliver("bench/fragile/", "next")
        done.wait()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


def pykkas(count: int) -> float:
    """Return the median microseconds from `stop` to the next message handled."""
    taken = []
    ref = Plain.start()
    done = threading.Event()
    for _ in range(count):
        done.clear()
        began = time.perf_counter()
        ref.stop()
        ref = Plain.start()
        ref.tell(done)
        done.wait()
        taken.append(time.perf_counter() - began)
    ref.stop()
    return statistics.median(taken) * 1e6


def run(_at: Path, quick: bool) -> list[Row]:
    """Measure the restart of an actor after a crash."""
    rounds, count = (3, 50) if quick else (7, 300)
    logging.disable(logging.CRITICAL)
    done = threading.Event()
    spec = SupervisorSpec(
        "bench", intensity=10**9, period=1.0, children=(worker("fragile", Fragile, done),)
    )
    tree = start_tree(spec, on_event=lambda _: None)
    try:
        taken = alternate(rounds, lambda: ours(tree, done, count), lambda: pykkas(count))
    finally:
        tree.stop(5.0)
        logging.disable(logging.NOTSET)
    return [at_most("actor crash to next message, p50", "us", taken, 3, "Pykka stop and start")]
