"""Next steps as data: what a person or a program can do about an error or a failure.

Each door renders an action in its own words: the command line as a command, the board as a
button, HTTP as a link. On the wire it is `{"do": "task.retry", "address": "demo/login/"}`.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Do(StrEnum):
    """What an action does.

    Each value is the type of a request, except those in `LOCAL`: these steps need no runtime.
    """

    LIST = "workflow.list"
    GET = "workflow.get"
    SUBMIT = "plan.submit"
    PREPARE = "workflow.prepare"
    START = "workflow.start"
    RESUME = "workflow.resume"
    STOP = "workflow.stop"
    REPAIR = "workflow.repair"
    CLEAN = "workflow.clean"
    RETRY = "task.retry"
    CANCEL_TASK = "task.cancel"
    APPROVE = "task.approve"
    REJECT = "task.reject"
    CONTINUE_MERGE = "merge.continue"
    ABORT_MERGE = "merge.abort"
    RESTORE_CONFIG = "config.restore"
    ACCEPT_CONFIG = "config.accept"
    ANSWER = "terminal.answer"
    SEND = "terminal.send"
    EVENTS = "events.replay"
    WHY = "why"
    STOP_RUNTIME = "runtime.stop"

    SERVE = "serve"
    DOCTOR = "doctor"
    MEND = "doctor.mend"
    FIX = "doctor.fix"
    TRY_CLI = "cli.try"
    END_TERMINALS = "terminals.end"
    TRUST = "trust"


LOCAL = frozenset({Do.SERVE, Do.DOCTOR, Do.MEND, Do.FIX, Do.TRY_CLI, Do.END_TERMINALS, Do.TRUST})
"""The steps that are not requests: they act on a runtime's home. That of `TRUST` is on a directory
of a repository, whose path is the action's `address`."""


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """One next step.

    `address` is what the step acts on, "" for the runtime itself. `fields` are further fields of
    the request, such as the `cli` of a repair.
    """

    do: Do
    address: str = ""
    fields: Mapping[str, str | bool] = {}
