"""Which HTTP route is which request: one table, from which the app and OpenAPI are made.

A route has no behaviour of its own. It builds one of `bus.requests`' structs from the path, the
query and the body, and its answer is that request's result.
"""

import functools
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from bus import orchestrator_requests, plan_requests, requests, terminal_requests
from bus.errors import Refused, malformed
from bus.event_requests import EventsNewest

Values = Mapping[str, Any]
"""The values of a route by name: of its path, its query, and the fields of its body."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route.

    `fixed` are fields that the route itself sets; `names` maps a value of the path to the request's
    field where they differ; `query` names the fields that the query may set; `body` says that the
    other fields come as a JSON object.
    """

    method: str
    path: str
    request: type[Any]
    summary: str
    fixed: dict[str, Any] = {}
    names: dict[str, str] = {}
    query: tuple[str, ...] = ()
    body: bool = False
    status: int = HTTPStatus.OK
    location: str = ""
    """The path of what a 201 made; `{id}` is taken from the result."""

    @property
    def path_names(self) -> list[str]:
        """The names in the path, without a converter's type."""
        return [
            part[1:-1].partition(":")[0] for part in self.path.split("/") if part.startswith("{")
        ]

    @property
    def body_fields(self) -> tuple[msgspec.inspect.Field, ...]:
        """The request's fields that come in the body."""
        if not self.body:
            return ()
        taken = {"id", *self.fixed, *self.query}
        taken |= {self.names.get(name, name) for name in self.path_names}
        info = msgspec.inspect.type_info(self.request)
        assert isinstance(info, msgspec.inspect.StructType)
        return tuple(field for field in info.fields if field.name not in taken)


def _workflow_command(word: str, request: type[Any], summary: str, body: bool = False) -> Route:
    return Route(
        method="POST",
        path=f"/api/workflows/{{workflow}}/{word}",
        request=request,
        summary=summary,
        body=body,
    )


def _task_command(word: str, request: type[Any], summary: str, body: bool = False) -> Route:
    return Route(
        method="POST",
        path=f"/api/tasks/{{task:path}}/{word}",
        request=request,
        summary=summary,
        body=body,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/workflows",
        request=requests.PlanSubmit,
        summary="Store a plan as a workflow",
        body=True,
        status=HTTPStatus.CREATED,
        location="/api/workflows/{id}",
    ),
    Route(
        method="POST",
        path="/api/plans/check",
        request=requests.PlanCheck,
        summary="Check a plan; start nothing",
        body=True,
    ),
    Route(
        method="GET",
        path="/api/workflows",
        request=requests.WorkflowList,
        summary="Show every workflow",
    ),
    Route(
        method="GET",
        path="/api/workflows/{workflow}",
        request=requests.WorkflowGet,
        summary="Show one workflow",
    ),
    _workflow_command("prepare", requests.WorkflowPrepare, "Start the terminals"),
    _workflow_command("start", requests.WorkflowStart, "Set a ready workflow to work"),
    _workflow_command("pause", requests.WorkflowPause, "Give out nothing new", body=True),
    _workflow_command("resume", requests.WorkflowResume, "Go on after a pause"),
    _workflow_command("stop", requests.WorkflowStop, "End a workflow for good"),
    _workflow_command("repair", requests.WorkflowRepair, "Repair after a failure", body=True),
    _workflow_command("clean", requests.WorkflowClean, "Remove what it left, lose no commit", True),
    _workflow_command("forget", requests.WorkflowForget, "Remove it from the views"),
    Route(
        method="POST",
        path="/api/workflows/{workflow}/merge/continue",
        request=requests.MergeContinue,
        summary="Go on with a merge after resolving by hand",
    ),
    Route(
        method="POST",
        path="/api/workflows/{workflow}/merge/abort",
        request=requests.MergeAbort,
        summary="Give up a merge",
    ),
    Route(
        method="GET",
        path="/api/workflows/{workflow}/merge/preview",
        request=requests.MergePreview,
        summary="Predict a merge",
    ),
    _workflow_command(
        "config/restore", requests.ConfigRestore, "Put the repository's configuration back"
    ),
    _workflow_command(
        "config/accept", requests.ConfigAccept, "Take the repository's configuration as it is"
    ),
    _workflow_command(
        "ask", orchestrator_requests.OrchestratorAsk, "Ask the orchestrator's model", body=True
    ),
    _workflow_command(
        "accept", orchestrator_requests.OrchestratorAccept, "Carry its proposal out", body=True
    ),
    Route(
        method="GET",
        path="/api/workflows/{workflow}/plan",
        request=plan_requests.PlanShow,
        summary="Show the plan as it is now",
    ),
    _workflow_command("plan", plan_requests.PlanSet, "Set keys of the plan", body=True),
    _workflow_command("tasks", plan_requests.TaskAdd, "Add a task", body=True),
    _task_command("cancel", plan_requests.TaskCancel, "Give up a task"),
    _task_command("move", plan_requests.TaskMove, "Give a task another place", body=True),
    _task_command("terminals", plan_requests.TerminalAdd, "Add a terminal", body=True),
    _task_command("retry", requests.TaskRetry, "Start a task's terminal again"),
    _task_command("approve", requests.TaskApprove, "Accept work that waits for review"),
    _task_command("reject", requests.TaskReject, "Send work back with a reason", body=True),
    Route(
        method="GET",
        path="/api/tasks/{task:path}/diff",
        request=requests.TaskDiff,
        summary="Show what a task's branch changes",
    ),
    Route(
        method="POST",
        path="/api/terminals/{terminal:path}/instruction",
        request=plan_requests.InstructionReplace,
        summary="Replace an instruction that was not sent yet",
        body=True,
    ),
    Route(
        method="POST",
        path="/api/terminals/{terminal:path}/answer",
        request=requests.TerminalAnswer,
        summary="Answer a program's question",
        body=True,
    ),
    Route(
        method="GET",
        path="/api/terminals/{terminal:path}/screen",
        request=requests.TerminalScreen,
        summary="Show what a terminal's screen shows",
    ),
    Route(
        method="GET",
        path="/api/terminals/{terminal:path}/output",
        request=requests.TerminalOutput,
        summary="Read a terminal's output by offset",
        query=("offset", "limit", "wait", "incarnation"),
    ),
    Route(
        method="POST",
        path="/api/terminals/{terminal:path}/input",
        request=requests.TerminalInput,
        summary="Type into a terminal",
        body=True,
    ),
    Route(
        method="POST",
        path="/api/terminals/{terminal:path}/resize",
        request=requests.TerminalResize,
        summary="Set a terminal's window",
        body=True,
    ),
    Route(
        method="POST",
        path="/api/terminals/{terminal:path}/take",
        request=terminal_requests.TerminalTake,
        summary="Take a terminal's keyboard, or keep it",
        body=True,
    ),
    Route(
        method="POST",
        path="/api/terminals/{terminal:path}/give",
        request=terminal_requests.TerminalGive,
        summary="Let others type, and the window go back to its size",
        body=True,
    ),
    Route(
        method="POST",
        path="/api/terminals/{terminal:path}/send",
        request=requests.TerminalSend,
        summary="Give a terminal its next instruction",
        body=True,
    ),
    Route(
        method="GET",
        path="/api/why/{address:path}",
        request=requests.Why,
        summary="Show the facts behind a status",
    ),
    Route(
        method="POST",
        path="/api/newest",
        request=EventsNewest,
        summary="Find the newest facts of some types",
        body=True,
    ),
    Route(
        method="GET",
        path="/api/usage",
        request=requests.Usage,
        summary="Show what was used",
        query=("address",),
    ),
    Route(
        method="GET",
        path="/api/tree",
        request=requests.TreeInspect,
        summary="Show the supervision tree",
    ),
    Route(
        method="GET",
        path="/api/snapshot",
        request=requests.Snapshot,
        summary="Show all rows, and the seq they are true at",
    ),
    Route(
        method="GET",
        path="/api/runtime",
        request=requests.RuntimeInfo,
        summary="Show the runtime itself",
    ),
)
"""Every route that is a request. Events, terminal streams, OpenAPI and health stand beside it."""


def build(route: Route, path: Values, query: Mapping[str, str], body: Values) -> Any:
    """Return the request of a call. Raises `Refused` (422) with the field at fault."""
    unknown = sorted(set(query) - set(route.query))
    if unknown:
        raise malformed(unknown[0], "this route has no such query parameter")
    fields: dict[str, Any] = {route.names.get(name, name): value for name, value in path.items()}
    own = sorted(set(body) & {"id", "type", *fields, *route.fixed})
    if own:
        raise malformed(own[0], "the body does not set this field")
    request: Any = route.request
    texts = _texts(request)
    values = {name: text if name in texts else _number(text) for name, text in query.items()}
    fields |= values | dict(body) | route.fixed
    kind = request.__struct_config__.tag
    try:
        return requests.decode(requests.encode({"type": kind, **fields}))
    except Refused:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise malformed("", f"cannot be sent on: {error}") from error


@functools.cache
def _texts(request: Any) -> frozenset[str]:
    """Return which fields of a request are text. To look them up takes longer than to build it."""
    return frozenset(field.name for field in msgspec.structs.fields(request) if field.type is str)


def _number(text: str) -> int | float | str:
    """Return a number as a number; the check of the field refuses any other text."""
    if re.fullmatch(r"-?[0-9]{1,19}", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?[0-9]{1,19}\.[0-9]{1,19}", text) else text
