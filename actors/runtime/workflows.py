"""Starting and ending the actors of one workflow."""

from actors.merger.actor import Merger
from actors.plan.check import Checked
from actors.supervision.actor import Actor
from actors.supervision.backoff import Backoff
from actors.supervision.spec import SupervisorSpec, worker
from actors.system.stage import Stage
from actors.watcher.actor import Watcher
from actors.workflow.actor import WorkflowActor
from bus import address as addresses
from bus import clock
from store.errors import Duplicate
from store.submission import submission

BACKOFF = Backoff(initial=0.05, factor=2.0, maximum=10.0, reset_after=30.0)
"""Between restarts of a child that keeps failing."""


def workflow_spec(stage: Stage, workflow: str) -> SupervisorSpec:
    """The supervisor of one workflow; its terminals are added as they are launched."""
    return SupervisorSpec(
        workflow,
        intensity=20,
        period=10.0,
        children_backoff=BACKOFF,
        children=(
            worker("watcher", Watcher, stage, workflow),
            worker("merger", Merger, stage, workflow),
            worker(
                "workflow", WorkflowActor, stage, workflow, address=addresses.workflow(workflow)
            ),
        ),
    )


def submit(stage: Stage, actor: Actor, checked: Checked) -> str:
    """Store a checked plan as a workflow under the first free id, and start its actors.
    Returns the id."""
    name = addresses.slug(checked.plan.name)
    taken = set(stage.reader.workflow_ids()) | addresses.RESERVED_WORKFLOWS
    number = 1
    while True:
        id = name if number == 1 else f"{name}-{number}"
        number += 1
        if id in taken:
            continue
        try:
            stage.commit(actor, submission(id, checked.plan, clock.stamp(), checked.survey.git_dir))
        except Duplicate:
            continue
        stage.workflows.start_child(workflow_spec(stage, id))
        return id
