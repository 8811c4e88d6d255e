"""What a caller may ask for whose right is less than the user's own.

The user's own processes may do everything. A browser's session, and a key of the TCP door unless
the user opened more, may steer what is there, and may submit a plan that names existing profiles
and providers only: nothing in it is run, read or sent elsewhere that the user did not set up. What
is not named here needs the user's own right; so a new request is closed to others until somebody
decides.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bus import orchestrator_requests, plan_requests, requests, terminal_requests, toml
from bus.errors import Refused
from bus.event_requests import EventsNewest
from bus.peer import Caller, Right
from bus.reasons import Reason

READING: frozenset[type[Any]] = frozenset(
    {
        requests.WorkflowList,
        requests.WorkflowGet,
        plan_requests.PlanShow,
        requests.MergePreview,
        requests.TaskDiff,
        requests.TerminalOutput,
        requests.TerminalScreen,
        requests.Usage,
        requests.TreeInspect,
        requests.EventsReplay,
        EventsNewest,
        requests.Snapshot,
        requests.Why,
        requests.RuntimeInfo,
    }
)
"""What `Right.READ` may send: requests that change nothing."""

STEERING: frozenset[type[Any]] = frozenset(
    {
        requests.PlanCheck,
        requests.PlanSubmit,
        requests.WorkflowPrepare,
        requests.WorkflowStart,
        requests.WorkflowPause,
        requests.WorkflowResume,
        requests.WorkflowStop,
        requests.WorkflowRepair,
        requests.WorkflowClean,
        requests.WorkflowForget,
        requests.ConfigRestore,
        requests.TaskRetry,
        requests.TaskApprove,
        requests.TaskReject,
        plan_requests.TaskAdd,
        plan_requests.TaskCancel,
        plan_requests.TaskMove,
        plan_requests.InstructionReplace,
        plan_requests.TerminalAdd,
        plan_requests.PlanSet,
        orchestrator_requests.OrchestratorAsk,
        orchestrator_requests.OrchestratorAccept,
        requests.MergeContinue,
        requests.MergeAbort,
        requests.TerminalAnswer,
        requests.TerminalSend,
        requests.TerminalInput,
        requests.TerminalResize,
        terminal_requests.TerminalTake,
        terminal_requests.TerminalGive,
    }
)
"""What `Right.USE` may send too."""

Rule = Callable[[Any], bool]


def _anything(_value: Any) -> bool:
    return True


_PLAN: Mapping[str, Rule] = dict.fromkeys(
    (
        "name", "repo", "target", "max_terminals", "max_review_rounds", "stall_after",
        "idle_after", "nudges", "test_retries", "test_timeout", "test_network", "task",
        "merge", "error", "defaults",
    ),
    _anything,
)  # fmt: skip
_TASK: Mapping[str, Rule] = dict.fromkeys(("id", "name", "branch", "after", "terminal"), _anything)
_TERMINAL: Mapping[str, Rule] = {
    **dict.fromkeys(
        ("cli", "provider", "fallback", "model", "role", "instruction", "timeout", "attempts"),
        _anything,
    ),
    "auto_confirm": _anything,
    "switch": lambda value: value == "isolated",
    "network": _anything,
    "sandbox": lambda value: value == "worktree",
}
"""The keys of a plan that bring nothing of the plan's own choice, and where it matters the values
that take no fence away."""


def check_right(caller: Caller, request: Any) -> None:
    """Raise `Refused` (403) if the caller's right does not reach as far as this request."""
    kind = type(request)
    if caller.key and kind is terminal_requests.TerminalEnter:
        raise Refused(
            403, Reason.NOT_OPENED, "a host's socket is for this machine's own processes, not for "
            f"{_shown(caller)}; `terminal.output` and `terminal.input` reach it from elsewhere"
        )  # fmt: skip
    if caller.right == Right.OWN:
        return
    if caller.right != Right.FEED and kind in READING:
        return
    if caller.right == Right.USE and kind in STEERING:
        _check_brought(caller, request)
        return
    raise Refused(
        403, Reason.NOT_OPENED, f"{_shown(caller)} has the right '{caller.right}', which does not "
        f"reach as far as {kind.__struct_config__.tag}"
    )  # fmt: skip


def _check_brought(caller: Caller, request: Any) -> None:
    """Raise `Refused` (403) for a change of a plan that brings more than the right allows."""
    match request:
        case plan_requests.TaskAdd(task=task):
            _check_task(caller, task, "task.")
        case plan_requests.TerminalAdd(terminal=terminal):
            _check_table(caller, terminal, _TERMINAL, "terminal.")
        case plan_requests.PlanSet(test=test) if test is not msgspec.UNSET:
            raise _closed(caller, "test", "is a command")


def check_plan(
    caller: Caller, request: requests.PlanCheck | requests.PlanSubmit, allowed: Iterable[Path]
) -> None:
    """Raise `Refused` (403) for a plan that brings more than the caller's right allows.

    `allowed` are the repositories that it may name, and directories of such.
    """
    if caller.right == Right.OWN:
        return
    if isinstance(request, requests.PlanSubmit) and request.variables:
        raise _closed(caller, "variables", "says where programs are found")
    plan = request.plan
    if isinstance(plan, str):
        try:
            plan = toml.loads(plan)
        except toml.TomlError:
            return  # the check of the plan says what is wrong with it, and carries nothing out
    _check_table(caller, plan, _PLAN, "")
    for name in ("merge", "error", "defaults"):
        _check_table(caller, plan.get(name), _TERMINAL, f"{name}.")
    for number, task in enumerate(_list(plan.get("task"))):
        _check_task(caller, task, f"task[{number}].")
    _check_place(caller, plan.get("repo"), request.base, allowed)


def _check_task(caller: Caller, task: dict[str, Any], path: str) -> None:
    _check_table(caller, task, _TASK, path)
    for at, terminal in enumerate(_list(task.get("terminal"))):
        _check_table(caller, terminal, _TERMINAL, f"{path}terminal[{at}].")


def _check_table(caller: Caller, table: Any, rules: Mapping[str, Rule], path: str) -> None:
    for name, value in table.items() if isinstance(table, dict) else ():
        if name not in rules or not rules[name](value):
            raise _closed(
                caller, f"{path}{name}", "brings commands, reaches or settings of its own"
            )


def _check_place(caller: Caller, repo: Any, base: str, allowed: Iterable[Path]) -> None:
    if not isinstance(repo, str):
        return  # the check of the plan refuses it
    try:
        place = Path(base, repo).resolve()
        places = [each.resolve() for each in allowed]
    except (OSError, ValueError, RuntimeError):
        places = []
    if not any(place.is_relative_to(each) for each in places):
        raise _closed(caller, "repo", "is none of the repositories that were opened")


def _closed(caller: Caller, path: str, why: str) -> Refused:
    return Refused(
        403,
        Reason.NOT_OPENED,
        f"{_shown(caller)} has the right '{caller.right}'; {path} {why}",
        path=path,
        help="submit it on the machine itself, or start the runtime with --allow-repo DIR for a "
        "repository",
    )


def _shown(caller: Caller) -> str:
    return f"the key {caller.key}" if caller.key else "this session"


def _list(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
