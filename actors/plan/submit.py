"""Store a checked plan as a workflow."""

import hashlib

import msgspec

from actors.clis import trust
from actors.git.users import keeping
from actors.plan.check import Checked, untrusted
from actors.supervision.actor import Actor
from actors.system.stage import Stage
from bus import address as addresses
from bus import clock
from bus.action import Action, Do
from bus.environment import differing
from bus.errors import illegal
from bus.peer import Caller
from bus.reasons import Reason
from bus.requests import PlanSubmit
from store.errors import Duplicate
from store.submission import submission


def digest_of(request: PlanSubmit) -> str:
    """Return what tells a submission that is sent again; "" for one without a key."""
    if not request.key:
        return ""
    parts = (request.key, request.plan, request.base, request.again)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def submit(
    stage: Stage, actor: Actor, checked: Checked, caller: Caller, submission_digest: str = ""
) -> str:
    """Store a checked plan of `caller` as a workflow under the first free id, in the actor's name.

    `submission_digest` is that of `digest_of`. Return the id. Raises `StoreError`, `OSError`, or
    `Refused` where its CLIs would start what nobody has trusted.
    """
    if names := untrusted(checked, stage.paths.home):
        raise illegal(
            Reason.NOT_TRUSTED,
            f"the CLIs of this plan would start what the repository's {trust.listed(names)} name "
            "(hooks, MCP servers, plugins), and nobody has trusted them",
            actions=[Action(Do.TRUST, checked.plan.repo)],
        )
    name = addresses.slug(checked.plan.name)
    taken = set(stage.reader.workflow_ids()) | addresses.RESERVED_WORKFLOWS
    number = 1
    while True:
        id = name if number == 1 else f"{name}-{number}"
        number += 1
        if id in taken:
            continue
        try:
            found = checked.survey
            stamp, plan = clock.stamp(), checked.plan
            kept = keeping.keep(found.git_dir, found.workdir, stage.paths.kept(id))
            change = submission(
                *(id, plan, stamp, found.git_dir, caller, found.author, found.settings, kept),
                submission=submission_digest,
            )
            stage.commit(actor, change)
        except Duplicate:
            continue
        return id


def of_environment(request: PlanSubmit) -> list[str]:
    """Name the variables that the client has otherwise, and that it does not bring."""
    names = differing(request.environment, request.salt)
    if not names:
        return []
    shown = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    return [
        "the PATH and the toolchain are those of this shell; of all other variables the runtime's "
        f"count, and these differ: {shown} (to use this shell's: end the runtime with down, and "
        "start it here; terminals go on)"
    ]
