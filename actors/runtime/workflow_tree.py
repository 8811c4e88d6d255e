"""The supervision tree of one workflow: its part of `actors.runtime.tree`.

It is loaded with the first workflow, because a start without one should not wait for it.
"""

from actors.merger.actor import Merger
from actors.runtime.tree import WORKFLOW_BACKOFF
from actors.supervision.spec import ChildSpec, Restart, SupervisorSpec, worker
from actors.system.stage import Stage
from actors.terminal.actor import TerminalActor
from actors.watcher.actor import Watcher
from actors.watcher.watches import Watches
from actors.workflow.actor import WorkflowActor
from bus import address as addresses


def workflow_spec(stage: Stage, watches: Watches, workflow: str) -> SupervisorSpec:
    """Return the specification of one workflow's actors, without its terminals."""

    def terminal_spec(address: str) -> ChildSpec:
        return worker(
            address.removeprefix(f"{workflow}/").strip("/").replace("/", "."),
            TerminalActor,
            stage,
            address,
            restart=Restart.TRANSIENT,
            address=address,
        )

    return SupervisorSpec(
        workflow,
        intensity=20,
        period=10.0,
        children_backoff=WORKFLOW_BACKOFF,
        children=(
            worker("watcher", Watcher, stage, watches, workflow),
            worker("merger", Merger, stage, workflow),
            worker(
                "workflow",
                WorkflowActor,
                stage,
                workflow,
                terminal_spec,
                address=addresses.workflow(workflow),
            ),
        ),
    )
