"""What the tests of the behaviours share: an actor that does as it is told, and ears for events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from actors.supervision.actor import Actor, handles
from actors.supervision.events import Event
from actors.supervision.inspection import Node
from actors.supervision.life import Life
from actors.supervision.spec import ChildSpec, SupervisorSpec, worker
from actors.supervision.tree import Tree

PATIENCE = 30.0  # seconds to wait for what must come; never a measure of speed
SOON = 0.05  # seconds, as a limit that is meant to be exceeded

E = TypeVar("E", bound=Event)


class Oops(Exception):
    pass


@dataclass(frozen=True)
class Run:
    """Call this with the actor, in its handler."""

    what: Callable[[Any], Any]


def oops(_actor: Any) -> None:
    raise Oops("as told")


CRASH = Run(oops)
LEAVE = Run(lambda actor: actor.stop())


class Log:
    """A list that threads append to and tests wait for."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._changed = threading.Condition()

    def add(self, item: Any) -> None:
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def all(self) -> list[Any]:
        with self._changed:
            return list(self._items)

    def wait(self, happened: Callable[[list[Any]], Any]) -> Any:
        """Wait until `happened(items)` is true, and return that."""
        with self._changed:
            assert self._changed.wait_for(lambda: happened(self._items), PATIENCE), self._items
            return happened(self._items)

    def wait_for(self, kind: type[E], address: str = "", count: int = 1) -> E:
        """Wait for the count-th event of a kind from an address that ends like this."""

        def found(items: list[Any]) -> Any:
            hits = [e for e in items if isinstance(e, kind) and e.address.endswith(address)]
            return hits[count - 1 :]

        event: E = self.wait(found)[0]
        return event

    def of(self, kind: type[E], address: str = "") -> list[E]:
        return [e for e in self.all() if isinstance(e, kind) and e.address.endswith(address)]


class Puppet(Actor):
    """Logs (hook, id) and runs what the test gave for the hook."""

    def __init__(
        self, log: Log | None = None, hooks: dict[str, Callable[[Any], Any]] | None = None
    ) -> None:
        super().__init__()
        self.log = log or Log()
        self.hooks = hooks or {}
        self.hook("init")

    @property
    def name(self) -> str:
        return self.address.rstrip("/").rsplit("/", 1)[-1]

    def hook(self, name: str) -> None:
        self.log.add((name, self.name))
        what = self.hooks.get(name)
        if what is not None:
            what(self)

    def on_start(self) -> None:
        self.hook("start")

    def on_stop(self) -> None:
        self.hook("stop")

    def on_failure(self, *exc_info: Any) -> None:
        self.hook("failure")

    @handles(Run)
    def run(self, message: Run) -> Any:
        return message.what(self)

    @handles(str)
    def note(self, message: str) -> str:
        self.log.add(message)
        return message


def puppet(
    name: str,
    log: Log | None = None,
    hooks: dict[str, Callable[[Any], Any]] | None = None,
    **options: Any,
) -> ChildSpec:
    return worker(name, Puppet, log, hooks, **options)


def root(*children: Any, **options: Any) -> SupervisorSpec:
    options.setdefault("intensity", 100)
    return SupervisorSpec("root", children=tuple(children), **options)


def node(tree: Tree, address: str) -> Node:
    def find(here: Node) -> Node | None:
        if here.address == address:
            return here
        return next((n for child in here.children if (n := find(child))), None)

    found = find(tree.inspect())
    assert found is not None, address
    return found


def tell(tree: Tree, address: str, item: object) -> None:
    assert tree.directory.deliver(address, item)


def ask(tree: Tree, address: str, what: Callable[[Any], Any]) -> Any:
    """Run this in a handler of the actor at the address, and return what it returns."""
    answer: list[Any] = []
    done = threading.Event()

    def run(actor: Any) -> None:
        try:
            answer.append(what(actor))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            answer.append(error)
        done.set()

    tell(tree, address, Run(run))
    assert done.wait(PATIENCE)
    return answer[0]


def life_of(tree: Tree, address: str) -> Life:
    life: Life = ask(tree, address, lambda actor: actor.life)
    return life
