"""The graph of the tasks: order, cycles and dependants, compared with a plain definition."""

from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from bus.graph import cycle, dependants, in_order

IDS = "abcd"


def reaches(graph: dict[str, list[str]], start: str, end: str) -> bool:
    """Whether `end` is named by `start`, directly or through others."""
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        id = todo.pop()
        if id == end:
            return True
        if id in graph and id not in seen:
            seen.add(id)
            todo += graph[id]
    return False


def check(graph: dict[str, list[str]]) -> None:
    found = cycle(graph)
    has_cycle = any(reaches(graph, id, id) for id in graph)
    assert bool(found) == has_cycle
    if found:
        assert found[0] == found[-1]
        assert all(after in graph[id] for id, after in pairwise(found))
    order = in_order(graph)
    assert sorted(order) == sorted(graph)
    if not has_cycle:
        for id, names in graph.items():
            assert all(order.index(name) < order.index(id) for name in names if name in graph)
        if all(
            list(graph).index(name) < at
            for at, names in enumerate(graph.values())
            for name in names
            if name in graph
        ):
            assert order == list(graph), "an order that is right is kept"
    for id in graph:
        assert (
            set(dependants(graph, id))
            == {each for each in graph if each != id and reaches(graph, each, id)}
            or has_cycle
        )


def test_every_graph_of_three_tasks() -> None:
    names = ["a", "b", "c"]
    choices = [[n for n, taken in zip(names, bits, strict=True) if taken]
               for bits in product((0, 1), repeat=3)]  # fmt: skip
    for chosen in product(choices, repeat=3):
        check(dict(zip(names, chosen, strict=True)))


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefghx"))))
def test_any_graph(graph: dict[str, list[str]]) -> None:
    check(graph)


def test_a_chain_of_thousands_is_no_recursion() -> None:
    ids = [str(n) for n in range(5_000)]
    chain = {id: ids[n + 1 : n + 2] for n, id in enumerate(ids)}
    assert in_order(chain) == ids[::-1]
    assert cycle({**chain, ids[-1]: [ids[0]]})[:2] == ids[:2]
    assert dependants(chain, ids[-1]) == ids[:-1]
