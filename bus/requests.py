"""Requests from outside and their replies: one JSON frame each.

`{"type": "workflow.start", "workflow": "demo", "id": "any"}` is answered by
`{"id": "any", "ok": true, "result": …}` or `{"id": "any", "ok": false, "error": {…}}`.
"""

from typing import Annotated, Any, Generic, TypeVar, get_args

import msgspec

from bus import results
from bus.errors import ErrorBody, Refused, malformed
from bus.plan import refusal
from bus.rows import Workflow

R = TypeVar("R")

MAX_FRAME = 1 << 20
"""Bytes. A larger request is answered with 422 before it is looked at."""

Limit = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Id = str | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | float | bool | None
"""Whatever a client likes to tell its requests apart by, as long as it is one value that
every encoding on the way can hold."""


class Request(
    msgspec.Struct, Generic[R], tag_field="type", kw_only=True, forbid_unknown_fields=True
):
    """Base of all requests.

    `id` comes back in the reply as it was; `R` is the type of the result.
    """

    id: Id = None


class _OfWorkflow(Request[R], Generic[R], kw_only=True):
    """`workflow`: an id, an address, or a unique prefix of an id."""

    workflow: str


class _OfTask(Request[R], Generic[R], kw_only=True):
    """`task`: the address of a task, or of one of its terminals."""

    task: str


class _OfTerminal(Request[R], Generic[R], kw_only=True):
    """`terminal`: the address of a terminal."""

    terminal: str


class PlanCheck(Request[results.CheckedPlan], kw_only=True, tag="plan.check"):
    """`plan`: TOML text or the decoded object; `base`: the directory a relative `repo`
    is taken from.
    """

    plan: str | dict[str, Any]
    base: str = ""


class PlanSubmit(Request[results.Submitted], kw_only=True, tag="plan.submit"):
    plan: str | dict[str, Any]
    base: str = ""
    environment: dict[str, str] = {}
    salt: str = ""


class WorkflowList(Request[list[Workflow]], kw_only=True, tag="workflow.list"):
    pass


class WorkflowGet(_OfWorkflow[Workflow], kw_only=True, tag="workflow.get"):
    pass


class WorkflowPrepare(_OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.prepare"):
    pass


class WorkflowStart(_OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.start"):
    pass


class WorkflowPause(_OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.pause"):
    """`freeze`: also SIGSTOP the running programs."""

    freeze: bool = False


class WorkflowResume(_OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.resume"):
    pass


class WorkflowStop(_OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.stop"):
    pass


class WorkflowRepair(_OfWorkflow[results.CommandDone], kw_only=True, tag="workflow.repair"):
    """`cli`: the profile of the error terminal where the plan names none."""

    cli: str = ""


class TaskRetry(_OfTask[results.CommandDone], kw_only=True, tag="task.retry"):
    pass


class TaskApprove(_OfTask[results.CommandDone], kw_only=True, tag="task.approve"):
    """`commit`: the tip that was judged; refused where the branch has moved on since."""

    commit: str = ""


class TaskReject(_OfTask[results.CommandDone], kw_only=True, tag="task.reject"):
    reason: Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]
    """What is to be mended; blanks would tell the coder nothing."""


class TaskDiff(_OfTask[results.TaskDiff], kw_only=True, tag="task.diff"):
    """`stat`: only the files and their lines, not the diff itself."""

    stat: bool = False


class MergePreview(_OfWorkflow[list[results.BranchPreview]], kw_only=True, tag="merge.preview"):
    pass


class MergeContinue(_OfWorkflow[results.CommandDone], kw_only=True, tag="merge.continue"):
    pass


class MergeAbort(_OfWorkflow[results.CommandDone], kw_only=True, tag="merge.abort"):
    pass


class TerminalAnswer(_OfTerminal[results.Answered], kw_only=True, tag="terminal.answer"):
    """`choice`: the label of one of the prompt's choices."""

    choice: str


class TerminalSend(_OfTerminal[results.CommandDone], kw_only=True, tag="terminal.send"):
    """`text`: what a terminal that works is told as its next instruction."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=200_000, pattern=r"\S")]


class TerminalOutput(_OfTerminal[results.TerminalBytes], kw_only=True, tag="terminal.output"):
    """Output by offset.

    Where there is none beyond `offset` yet, the answer comes when there is some, or after `wait`
    seconds. `incarnation`: which program's, 0 for the newest.
    """

    offset: Seq = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1 << 18)] = 1 << 16
    wait: Annotated[float, msgspec.Meta(ge=0, le=30)] = 0.0
    incarnation: Seq = 0


class TerminalInput(_OfTerminal[results.Typed], kw_only=True, tag="terminal.input"):
    """Type bytes (base64 in JSON) or text, once for a `key`.

    Refused where `incarnation` is given and is not the one that runs. A `session` holds the
    keyboard while it types: another one is refused meanwhile.
    """

    data: bytes = b""
    text: str = ""
    key: Annotated[str, msgspec.Meta(max_length=200)] = ""
    incarnation: Seq = 0
    session: Annotated[str, msgspec.Meta(max_length=200)] = ""


class TerminalResize(_OfTerminal[results.Resized], kw_only=True, tag="terminal.resize"):
    """Set the window. It goes back to 40 x 120 when its `session` has left."""

    rows: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    columns: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    session: Annotated[str, msgspec.Meta(max_length=200)] = ""


class TerminalGive(_OfTerminal[results.Given], kw_only=True, tag="terminal.give"):
    """The `session` has left: others may type, and the window goes back to 40 x 120."""

    session: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class TerminalScreen(_OfTerminal[results.TerminalScreen], kw_only=True, tag="terminal.screen"):
    """What the terminal's screen shows now."""


class TreeInspect(Request[results.Node], kw_only=True, tag="tree.inspect"):
    pass


class EventsReplay(Request[results.Page], kw_only=True, tag="events.replay"):
    """Facts with `seq` > `after`, oldest first, of `address` and below ("" for all)."""

    after: Seq = 0
    limit: Limit = 1000
    address: str = ""


class EventsCompact(Request[results.Compacted], kw_only=True, tag="events.compact"):
    """Forget the facts of finished workflows."""


class Snapshot(Request[results.Picture], kw_only=True, tag="snapshot"):
    pass


class Why(Request[results.Chain], kw_only=True, tag="why"):
    address: str


class RuntimeInfo(Request[results.RuntimeState], kw_only=True, tag="runtime.info"):
    pass


class RuntimeStop(Request[results.Stopping], kw_only=True, tag="runtime.stop"):
    """`terminals`: end every program too."""

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
)
"""What the workflow actor decides on."""

ConsoleRequest = TerminalOutput | TerminalInput | TerminalResize | TerminalGive
"""What the consoles' actor answers."""

AnyRequest = (
    Command
    | PlanCheck
    | PlanSubmit
    | WorkflowList
    | WorkflowGet
    | MergePreview
    | TaskDiff
    | TerminalAnswer
    | TerminalOutput
    | TerminalInput
    | TerminalResize
    | TerminalGive
    | TerminalScreen
    | TreeInspect
    | EventsReplay
    | EventsCompact
    | Snapshot
    | Why
    | RuntimeInfo
    | RuntimeStop
)


def _result(kind: Any) -> Any:
    """The type that a class of requests names as its result."""
    (named,) = get_args(kind.__orig_bases__[0])
    return named


_RESULTS = {kind: msgspec.json.Decoder(_result(kind)).decode for kind in get_args(AnyRequest)}


def decode_result(request: Request[R], raw: bytes) -> R:
    """The result of this request from its JSON. Raises `msgspec.ValidationError`."""
    decoded: R = _RESULTS[type(request)](raw)
    return decoded


class Reply(msgspec.Struct, omit_defaults=True):
    """`ok` decides which of `result` (encoded still) and `error` is there."""

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


def decode(frame: bytes) -> AnyRequest:
    """A request from a stranger's frame. Raises `Refused` (422), whatever the bytes."""
    if len(frame) > MAX_FRAME:
        raise malformed("", f"a request holds at most {MAX_FRAME} bytes, not {len(frame)}")
    try:
        request: AnyRequest = _decode(frame)
    except msgspec.ValidationError as error:
        raise refusal(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("", f"not a JSON request: {error}") from error
    return request


def id_of(frame: bytes) -> Any:
    """The id of a request that may be wrong otherwise; None where there is none."""
    try:
        return _decode_id(frame).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def succeeded(id: Any, result: Any = None) -> bytes:
    return encode({"id": id, "ok": True, "result": result})


def refused(id: Any, error: Refused) -> bytes:
    return encode(Reply(id, False, error=error.body))
