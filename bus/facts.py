"""Facts: what happened, as typed structs.

The journal stores each with its `seq`, and the publisher sends it as `ADDRESS SPACE JSON`.

The journal sets `seq` and `at` inside the transaction that stores the fact; before, they are 0 and
"". A class whose `observed` is true is an observation: the workflow actor of its address decides on
it. The other facts are consequences, for clients that follow the feed.
"""

from typing import Any, ClassVar, get_args

import msgspec

from bus.action import Action
from bus.kinds import MergeRefusal
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus


class Fact(msgspec.Struct, tag_field="type", kw_only=True):
    """Base of all facts. `at` is UTC, RFC 3339 with microseconds and `Z`."""

    observed: ClassVar[bool] = False

    seq: int = 0
    at: str = ""
    address: str


# ---- statuses (made by the journal from each transition) --------------------------


class WorkflowMoved(Fact, kw_only=True, tag="workflow.status"):
    """A workflow changed its status.

    `by` is who caused it: a `bus.peer.By`, or "" for the runtime. `peer` is what the system reports
    about that process.
    """

    old: WorkflowStatus | None
    new: WorkflowStatus
    reason: str = ""
    by: str = ""
    peer: str = ""


class TaskMoved(Fact, kw_only=True, tag="task.status"):
    """A task changed its status; `by` and `peer` are as in `WorkflowMoved`."""

    old: TaskStatus | None
    new: TaskStatus
    reason: str = ""
    by: str = ""
    peer: str = ""


class TerminalMoved(Fact, kw_only=True, tag="terminal.status"):
    """A terminal changed its status; `by` and `peer` are as in `WorkflowMoved`."""

    old: TerminalStatus | None
    new: TerminalStatus
    reason: str = ""
    incarnation: int = 0
    by: str = ""
    peer: str = ""


# ---- commits and refs (the git watcher) --------------------------------------------


class CommitSeen(Fact, kw_only=True, tag="commit.seen"):
    """A new commit on a task's branch.

    `address` is the task. `verdict` is what the message says: a `bus.commit_words.Meaning`, or ""
    for nothing. `problem` is why the commit cannot count, according to its message or to git.
    `issues` are the words of a reviewer or of a failing coder. `written` is the author's time if
    history was rewritten (a rebase copies others' words), otherwise "". `note` is what git showed
    that does not count against the commit: a lock file of a process that is gone.
    """

    observed = True

    branch: str
    commit: str
    subject: str = ""
    author: str = ""
    verdict: str = ""
    issues: str = ""
    names: dict[str, str] = {}
    problem: str = ""
    written: str = ""
    note: str = ""


class CommitWaits(Fact, kw_only=True, tag="commit.waits"):
    """A completion is neither accepted nor rejected yet, for `reason`.

    Either git still writes in the worktree, or git cannot examine it (`failed`); then the terminal
    is told.
    """

    observed = True

    branch: str
    commit: str
    reason: str
    failed: bool = False


class CommitRejected(Fact, kw_only=True, tag="commit.rejected"):
    """A completion was not accepted; the terminal is told `reason`."""

    branch: str
    commit: str
    subject: str = ""
    reason: str


class RefRewritten(Fact, kw_only=True, tag="ref.rewritten"):
    """The history of a watched branch was changed.

    `kind` is `amend`, `rebase`, `reset`, `force`, `deleted` or `created`. `old` and `new` are
    commit ids or "".
    """

    observed = True

    ref: str
    kind: str
    old: str = ""
    new: str = ""


class TaskReopened(Fact, kw_only=True, tag="task.reopened"):
    """The branch moved on to `commit` after `accepted` was accepted.

    No later commit lands before it is accepted too.
    """

    accepted: str
    commit: str
    reason: str


# ---- terminals ----------------------------------------------------------------------


class TerminalReady(Fact, kw_only=True, tag="terminal.ready"):
    """The program shows its ready pattern on a quiet screen.

    `seconds` is the time since its host started it.
    """

    observed = True

    incarnation: int
    seconds: float = 0.0


class TerminalUnverified(Fact, kw_only=True, tag="terminal.unverified"):
    """The program's profile was not verified with this `version` ("" if unknown).

    No rule answers the prompts of such a program.
    """

    incarnation: int
    cli: str
    version: str
    verified: list[str]


class LaunchFailed(Fact, kw_only=True, tag="terminal.launch_failed"):
    """The program could not be started or did not become ready; `screen` is its last screen."""

    observed = True

    incarnation: int
    reason: str
    screen: str = ""


class TerminalExited(Fact, kw_only=True, tag="terminal.exited"):
    """The program and its process group are gone.

    `kind`: `exited` (status = code), `signaled` (status = signal), `exec_failed` (status = errno),
    `lost` (the host died, so the status is unknown). `unsure` is the step of an instruction whose
    delivery is unknown because its host is gone; 0 if there is none.
    """

    observed = True

    incarnation: int
    kind: str
    status: int = 0
    offset: int = 0
    leftovers: int = 0
    screen: str = ""
    unsure: int = 0


class TerminalAdopted(Fact, kw_only=True, tag="terminal.adopted"):
    """A runtime found the program still running and took it over at `offset`."""

    incarnation: int
    pid: int
    offset: int


class InstructionSent(Fact, kw_only=True, tag="instruction.sent"):
    """The text of an instruction was typed into the terminal."""

    incarnation: int
    step: int
    bytes: int


class InstructionDelivered(Fact, kw_only=True, tag="instruction.delivered"):
    """A new turn was seen to begin after the text was sent."""

    incarnation: int
    step: int


class InstructionUnconfirmed(Fact, kw_only=True, tag="instruction.unconfirmed"):
    """The text was sent and no new turn was seen; it is not typed again.

    If no `instruction.sent` precedes this fact, it is unknown whether the text was typed: the
    runtime died before it stored that, and the host died too.
    """

    incarnation: int
    step: int
    screen: str = ""


class TerminalBlocked(Fact, kw_only=True, tag="terminal.blocked"):
    """A prompt waits for a person.

    `prompt` is the profile's name for it, or `unknown`, or `unrecognised` for a quiet screen that
    is neither ready nor busy nor a question.
    """

    incarnation: int
    prompt: str
    choices: list[str] = []
    text: str = ""


class TurnEnded(Fact, kw_only=True, tag="turn.ended"):
    """The program is no longer busy with the instruction `step` and can take another."""

    incarnation: int
    step: int


class TurnWithoutCommit(Fact, kw_only=True, tag="turn.without_commit"):
    """A turn ended without a commit that counts.

    The program has been quiet for the plan's `idle_after` since then. It gets `missing` as an
    instruction.
    """

    observed = True

    incarnation: int
    step: int
    missing: str


class TerminalIdle(Fact, kw_only=True, tag="terminal.idle"):
    """The terminal waits for a person.

    Either its turn has ended without a commit that counts and the plan's `nudges` are used up, or
    its screen takes no instruction. `obstacle` is then `password`, `pager` or `editor`; otherwise
    it is "".
    """

    incarnation: int
    step: int
    missing: str
    obstacle: str = ""
    screen: str = ""


class TerminalStalled(Fact, kw_only=True, tag="terminal.stalled"):
    """The screen has shown nothing new for `seconds`; blinking, spinners, counters do not count."""

    incarnation: int
    seconds: float
    screen: str = ""


class TerminalAnswered(Fact, kw_only=True, tag="terminal.answered"):
    """A prompt was answered; `by` is `person` or `policy`, `peer` is as in `WorkflowMoved`."""

    incarnation: int
    choice: str
    by: str
    peer: str = ""


class TerminalTaken(Fact, kw_only=True, tag="terminal.taken"):
    """A session began to type into the terminal; `by` and `peer` are as in `WorkflowMoved`.

    The typed text is not stored.
    """

    incarnation: int
    by: str
    peer: str = ""


class TerminalGiven(Fact, kw_only=True, tag="terminal.given"):
    """No session types into the terminal any more."""

    incarnation: int


class TerminalResumed(Fact, kw_only=True, tag="terminal.resumed"):
    """The terminal is no longer blocked, stalled or idle."""

    incarnation: int


class TargetMoved(Fact, kw_only=True, tag="merge.target_moved"):
    """The target moved after the merge was built on `old`; it is built again on `new`."""

    observed = True

    target: str
    old: str
    new: str


class TimedOut(Fact, kw_only=True, tag="terminal.timeout"):
    """The terminal worked longer than its `timeout` in the plan."""

    observed = True

    incarnation: int
    seconds: float


# ---- merge (the merger) -------------------------------------------------------------


class MergeStarted(Fact, kw_only=True, tag="merge.started"):
    """The branches were merged in order on `base`; `commit` is the result, to be tested."""

    observed = True

    target: str
    base: str
    commit: str
    branches: list[str]


class MergeConflict(Fact, kw_only=True, tag="merge.conflict"):
    """A merge has a conflict; `worktree` holds it for the person or agent that resolves it."""

    observed = True

    files: list[str]
    branch: str
    against: list[str] = []
    worktree: str = ""
    start: str = ""


class MergeTested(Fact, kw_only=True, tag="merge.tested"):
    """The plan's tests ran on `commit`.

    `status` is the exit code. `output` is a directory whose files, in the order of their names,
    hold the whole output.
    """

    observed = True

    commit: str
    passed: bool
    command: list[str]
    status: int = 0
    seconds: float = 0.0
    timed_out: bool = False
    run: int = 1
    output: str = ""
    tail: str = ""


class ResolutionJudged(Fact, kw_only=True, tag="merge.resolution"):
    """A resolution of a conflict was checked; `problems` is empty if it is accepted."""

    observed = True

    commit: str
    problems: list[str]


class MergeRefused(Fact, kw_only=True, tag="merge.refused"):
    """The merge ended without landing; `message` gives the reason in a sentence."""

    observed = True

    reason: MergeRefusal
    message: str
    files: list[str] = []


class MergeLanded(Fact, kw_only=True, tag="merge.landed"):
    """The target was set from `old` to the merge `new`."""

    observed = True

    target: str
    old: str
    new: str
    tested: bool = True


class MergeBehind(Fact, kw_only=True, tag="merge.behind"):
    """`commit` has landed, but these checkouts of the target could not be updated.

    A filter may hang or fail there, for instance. Git's index of such a checkout stays locked until
    the merge is continued.
    """

    observed = True

    target: str
    commit: str
    checkouts: list[str]
    message: str


class MergeForecast(Fact, kw_only=True, tag="merge.forecast"):
    """Two live branches would conflict now in `files`; empty if they no longer do."""

    branches: list[str]
    files: list[str]


class RepairOffered(Fact, kw_only=True, tag="repair.offered"):
    """Something failed and can be repaired: what, the evidence, and the steps that go on.

    `commands` holds the same steps as text, in journals of version 0.1.0 only.
    """

    failed: list[str]
    evidence: str
    actions: list[Action] = []
    commands: list[str] = []


# ---- the runtime --------------------------------------------------------------------


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


AnyFact = (
    WorkflowMoved
    | TaskMoved
    | TerminalMoved
    | CommitSeen
    | CommitWaits
    | CommitRejected
    | RefRewritten
    | TaskReopened
    | TerminalReady
    | TerminalUnverified
    | LaunchFailed
    | TerminalExited
    | TerminalAdopted
    | InstructionSent
    | InstructionDelivered
    | InstructionUnconfirmed
    | TerminalBlocked
    | TurnEnded
    | TurnWithoutCommit
    | TerminalIdle
    | TerminalStalled
    | TerminalAnswered
    | TerminalTaken
    | TerminalGiven
    | TerminalResumed
    | TimedOut
    | TargetMoved
    | MergeStarted
    | MergeConflict
    | MergeTested
    | ResolutionJudged
    | MergeRefused
    | MergeLanded
    | MergeBehind
    | MergeForecast
    | RepairOffered
    | ActorFailed
    | ActorFailing
    | ActorRestarted
    | RuntimeStarted
    | RuntimeStopped
)

decode_fact = msgspec.json.Decoder(AnyFact).decode
encode_fact = msgspec.json.Encoder().encode


def fact_type(fact: Fact) -> str:
    """Return the wire name of a fact's type, such as `terminal.status`."""
    tag: Any = fact.__struct_config__.tag
    return str(tag)


FACT_TYPES = tuple(str(kind.__struct_config__.tag) for kind in get_args(AnyFact))
"""The wire names of all facts."""
