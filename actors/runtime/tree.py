"""The supervision tree of the runtime, and why it is shaped so.

    runtime/               one_for_one: each of these rebuilds itself from the journal and
      publisher            the rows, so none needs another one restarted with it; started in
      launcher             this order and stopped in reverse, so the door closes first and
      previewer            the feed last
      workflows
        demo               one_for_one, for the same reason: actors keep nothing
          watcher
          merger
          workflow         (at the public address demo/)
          login.1 …        terminals (demo/login/1/), added when they are launched
      gateway

A child that keeps failing is restarted at ever longer intervals, for ever: one broken
workflow (its repository was deleted, say) must not end nine good ones. The back-off bounds
the rate, so `intensity` is only reached when something fails faster than that, and then the
supervisor above decides. At the root that means: the process ends with exit code 1, the
state is safe, and the terminals go on.
"""

from collections.abc import Callable
from typing import Any

from actors.gateway.actor import Gateway
from actors.gateway.publisher import Publisher
from actors.merger.previewer import Previewer
from actors.runtime.workflows import BACKOFF
from actors.supervision.backoff import Backoff
from actors.supervision.spec import DynamicSpec, SupervisorSpec, worker
from actors.system.stage import Stage
from actors.terminal.launcher import Launcher

ROOT_INTENSITY, ROOT_PERIOD = 5, 60.0

ROOT_BACKOFF = Backoff(initial=0.02, factor=2.0, maximum=1.0, reset_after=30.0)


def root_spec(stage: Stage, feed: str, info: Callable[[], Any]) -> SupervisorSpec:
    """The runtime itself. `feed` is the publisher's endpoint, `info` answers
    `runtime.info`."""
    return SupervisorSpec(
        "runtime",
        intensity=ROOT_INTENSITY,
        period=ROOT_PERIOD,
        children_backoff=ROOT_BACKOFF,
        children=(
            worker("publisher", Publisher, stage, feed),
            worker("launcher", Launcher, stage),
            worker("previewer", Previewer, stage),
            DynamicSpec("workflows", intensity=20, period=10.0, children_backoff=BACKOFF),
            worker("gateway", Gateway, stage, info),
        ),
    )
