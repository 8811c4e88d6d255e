"""Facts about the runtime and its actors."""

from bus.facts.base import Fact


class ActorFailed(Fact, kw_only=True, tag="actor.failed"):
    """An incarnation of an actor ended with an error."""

    incarnation: int
    error: str


class ActorFailing(Fact, kw_only=True, tag="actor.failing"):
    """An actor of a workflow fails repeatedly. It is restarted with a growing back-off."""

    observed = True

    actor: str
    failures: int
    error: str


class ActorRestarted(Fact, kw_only=True, tag="actor.restarted"):
    """A supervisor started an actor again."""

    incarnation: int


class RuntimeStarted(Fact, kw_only=True, tag="runtime.started"):
    """A runtime began to serve this home."""

    pid: int
    version: str


class RuntimeStopped(Fact, kw_only=True, tag="runtime.stopped"):
    """The runtime ended."""

    reason: str
