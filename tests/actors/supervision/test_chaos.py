"""Random failures in a deep tree: no message is lost, doubled or reordered, and all come back."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors.supervision.actor import handles
from actors.supervision.events import DeadLetter
from actors.supervision.spec import Spec, Strategy, SupervisorSpec, worker
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import PATIENCE, Log, Oops, Puppet, ask, root

Grow = Callable[..., Tree]
EACH = 60  # messages to each worker


class Fragile(Puppet):
    """Notes the numbers it gets, and fails on those that its dice are against."""

    def __init__(self, log: Log, dice: random.Random) -> None:
        super().__init__(log)
        self.dice = dice

    def on_start(self) -> None:
        if self.incarnation > 1 and self.dice.random() < 0.05:
            raise Oops("not now")

    @handles(int)
    def take(self, message: int) -> None:
        match self.dice.choice("c" * 2 + "s" + "x" + "." * 40):
            case "c":
                raise Oops(str(message))
            case "x":
                raise SystemExit(message)
            case "s":
                self.stop()
        self.log.add((self.address, message))


def play(grow: Grow, events: Log, seed: int) -> None:
    dice, log = random.Random(seed), Log()

    def branch(name: str, depth: int) -> SupervisorSpec:
        workers = [worker(f"w{n}", Fragile, log, random.Random(dice.random())) for n in range(3)]
        below = [branch(f"s{n}", depth - 1) for n in range(2)] if depth else []
        children: list[Spec] = [*workers, *below]
        dice.shuffle(children)
        return SupervisorSpec(
            name,
            strategy=dice.choice(list(Strategy)),
            intensity=dice.choice([1, 5, 1000]),
            period=3600,
            children=tuple(children),
        )

    tree = grow(root(branch("s", 2), intensity=10**6))
    addresses = tree.directory.addresses()
    assert len(addresses) == 21

    def write(address: str) -> None:
        for number in range(EACH):
            assert tree.directory.deliver(address, number)

    writers = [threading.Thread(target=write, args=(a,), daemon=True) for a in addresses]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(PATIENCE)

    for address in addresses:  # the last message of each: all before it have been handled then
        ask(tree, address, lambda _: None)
    events.wait(lambda _: {node.state for node in flat(tree.inspect())} == {"running"})
    assert tree.drain_events(PATIENCE)

    handled = [item for item in log.all() if item[0] in addresses]
    broken = [(event.address, event.item) for event in events.of(DeadLetter)]
    assert sorted(handled + broken) == sorted((a, n) for a in addresses for n in range(EACH))
    assert broken
    for address in addresses:
        numbers = [n for a, n in handled if a == address]
        assert numbers == sorted(numbers)


def flat(node: Any) -> list[Any]:
    return [node, *(below for child in node.children for below in flat(child))]


@pytest.mark.parametrize("seed", range(5))
def test_no_message_is_lost_or_doubled_whatever_fails(grow: Grow, events: Log, seed: int) -> None:
    play(grow, events, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_no_message_is_lost_or_doubled_whatever_fails_a_hundred_times(
    grow: Grow, events: Log, seed: int
) -> None:
    play(grow, events, seed)
