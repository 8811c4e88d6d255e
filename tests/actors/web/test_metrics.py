"""What `GET /metrics` says of limits and usage, from rows; and how a latency is counted."""

from prometheus_client import CollectorRegistry

from actors.web import metrics
from bus.accounts import Used
from bus.kinds import LimitKind, Role
from bus.latency import BOUNDS, Latency
from bus.results import UsageReport
from bus.rows import Terminal
from bus.status import TerminalStatus


def terminal(number: int, **columns: object) -> Terminal:
    return Terminal(
        address=f"w/t/{number}/",
        task="w/t/",
        position=number,
        role=Role.CODER,
        cli="claude",
        status=TerminalStatus.RUNNING,
        **columns,  # type: ignore[arg-type]
    )


def used(account: str, cost: float | None, **counts: int) -> Used:
    given = {"input": 0, "output": 0, "cached": 0, "requests": 1, **counts}
    return Used(workflow="w", task="w/t/", terminal="w/t/1/", account=account, day="2026-11-30",
                cost=cost, **given)  # fmt: skip


def test_a_limited_account_is_said_with_its_end() -> None:
    registry = CollectorRegistry()
    until = "2026-11-30T12:00:00.000000Z"
    kind = next(kind for kind in LimitKind if kind)
    metrics._limits(  # noqa: SLF001
        registry,
        [
            terminal(1),
            terminal(2, limited=kind, account="anthropic", until=until),
            terminal(3, limited=kind, account="glm"),
        ],
    )

    def value(account: str) -> float | None:
        labels = {"account": account, "kind": str(kind)}
        return registry.get_sample_value("callboard_limited_until_seconds", labels)

    assert value("anthropic") == 1796040000.0
    assert value("glm") == 0.0


def test_usage_is_added_up_by_account() -> None:
    registry = CollectorRegistry()
    rows = [
        used("a", 1.5, input=10, output=2, cached=4),
        used("a", None, input=5),
        used("b", None, output=7),
    ]
    metrics._used(registry, UsageReport(rows, ["w/t/2/"]))  # noqa: SLF001

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("callboard_tokens", account="a", kind="input") == 15
    assert value("callboard_tokens", account="b", kind="output") == 7
    assert value("callboard_model_requests", account="a") == 2
    assert value("callboard_cost", account="a") == 1.5
    assert value("callboard_cost", account="b") is None  # unknown is not 0
    assert value("callboard_usage_unknown") == 1


def test_a_latency_counts_each_time_once_below_its_bound() -> None:
    latency = Latency()
    for seconds in (0.0001, BOUNDS[0], 0.02, 60.0):
        latency.note(seconds)
    latency.note(0.02, 3)
    assert latency.counts[0] == 2
    assert latency.counts[-1] == 1
    assert sum(latency.counts) == 7
    assert abs(latency.total - (0.0001 + BOUNDS[0] + 4 * 0.02 + 60.0)) < 1e-9
