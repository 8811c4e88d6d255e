"""Requests from outside and their replies: one JSON frame each.

`{"type": "workflow.start", "workflow": "demo", "id": "any"}` is answered by
`{"id": "any", "ok": true, "result": …}` or `{"id": "any", "ok": false, "error": {…}}`.
"""

import re
from typing import Annotated, Any, ClassVar, TypeVar, get_args

import msgspec

from bus import checked, results
from bus.errors import ErrorBody, Refused, malformed
from bus.event_requests import EventsNewest
from bus.orchestrator_requests import OrchestratorAccept, OrchestratorAsk
from bus.plan import refusal
from bus.plan_requests import (
    InstructionReplace,
    PlanSet,
    PlanShow,
    TaskAdd,
    TaskCancel,
    TaskMove,
    TerminalAdd,
)
from bus.request_base import Id, OfTask, OfTerminal, OfWorkflow, Request
from bus.rows import Workflow
from bus.terminal_requests import TerminalEnter, TerminalGive, TerminalTake

R = TypeVar("R")

MAX_FRAME = 1 << 20
"""Largest request, in bytes. A larger one is refused with 422 and not decoded."""

CLEAN_SECONDS = 320.0
"""The patience for a cleaning: one that takes 300 s is ended."""
Limit = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class PlanCheck(Request[checked.CheckedPlan], kw_only=True, tag="plan.check"):
    """Check a plan and store nothing.

    `plan` is TOML text or the decoded object. A relative `repo` is relative to `base`. With
    `again`, a branch that exists gets a number (`feat/login-2`) and is no error.
    """

    plan: str | dict[str, Any]
    base: str = ""
    again: bool = False


class PlanSubmit(Request[results.Submitted], kw_only=True, tag="plan.submit"):
    """Store a plan as a new workflow; `plan`, `base` and `again` are as in `PlanCheck`.

    `environment` holds the digests of the client's variables, made with `salt`
    (`bus.environment.digests`). `variables` are those that count for the plan's programs
    (`bus.environment.BROUGHT`); what the plan itself sets counts more.

    With a `key`, the same plan is stored once: a client that had no answer sends the request again,
    and gets the workflow that the first one made.
    """

    plan: str | dict[str, Any]
    base: str = ""
    again: bool = False
    environment: dict[str, str] = {}
    salt: str = ""
    variables: dict[str, str] = {}
    key: Annotated[str, msgspec.Meta(max_length=100)] = ""


class WorkflowList(Request[list[Workflow]], kw_only=True, tag="workflow.list"):
    """Return every workflow."""


class WorkflowGet(OfWorkflow[Workflow], kw_only=True, tag="workflow.get"):
    """Return one workflow."""


class WorkflowPrepare(OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.prepare"):
    """Make a workflow's worktrees and start its terminals, up to `ready`."""


class WorkflowStart(OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.start"):
    """Let a workflow that is `ready` begin its work."""


class WorkflowPause(OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.pause"):
    """Pause a workflow; with `freeze`, also send SIGSTOP to its running programs."""

    freeze: bool = False


class WorkflowResume(OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.resume"):
    """Let a paused workflow go on."""


class WorkflowStop(OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.stop"):
    """End a workflow and its programs. Branches and uncommitted work are kept."""


class WorkflowRepair(OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.repair"):
    """Start error terminals for what failed; `cli` is their profile if the plan names none."""

    cli: str = ""


class WorkflowClean(OfWorkflow[results.Cleaned], kw_only=True, tag="workflow.clean"):
    """Remove what a workflow that is over left: worktrees, refs, outputs. No commit is lost.

    With `dry_run`, change nothing and return what would be removed. With `keep_outputs`, what the
    terminals wrote stays.
    """

    patience: ClassVar[float] = CLEAN_SECONDS

    dry_run: bool = False
    keep_outputs: bool = False


class WorkflowForget(OfWorkflow[results.Cleaned], kw_only=True, tag="workflow.forget"):
    """Do what `WorkflowClean` does, and then remove the workflow's rows and facts."""

    patience: ClassVar[float] = CLEAN_SECONDS


class TaskRetry(OfTask[results.CommandDone], kw_only=True, tag="task.retry"):
    """Start the failed terminals of a task again, or the one that is stuck."""


class TaskApprove(OfTask[results.CommandDone], kw_only=True, tag="task.approve"):
    """Accept a task's work. `commit` is the reviewed tip; refused if the branch has moved on."""

    commit: str = ""


class TaskReject(OfTask[results.CommandDone], kw_only=True, tag="task.reject"):
    """Send a task's work back to its coder."""

    reason: Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]
    """What is to be mended, for the coder; it may not be blank."""


class TaskDiff(OfTask[results.TaskDiff], kw_only=True, tag="task.diff"):
    """Return what a task's branch changes; with `stat`, only the files and line counts."""

    stat: bool = False


class MergePreview(OfWorkflow[list[results.BranchPreview]], kw_only=True, tag="merge.preview"):
    """Return what the merge of each branch would do."""


class MergeContinue(OfWorkflow[results.CommandDone], kw_only=True, tag="merge.continue"):
    """Go on with a merge: check a resolution made by hand, or build a failed merge again."""


class MergeAbort(OfWorkflow[results.CommandDone], kw_only=True, tag="merge.abort"):
    """Give up a merge. The workflow fails; its branches and its target stay as they are."""


class ConfigRestore(OfWorkflow[results.ConfigSettled], kw_only=True, tag="config.restore"):
    """Put a repository's configuration, hooks and attributes back, as at the submission."""


class ConfigAccept(OfWorkflow[results.ConfigSettled], kw_only=True, tag="config.accept"):
    """Take a repository's configuration, hooks and attributes as they are now."""


class TerminalAnswer(OfTerminal[results.Answered], kw_only=True, tag="terminal.answer"):
    """Answer a terminal's prompt; `choice` is the label of one of its choices."""

    choice: str


class TerminalSend(OfTerminal[results.CommandDone], kw_only=True, tag="terminal.send"):
    """Give a terminal that works a further instruction, `text`."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=200_000, pattern=r"\S")]


class TerminalOutput(OfTerminal[results.TerminalBytes], kw_only=True, tag="terminal.output"):
    """Return at most `limit` bytes of a terminal's output, from `offset` on.

    If there is no output beyond `offset` yet, the reply waits for some, for at most `wait` seconds.
    `incarnation` says which program's output; 0 is the newest.
    """

    offset: Seq = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1 << 18)] = 1 << 16
    wait: Annotated[float, msgspec.Meta(ge=0, le=30)] = 0.0
    incarnation: Seq = 0


class TerminalInput(OfTerminal[results.Typed], kw_only=True, tag="terminal.input"):
    """Type bytes (`data`, base64 in JSON) or `text`, at most once for each `key`.

    Refused if `incarnation` is given and is not the one that runs. A `session` holds the keyboard
    while it types; another session is refused meanwhile.
    """

    data: bytes = b""
    text: str = ""
    key: Annotated[str, msgspec.Meta(max_length=200)] = ""
    incarnation: Seq = 0
    session: Annotated[str, msgspec.Meta(max_length=200)] = ""


class TerminalResize(OfTerminal[results.Resized], kw_only=True, tag="terminal.resize"):
    """Set the size of the window. It returns to 40 x 120 when its `session` has left."""

    rows: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    columns: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    session: Annotated[str, msgspec.Meta(max_length=200)] = ""


class TerminalScreen(OfTerminal[results.TerminalScreen], kw_only=True, tag="terminal.screen"):
    """Return what the terminal's screen shows now."""


class Usage(Request[results.UsageReport], kw_only=True, tag="usage"):
    """Return what the terminals of `address` and below have used ("" for all)."""

    address: str = ""


class TreeInspect(Request[results.Node], kw_only=True, tag="tree.inspect"):
    """Return the supervision tree."""


class EventsReplay(Request[results.Page], kw_only=True, tag="events.replay"):
    """Return facts with `seq` > `after`, oldest first, of `address` and below ("" for all)."""

    after: Seq = 0
    limit: Limit = 1000
    address: str = ""


class EventsCompact(Request[results.Compacted], kw_only=True, tag="events.compact"):
    """Remove the facts of finished workflows."""


class Snapshot(Request[results.Picture], kw_only=True, tag="snapshot"):
    """Return all workflows, with the `seq` up to which they are current."""


class Why(Request[results.Chain], kw_only=True, tag="why"):
    """Return the facts that led to the status of an address."""

    address: str


class RuntimeInfo(Request[results.RuntimeState], kw_only=True, tag="runtime.info"):
    """Return the state of the runtime."""


class RuntimeStop(Request[results.Stopping], kw_only=True, tag="runtime.stop"):
    """End the runtime; with `terminals`, end every program too."""

    terminals: bool = False


Command = (
    WorkflowPrepare
    | WorkflowStart
    | WorkflowPause
    | WorkflowResume
    | WorkflowStop
    | WorkflowRepair
    | TaskRetry
    | TaskApprove
    | TaskReject
    | MergeContinue
    | MergeAbort
    | TerminalSend
    | TaskAdd
    | TaskCancel
    | TaskMove
    | TerminalAdd
    | InstructionReplace
    | PlanSet
    | OrchestratorAsk
    | OrchestratorAccept
)
"""The requests that the workflow actor decides on."""

ConfigRequest = ConfigRestore | ConfigAccept
"""The requests that the git watcher of a workflow answers."""

ConsoleRequest = (
    TerminalOutput | TerminalInput | TerminalResize | TerminalTake | TerminalEnter | TerminalGive
)
"""The requests that the actor of the consoles answers."""

AnyRequest = (
    Command
    | PlanCheck
    | PlanSubmit
    | PlanShow
    | WorkflowList
    | WorkflowGet
    | WorkflowClean
    | WorkflowForget
    | MergePreview
    | TaskDiff
    | ConfigRequest
    | ConsoleRequest
    | TerminalAnswer
    | TerminalScreen
    | Usage
    | TreeInspect
    | EventsReplay
    | EventsNewest
    | EventsCompact
    | Snapshot
    | Why
    | RuntimeInfo
    | RuntimeStop
)


def _result(kind: Any) -> Any:
    """Return the type of the result that a class of requests names."""
    (named,) = get_args(kind.__orig_bases__[0])
    return named


_RESULTS = {kind: msgspec.json.Decoder(_result(kind)).decode for kind in get_args(AnyRequest)}


def decode_result(request: Request[R], raw: bytes) -> R:
    """Return the result of a request from its JSON. Raise `msgspec.ValidationError`."""
    decoded: R = _RESULTS[type(request)](raw)
    return decoded


class Reply(msgspec.Struct, omit_defaults=True):
    """The reply to a request: `result` (still encoded) if `ok`, otherwise `error`."""

    id: Any
    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorBody | None = None


class _Id(msgspec.Struct):
    id: Id = None


_decode = msgspec.json.Decoder(AnyRequest).decode
_decode_id = msgspec.json.Decoder(_Id).decode
encode = msgspec.json.Encoder().encode
decode_reply = msgspec.json.Decoder(Reply).decode
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


def decode(frame: bytes) -> AnyRequest:
    """Return the request in an untrusted frame. Raise only `Refused` (422)."""
    if len(frame) > MAX_FRAME:
        raise malformed("", f"a request holds at most {MAX_FRAME} bytes, not {len(frame)}")
    try:
        request: AnyRequest = _decode(frame)
    except msgspec.ValidationError as error:
        raise refusal(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("", f"not a JSON request: {error}") from error
    if _LONG_NUMBER.search(frame):
        _require_small_numbers(request)
    return request


def _require_small_numbers(request: AnyRequest) -> None:
    """Raise `Refused` (422) for a number that no message between actors can hold.

    Only the parts of a request that are free, such as a plan, may have one.
    """
    try:
        msgspec.msgpack.encode(request)
    except OverflowError:
        raise malformed("", "an integer has at most 64 bits") from None


def id_of(frame: bytes) -> Any:
    """Return the id of a request that may otherwise be wrong; None if it has none."""
    try:
        return _decode_id(frame).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def succeeded(id: Any, result: Any = None) -> bytes:
    """Return the reply of a request that succeeded."""
    return encode({"id": id, "ok": True, "result": result})


def refused(id: Any, error: Refused) -> bytes:
    """Return the reply of a request that was refused."""
    return encode(Reply(id, False, error=error.body))
