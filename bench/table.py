"""The rows that a measurement returns. Each is a ratio of ours to a reference of the same run."""

import gc
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table


class Row(msgspec.Struct, frozen=True):
    """One row of the table.

    `ours` and `reference` are medians in `unit`; `ratio` is ours / reference.
    """

    what: str
    unit: str
    ours: float
    reference: float
    against: str
    ratio: float
    target: str
    met: bool
    note: str = ""


def at_least(
    what: str, unit: str, sides: Sequence[float], share: float, against: str, note: str = ""
) -> Row:
    """Return the row of a rate: more is better. `sides` are ours and the reference's."""
    ours, reference = sides
    ratio = ours / reference
    return Row(what, unit, ours, reference, against, ratio, f">= {share:g}", ratio >= share, note)


def at_most(
    what: str, unit: str, sides: Sequence[float], times: float, against: str, note: str = ""
) -> Row:
    """Return the row of a time or a size: less is better. `sides` are ours and the reference's."""
    ours, reference = sides
    ratio = ours / reference
    return Row(what, unit, ours, reference, against, ratio, f"<= {times:g}", ratio <= times, note)


def within(
    what: str, unit: str, ours: float, reference: float, more: float, against: str, note: str = ""
) -> Row:
    """Return the row of a value that may exceed the reference by `more`, in the same unit."""
    met = ours - reference <= more
    target = f"+ <= {more:g} {unit}"
    return Row(what, unit, ours, reference, against, _ratio(ours, reference), target, met, note)


def below(what: str, unit: str, ours: float, limit: float, note: str = "") -> Row:
    """Return the row of a value with an absolute limit."""
    return Row(
        what,
        unit,
        ours,
        limit,
        "the limit",
        ours / limit,
        f"< {limit:g} {unit}",
        ours < limit,
        note,
    )


def _ratio(ours: float, reference: float) -> float:
    return ours / reference if reference else float("inf")


def alternate(rounds: int, *sides: Callable[[], float]) -> list[float]:
    """Return the median of each side, measured in turn, so that a disturbance affects all.

    Every second round goes backwards, so that no side is always first. One more round is for
    warming up.
    """
    taken: list[list[float]] = [[] for _ in sides]
    for number in range(rounds + 1):
        order = list(enumerate(sides))
        for index, side in order if number % 2 else reversed(order):
            gc.collect()
            value = side()
            if number:
                taken[index].append(value)
    return [statistics.median(each) for each in taken]


def seconds(action: Callable[[], object]) -> float:
    """Return the seconds that `action` takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def disk(at: Path, count: int = 100) -> str:
    """Say how long a bare fdatasync takes here and now. Every durable figure holds at least one."""
    taken = []
    with (at / "synced").open("wb", buffering=0) as file:
        for _ in range(count):
            file.seek(0)
            file.write(os.urandom(4096))
            taken.append(seconds(lambda: os.fdatasync(file.fileno())) * 1e3)
            time.sleep(0.005)
    p50, p99 = percentile(taken, 0.5), percentile(taken, 0.99)
    return f"a bare fdatasync: p50 {p50:.1f}, p99 {p99:.1f} ms"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def number(value: float) -> str:
    """Return the number with three significant digits; from 1000 on, rounded to an integer."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table("what", "ours", "reference", "ratio", "target", "met", box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            row.what + (f" [dim]({row.note})[/]" if row.note else ""),
            f"{number(row.ours)} {row.unit}",
            f"{number(row.reference)} {row.unit} [dim]{row.against}[/]",
            number(row.ratio),
            row.target,
            "[green]yes[/]" if row.met else "[red]NO[/]",
        )
    Console(width=200 if not Console().is_terminal else None).print(table)
