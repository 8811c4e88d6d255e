"""Trees that are stopped when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.supervision.tree import Tree, start_tree
from tests.actors.supervision.supervision_kit import PATIENCE, Log


@pytest.fixture
def events() -> Log:
    """What `on_event` was called with."""
    return Log()


@pytest.fixture
def grow(events: Log) -> Iterator[Callable[..., Tree]]:
    """`start_tree`, with the events going into `events`."""
    trees = []

    def grow(*args: Any, **options: Any) -> Tree:
        options.setdefault("on_event", events.add)
        trees.append(start_tree(*args, **options))
        return trees[-1]

    yield grow
    for tree in trees:
        tree.stop(PATIENCE)
