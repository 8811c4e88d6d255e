"""`GET /metrics`: what an operator watches, in the Prometheus text format.

Made at each call from the runtime's own answers, so that nothing is counted twice.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from actors.web.asking import Asking
from actors.web.stream import Hub
from bus.requests import RuntimeInfo, Snapshot, TreeInspect
from bus.results import Node, Picture, RuntimeState

TYPE = CONTENT_TYPE_LATEST

_picture = msgspec.json.Decoder(Picture).decode
_state = msgspec.json.Decoder(RuntimeState).decode
_node = msgspec.json.Decoder(Node).decode


async def collect(asking: Asking, hub: Hub) -> str:
    """Return the metrics. Raises `Refused` where the runtime does not answer."""
    picture = _picture(await asking.ask(Snapshot()))
    state = _state(await asking.ask(RuntimeInfo()))
    root = _node(await asking.ask(TreeInspect()))
    registry = CollectorRegistry()
    _set(registry, "callboard_facts", "Seq of the newest fact", state.head)
    _set(registry, "callboard_feed_head", "Seq of the newest fact seen by the web door", hub.head)
    _set(registry, "callboard_undelivered", "Messages to actors that had ended", state.undelivered)
    _set(registry, "callboard_event_streams", "Event streams that are open", hub.streams)
    nodes = list(_below(root))
    _set(registry, "callboard_actors", "Actors in the supervision tree", len(nodes))
    _set(
        registry,
        "callboard_actor_restarts",
        "Restarts of the actors there are now",
        sum(node.restarts for node in nodes),
    )
    _set(
        registry,
        "callboard_mailbox_depth",
        "Messages that wait in all mailboxes",
        sum(node.mailbox_depth for node in nodes),
    )
    workflows = Counter(workflow.status for workflow in picture.workflows)
    tasks = Counter(task.status for workflow in picture.workflows for task in workflow.tasks)
    terminals = Counter(t.status for workflow in picture.workflows for t in workflow.terminals())
    _by_status(registry, "callboard_workflows", "Workflows by status", workflows)
    _by_status(registry, "callboard_tasks", "Tasks by status", tasks)
    _by_status(registry, "callboard_terminals", "Terminals by status", terminals)
    return generate_latest(registry).decode()


def _set(registry: CollectorRegistry, name: str, text: str, value: float) -> None:
    Gauge(name, text, registry=registry).set(value)


def _by_status(
    registry: CollectorRegistry, name: str, text: str, counts: Mapping[Any, int]
) -> None:
    gauge = Gauge(name, text, ["status"], registry=registry)
    for status, count in counts.items():
        gauge.labels(str(status)).set(count)


def _below(node: Node) -> list[Node]:
    return [node, *(each for child in node.children for each in _below(child))]
