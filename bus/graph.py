"""The graph of the tasks of a plan: which task comes after which others.

A graph is a mapping from each task's id to the ids in its `after`, in the order of the plan. An id
that is no key of the mapping is ignored. Nothing here recurses: a plan may have thousands of tasks.
"""

from collections.abc import Iterable, Mapping, Sequence

Graph = Mapping[str, Sequence[str]]


def in_order(graph: Graph) -> list[str]:
    """Return the ids such that each comes after those it names; otherwise in the given order.

    Of a cycle, which `cycle` finds, every id is returned too.

    >>> in_order({"login": ["schema"], "docs": [], "schema": []})
    ['schema', 'login', 'docs']
    """
    placed: dict[str, None] = {}
    for first in graph:
        for id, _ in _walk(graph, first, placed):
            placed[id] = None
    return list(placed)


def cycle(graph: Graph) -> list[str]:
    """Return the ids of a cycle, the first one at both ends; empty if there is none.

    >>> cycle({"a": ["b"], "b": ["c"], "c": ["b"]})
    ['b', 'c', 'b']
    """
    placed: dict[str, None] = {}
    for first in graph:
        for id, back in _walk(graph, first, placed):
            if back:
                return back
            placed[id] = None
    return []


def dependants(graph: Graph, id: str) -> list[str]:
    """Return the ids that come after `id`, directly or through others, in the given order."""
    found = {id}
    for each in in_order(graph):
        if found & set(graph[each]):
            found.add(each)
    return [each for each in graph if each in found and each != id]


def _walk(
    graph: Graph, first: str, placed: Mapping[str, object]
) -> Iterable[tuple[str, list[str]]]:
    """Yield each id from `first` on that is not placed, after those it names.

    An id that leads back to itself is yielded with the cycle, as (id, cycle); else the cycle is
    empty.
    """
    if first in placed:
        return
    path, open_ids = [(first, iter(graph[first]))], {first: 0}
    while path:
        id, names = path[-1]
        name = next(names, None)
        if name is None:
            path.pop()
            del open_ids[id]
            yield id, []
        elif name in open_ids:
            back = [each for each, _ in path[open_ids[name] :]]
            yield name, [*back, name]
        elif name in graph and name not in placed:
            open_ids[name] = len(path)
            path.append((name, iter(graph[name])))
