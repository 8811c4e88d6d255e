"""Imports point down: each room of `actors/` stands on a floor, and reaches only floors below.

The map is `docs/architecture.md`'s. An import inside a function or under `TYPE_CHECKING` counts
like any other: it ties the two files together all the same.
"""

import ast
import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

FLOORS: tuple[tuple[str, ...], ...] = (
    ("bus", "actors.host", "actors.supervision"),
    ("store", "actors.platform"),
    ("actors.pty", "actors.system", "actors.git"),
    ("actors.clis", "actors.workflow", "actors.merger", "actors.watcher"),
    ("actors.models",),
    ("actors.terminal", "actors.plan", "actors.notice", "actors.orchestrator"),
    ("actors.gateway",),
    ("actors.runtime",),
    ("actors.command_line", "actors.web", "actors.tcp"),
    ("run",),
)
"""From the ground up. Rooms of one floor do not import each other."""

HEIGHT = {room: height for height, floor in enumerate(FLOORS) for room in floor}

FOLDERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "actors.git": (
        ("running",),
        ("reading",),
        ("merging", "watching"),
        ("users",),
        ("trees",),
        ("landing",),
    ),
    "actors.clis": (("",), ("trial",)),
    "actors.workflow": (("decisions",), ("",)),
    "actors.command_line": (("output",), ("client",), ("views",), ("",)),
}
"""The folders of a room, from the ground up, by the same rule; "" are the files beside them."""

STOREY = {
    f"{room}.{name}".rstrip("."): height
    for room, storeys in FOLDERS.items()
    for height, storey in enumerate(storeys)
    for name in storey
}

CLIENTS = ("actors.command_line", "actors.web", "actors.tcp")
"""Rooms that reach the company through the public sockets, as any client does."""

ALLOWED_TO_CLIENTS = (
    "bus",
    "actors.runtime.serve",
    "actors.runtime.listening",
    "actors.runtime.local",
    "actors.pty.entry",
    "actors.pty.events",
)
"""What a client's room may import beside its own files: the bus; the modules that start a runtime
and that work on a home where no runtime serves; and the way to a terminal's host."""


def files(root: Path) -> list[Path]:
    """The source files, without the package that a wheel puts around them."""
    found = [path for top in ("actors", "bus", "store") for path in root.glob(f"{top}/**/*.py")]
    return sorted([*(path for path in found if "installed" not in path.parts), root / "run.py"])


def module_of(path: Path, root: Path) -> str:
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    return name.removesuffix(".__init__")


def room_of(module: str) -> str:
    """`actors.git.reading.refs` is of the room `actors.git`; a foreign module is of the room ''."""
    parts = module.split(".")
    room = ".".join(parts[:2]) if parts[0] == "actors" else parts[0]
    return room if room in HEIGHT else ""


def imports(path: Path, known: set[str]) -> set[str]:
    """The modules that a file imports anywhere in it; of ours the files, not the packages."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (parts & known) or {node.module}
    return found


@functools.cache
def arrows(root: Path) -> dict[str, set[str]]:
    """Module -> the modules that it imports."""
    named = {module_of(path, root): path for path in files(root)}
    return {module: imports(path, set(named)) for module, path in named.items()}


def upward(root: Path) -> list[str]:
    """Every import that does not point down."""
    wrong = []
    for module, targets in arrows(root).items():
        here = room_of(module)
        for target in sorted(targets):
            there = room_of(target)
            if there and there != here and HEIGHT[there] >= HEIGHT.get(here, len(FLOORS)):
                wrong.append(f"{module} imports {target}")
    return wrong


def upward_in_a_room(root: Path) -> list[str]:
    """Every import between the folders of a room that does not point down, and files of none."""
    wrong = []
    for module, targets in arrows(root).items():
        room, here = room_of(module), folder_of(module)
        if room not in FOLDERS or module == room:
            continue
        if here not in STOREY:
            wrong.append(f"{module} is in no folder")
            continue
        for target in sorted(targets):
            there = folder_of(target)
            if room_of(target) == room and there != here and STOREY.get(there, -1) >= STOREY[here]:
                wrong.append(f"{module} imports {target}")
    return wrong


def folder_of(module: str) -> str:
    return module if module in STOREY else module.rpartition(".")[0]


def circles(root: Path) -> list[list[str]]:
    """Every set of files that import each other in a circle (Tarjan's algorithm)."""
    graph = arrows(root)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in sorted(graph[module] & graph.keys()):
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            at = stack.index(module)
            circle = stack[at:]
            del stack[at:]
            if len(circle) > 1:
                found.append(sorted(circle))

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return found


def not_standard(root: Path) -> list[str]:
    """What the terminal host imports beside the standard library and its own files."""
    own = {path.stem for path in root.glob("actors/host/*.py")}
    return [
        f"{module} imports {target}"
        for module, targets in arrows(root).items()
        if room_of(module) == "actors.host"
        for target in sorted(targets)
        if room_of(target) != "actors.host"
        and target.split(".")[0] not in {*sys.stdlib_module_names, *own}
    ]


def past_the_bus(root: Path) -> list[str]:
    """What a client's room imports of the company beside the bus."""
    return [
        f"{module} imports {target}"
        for module, targets in arrows(root).items()
        if room_of(module) in CLIENTS
        for target in sorted(targets)
        if room_of(target) not in ("", "bus", room_of(module)) and target not in ALLOWED_TO_CLIENTS
    ]


def roomless(root: Path) -> list[str]:
    """Files of `actors/` that stand in no room, and rooms that stand on no floor."""
    return [module for module in arrows(root) if module != "actors" and not room_of(module)]


Rule = Callable[[Path], list[Any]]
RULES: tuple[Rule, ...] = (upward, upward_in_a_room, circles, not_standard, past_the_bus, roomless)


@pytest.mark.parametrize("rule", RULES)
def test_the_house_keeps(rule: Rule) -> None:
    assert rule(ROOT) == []


BROKEN = {
    "upward": ("bus/clock.py", "import store.journal\n"),
    "upward_in_a_room": (
        "actors/git/reading/graph.py",
        "from actors.git.landing import land\n",
    ),
    "circles": ("bus/errors.py", "import bus.requests\n"),
    "not_standard": ("actors/host/wire.py", "import msgspec\n"),
    "past_the_bus": ("actors/command_line/output/exits.py", "import store.reader\n"),
    "roomless": ("actors/stray.py", ""),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_fails_where_it_is_broken(rule: Rule, tmp_path: Path) -> None:
    for path in files(ROOT):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    where, line = BROKEN[rule.__name__]
    broken = tmp_path / where
    broken.write_text((broken.read_text() if broken.exists() else "") + line)
    assert rule(tmp_path) != []


def test_each_room_says_what_it_holds() -> None:
    """The first line of a room's `__init__.py` is the sentence of its room."""
    for room in (ROOT / "actors").glob("**/__init__.py"):
        assert room.read_text().startswith('"""'), room.parent.name


def test_the_page_on_architecture_shows_the_rooms_on_their_floors() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| (\d*) *\| `([\w/.]+)` \|", page, re.MULTILINE)
    floors: dict[int, set[str]] = {}
    for number, room in rows:
        height = int(number) if number else min(floors)
        floors.setdefault(height, set()).add(room.strip("/").replace("/", ".").removesuffix(".py"))
    assert [floors[height] for height in sorted(floors)] == [set(floor) for floor in FLOORS]
