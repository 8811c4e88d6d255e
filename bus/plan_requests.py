"""Requests that change the plan of a workflow while it runs, and show it as it is now.

Each is checked like a plan, and stored with its fact.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from bus import checked, results
from bus.plan import Argv, Count, Instruction, Seconds, WorkflowCaps
from bus.request_base import OfTask, OfTerminal, OfWorkflow


class TaskAdd(OfWorkflow[results.CommandDone], kw_only=True, tag="task.add"):
    """Add a task to the plan; `task` holds the keys of a `[[task]]`.

    A relative `instruction_file` is taken from the directory `base`.
    """

    task: dict[str, Any]
    base: str = ""


class TaskCancel(OfTask[results.CommandDone], kw_only=True, tag="task.cancel"):
    """Give up a task: its programs are ended, its state is pinned, and it is not merged."""


class TaskMove(OfTask[results.CommandDone], kw_only=True, tag="task.move"):
    """Give a task another place in the order of launching and merging, counted from 1."""

    position: Count


class TerminalAdd(OfTask[results.CommandDone], kw_only=True, tag="terminal.add"):
    """Add a terminal after the last one of a task.

    `terminal` holds the keys of a `[[task.terminal]]`; `base` is as in `TaskAdd`.
    """

    terminal: dict[str, Any]
    base: str = ""


class InstructionReplace(OfTerminal[results.CommandDone], kw_only=True, tag="instruction.replace"):
    """Give a terminal that has not begun its work another instruction."""

    instruction: Annotated[Instruction, msgspec.Meta(pattern=r"\S")]


class PlanSet(OfWorkflow[results.CommandDone], kw_only=True, tag="plan.set"):
    """Set keys of the plan; one that is left out stays as it is."""

    max_terminals: Count | UnsetType = UNSET
    max_review_rounds: Count | UnsetType = UNSET
    test: Argv | UnsetType = UNSET
    test_timeout: Seconds | UnsetType = UNSET
    test_retries: Annotated[int, msgspec.Meta(ge=0, le=100)] | UnsetType = UNSET
    limits: WorkflowCaps | UnsetType = UNSET


class PlanShow(OfWorkflow[checked.ShownPlan], kw_only=True, tag="plan.show"):
    """Return the plan as it is now, with all changes and without cancelled tasks."""


PlanChange = TaskAdd | TerminalAdd | PlanSet
"""The changes that are checked against this machine before they are decided on."""
