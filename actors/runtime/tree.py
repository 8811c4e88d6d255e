"""The supervision tree of the runtime. Only this module names every actor class.

    runtime/
      publisher
      launcher
      previewer
      examiner
      janitor
      notifier
      warden
      orchestrator         asks a model, where a plan has one
      models               starts the model gateway, a process of its own, when it is needed
      workflows
        demo
          watcher
          merger
          workflow         at the public address demo/
          login.1 …        terminals, at demo/login/1/; added when they are launched
      gateway
      doors                where a door is open that is a process of its own
        web                keeps the web door's process running
        tcp                keeps the TCP door's process running

Every supervisor is `one_for_one`, because each actor rebuilds its state from the database and none
depends on another one's memory. The gateway is started last and stopped first, so that requests
come in only while all others run. The publisher is stopped last, so that the feed is complete.

A child that keeps failing is restarted without end, at growing intervals: a workflow whose
repository was deleted must not end the others. The back-off limits the rate, so that `intensity` is
exceeded only by failures during starts that take no time. The root then gives up: the process ends
with exit code 1, and the terminals go on.
"""

from collections.abc import Sequence
from pathlib import Path

from actors.gateway.actor import Gateway
from actors.gateway.consoles import Consoles
from actors.gateway.control import Control
from actors.gateway.doors import DoorKeeper, DoorProcess
from actors.gateway.examiner import Examiner
from actors.gateway.outputs import Outputs
from actors.gateway.publisher import Position, Publisher
from actors.gateway.screens import ScreenReader
from actors.merger.actor import Merger
from actors.merger.janitor import Janitor
from actors.merger.previewer import Previewer
from actors.models.keeper import ModelKeeper
from actors.notice.actor import Notifier
from actors.orchestrator.actor import OrchestratorActor
from actors.plan.change import checked_change
from actors.supervision.backoff import Backoff
from actors.supervision.spec import ChildSpec, DynamicSpec, Restart, SupervisorSpec, worker
from actors.system.stage import Stage
from actors.terminal.actor import TerminalActor
from actors.terminal.launcher import Launcher
from actors.watcher.actor import Watcher
from actors.watcher.warden import Warden
from actors.watcher.watches import Watches
from actors.workflow.actor import WorkflowActor
from bus import address as addresses

ROOT_INTENSITY, ROOT_PERIOD = 5, 60.0

ROOT_BACKOFF = Backoff(initial=0.02, factor=2.0, maximum=1.0, reset_after=30.0)


WORKFLOW_BACKOFF = Backoff(initial=0.05, factor=2.0, maximum=10.0, reset_after=30.0)
"""The delays between restarts of a workflow's actor that keeps failing."""


def root_spec(
    stage: Stage,
    feed: str,
    control: Control,
    doors: Sequence[ChildSpec] = (),
    repositories: Sequence[Path] = (),
) -> SupervisorSpec:
    """Return the specification of the whole runtime.

    `feed` is the publisher's endpoint, `doors` what `door_spec` returns for each open door, and
    `repositories` what plans may name that come through them.
    """
    return SupervisorSpec(
        "runtime",
        intensity=ROOT_INTENSITY,
        period=ROOT_PERIOD,
        children_backoff=ROOT_BACKOFF,
        children=(
            worker(
                "publisher", Publisher, stage, feed, Position(stage.journal.head), control.latency
            ),
            worker("launcher", Launcher, stage),
            worker("previewer", Previewer, stage),
            worker("examiner", Examiner, stage, control),
            worker("janitor", Janitor, stage),
            worker("warden", Warden, stage),
            worker("models", ModelKeeper, stage),
            worker("notifier", Notifier, stage),
            worker("consoles", Consoles, stage),
            worker("screens", ScreenReader, stage),
            worker("outputs", Outputs, stage),
            worker("orchestrator", OrchestratorActor, stage, checked_change),
            DynamicSpec("workflows", intensity=20, period=10.0, children_backoff=WORKFLOW_BACKOFF),
            worker("gateway", Gateway, stage, control, repositories),
            *((_doors_spec(doors),) if doors else ()),
        ),
    )


def door_spec(stage: Stage, name: str, door: DoorProcess) -> ChildSpec:
    """Return the specification of the keeper of a door's process."""
    return worker(name, DoorKeeper, stage, door)


def _doors_spec(doors: Sequence[ChildSpec]) -> SupervisorSpec:
    """Return the supervisor of the doors that are processes of their own.

    A door that ends is started again, however often, and no other actor is concerned.
    """
    return SupervisorSpec(
        "doors",
        intensity=20,
        period=10.0,
        children_backoff=WORKFLOW_BACKOFF,
        children=tuple(doors),
    )


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
