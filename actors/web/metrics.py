"""`GET /metrics`: what an operator watches, in the Prometheus text format.

Made at each call from the runtime's own answers, so that nothing is counted twice.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import accumulate

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import HistogramMetricFamily

from actors.web.asking import Asking
from actors.web.stream import Hub
from bus.latency import BOUNDS, Latency
from bus.requests import RuntimeInfo, Snapshot, TreeInspect, Usage
from bus.results import Node, Picture, RuntimeState, UsageReport
from bus.rows import Terminal, Workflow
from bus.status import TaskStatus

TYPE = CONTENT_TYPE_LATEST

_picture = msgspec.json.Decoder(Picture).decode
_state = msgspec.json.Decoder(RuntimeState).decode
_node = msgspec.json.Decoder(Node).decode
_usage = msgspec.json.Decoder(UsageReport).decode


async def collect(asking: Asking, hub: Hub) -> str:
    """Return the metrics. Raises `Refused` where the runtime does not answer."""
    workflows = _picture(await asking.ask(Snapshot())).workflows
    state = _state(await asking.ask(RuntimeInfo()))
    nodes = list(_below(_node(await asking.ask(TreeInspect()))))
    usage = _usage(await asking.ask(Usage()))
    registry = CollectorRegistry()
    _runtime(registry, state, nodes)
    _door(registry, hub)
    _company(registry, workflows)
    _limits(registry, [t for workflow in workflows for t in workflow.terminals()])
    _used(registry, usage)
    return generate_latest(registry).decode()


def _runtime(registry: CollectorRegistry, state: RuntimeState, nodes: list[Node]) -> None:
    """The journal, the feed and the actors."""
    _set(registry, "callboard_facts", "Seq of the newest fact", state.head)
    _set(registry, "callboard_undelivered", "Messages to actors that had ended", state.undelivered)
    _set(registry, "callboard_journal_queue", "Changes that wait to be stored", state.queued)
    _set(registry, "callboard_actors", "Actors in the supervision tree", len(nodes))
    _set(
        registry,
        "callboard_actor_restarts",
        "Restarts of the actors there are now",
        sum(node.restarts for node in nodes),
    )
    depths = [node.mailbox_depth for node in nodes]
    _set(registry, "callboard_mailbox_depth", "Messages that wait in all mailboxes", sum(depths))
    _set(
        registry,
        "callboard_mailbox_depth_largest",
        "Messages that wait in the fullest mailbox",
        max(depths, default=0),
    )
    registry.register(_Published(state.published))


def _door(registry: CollectorRegistry, hub: Hub) -> None:
    """The feed, as the web door sees it, and its event streams."""
    _set(registry, "callboard_feed_head", "Seq of the newest fact seen by the web door", hub.head)
    _by(
        registry,
        "callboard_transitions",
        "Changes of status that the web door has seen",
        "of",
        {of: hub.transitions[of] for of in ("workflow", "task", "terminal")},
    )
    _set(registry, "callboard_event_streams", "Event streams that are open", hub.streams)
    _set(registry, "callboard_event_ring", "Facts held for all event streams", hub.held)
    _set(
        registry,
        "callboard_event_stream_behind_largest",
        "Facts that the slowest event stream has still to take",
        hub.behind,
    )


def _company(registry: CollectorRegistry, workflows: list[Workflow]) -> None:
    """Rows by status, and what waits for what."""
    tasks = [task for workflow in workflows for task in workflow.tasks]
    terminals = [t for workflow in workflows for t in workflow.terminals()]
    for name, text, rows in (
        ("callboard_workflows", "Workflows by status", workflows),
        ("callboard_tasks", "Tasks by status", tasks),
        ("callboard_terminals", "Terminals by status", terminals),
    ):
        counts = Counter(str(row.status) for row in rows)
        _by(registry, name, text, "status", counts)
    waits = {
        "answer": sum(bool(t.blocked) for t in terminals),
        "person": sum(bool(t.idle) for t in terminals),
        "output": sum(t.stalled for t in terminals),
        "limit": sum(bool(t.limited) for t in terminals),
        "review": sum(task.status == TaskStatus.REVIEW_PENDING for task in tasks),
        "tasks": sum(task.waits for task in tasks),
        "base": sum(bool(task.held) for task in tasks),
    }
    _by(registry, "callboard_waits", "Terminals and tasks that wait, by what for", "for", waits)


def _limits(registry: CollectorRegistry, terminals: list[Terminal]) -> None:
    """The accounts that are limited now, and until when."""
    gauge = Gauge(
        "callboard_limited_until_seconds",
        "When a limited account goes on, in Unix seconds; 0 if that is not known",
        ["account", "kind"],
        registry=registry,
    )
    for terminal in terminals:
        if terminal.limited:
            until = datetime.fromisoformat(terminal.until).timestamp() if terminal.until else 0.0
            gauge.labels(terminal.account, str(terminal.limited)).set(until)


def _used(registry: CollectorRegistry, usage: UsageReport) -> None:
    """Tokens, requests and cost by account, as far as programs say it."""
    tokens: Counter[tuple[str, str]] = Counter()
    requests: Counter[str] = Counter()
    cost: dict[str, float] = {}
    for used in usage.used:
        for kind in ("input", "output", "cached"):
            tokens[used.account, kind] += getattr(used, kind)
        requests[used.account] += used.requests
        if used.cost is not None:
            cost[used.account] = cost.get(used.account, 0.0) + used.cost
    gauge = Gauge(
        "callboard_tokens",
        "Tokens used; `input` includes `cached`",
        ["account", "kind"],
        registry=registry,
    )
    for (account, kind), count in tokens.items():
        gauge.labels(account, kind).set(count)
    _by(registry, "callboard_model_requests", "Requests to models", "account", requests)
    _by(registry, "callboard_cost", "Cost, of accounts with prices", "account", cost)
    _set(
        registry,
        "callboard_usage_unknown",
        "Terminals that worked and do not say what they used",
        len(usage.unknown),
    )


class _Published:
    """The histogram of the time from a fact's commit to the feed, as the runtime counted it."""

    def __init__(self, latency: Latency) -> None:
        self._latency = latency

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Called by the registry."""
        bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
        yield HistogramMetricFamily(
            "callboard_fact_publish_seconds",
            "Seconds from the commit of a fact to the feed",
            buckets=list(zip(bounds, accumulate(self._latency.counts), strict=True)),
            sum_value=self._latency.total,
        )


def _set(registry: CollectorRegistry, name: str, text: str, value: float) -> None:
    Gauge(name, text, registry=registry).set(value)


def _by(
    registry: CollectorRegistry, name: str, text: str, label: str, counts: Mapping[str, float]
) -> None:
    gauge = Gauge(name, text, [label], registry=registry)
    for value, count in counts.items():
        gauge.labels(value).set(count)


def _below(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _below(child)
