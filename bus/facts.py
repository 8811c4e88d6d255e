"""Facts: what happened, as typed structs.

The journal stores each with its `seq`; the publisher sends it as `ADDRESS SPACE JSON`.

`seq` and `at` are given by the journal's writer inside the transaction that stores
the fact; they are 0 and "" before. A class whose `observed` is true is an
observation: the workflow actor of its address decides on it. The others are
consequences, for whoever watches.
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
    """`by` is who caused it, a `bus.peer.By` or "" for the runtime; `peer` what the system
    says of that process.
    """

    old: WorkflowStatus | None
    new: WorkflowStatus
    reason: str = ""
    by: str = ""
    peer: str = ""


class TaskMoved(Fact, kw_only=True, tag="task.status"):
    """`by` and `peer` as in `WorkflowMoved`."""

    old: TaskStatus | None
    new: TaskStatus
    reason: str = ""
    by: str = ""
    peer: str = ""


class TerminalMoved(Fact, kw_only=True, tag="terminal.status"):
    """`by` and `peer` as in `WorkflowMoved`."""

    old: TerminalStatus | None
    new: TerminalStatus
    reason: str = ""
    incarnation: int = 0
    by: str = ""
    peer: str = ""


# ---- commits and refs (the git watcher) --------------------------------------------


class CommitSeen(Fact, kw_only=True, tag="commit.seen"):
    """A new commit on a task's branch.

    `address` is the task. `verdict` is what its message says (a `bus.commit_words.Meaning`, "" for
    nothing); `problem` why it cannot count, as its message or git shows it; `issues` a reviewer's
    or a failing coder's words; `written`, where history was rewritten, the time the author first
    wrote it (a rebase copies others' words), "" otherwise. `note` is what git showed that does not
    count against it: a lock file of a process that is gone.
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
    """A completion is neither accepted nor rejected yet, for `reason`: git still writes in the
    worktree, or (`failed`) git cannot examine it; then the terminal is told.
    """

    observed = True

    branch: str
    commit: str
    reason: str
    failed: bool = False


class CommitRejected(Fact, kw_only=True, tag="commit.rejected"):
    """A completion that was not accepted; the terminal is told `reason`."""

    branch: str
    commit: str
    subject: str = ""
    reason: str


class RefRewritten(Fact, kw_only=True, tag="ref.rewritten"):
    """History of a watched branch was changed: `amend`, `rebase`, `reset`, `force`,
    `deleted`, `created`. `old`/`new` are commit ids or "".
    """

    observed = True

    ref: str
    kind: str
    old: str = ""
    new: str = ""


class TaskReopened(Fact, kw_only=True, tag="task.reopened"):
    """The branch has moved to `commit` after `accepted` was accepted.

    Nothing later than `accepted` lands before it is accepted too.
    """

    accepted: str
    commit: str
    reason: str


# ---- terminals ----------------------------------------------------------------------


class TerminalReady(Fact, kw_only=True, tag="terminal.ready"):
    """The program shows its ready pattern on a quiet screen, `seconds` after its host
    started it.
    """

    observed = True

    incarnation: int
    seconds: float = 0.0


class TerminalUnverified(Fact, kw_only=True, tag="terminal.unverified"):
    """The program's version (`""`: unknown) is none its profile was verified with: its
    prompts are not answered by themselves.
    """

    incarnation: int
    cli: str
    version: str
    verified: list[str]


class LaunchFailed(Fact, kw_only=True, tag="terminal.launch_failed"):
    """The program could not be started or did not get ready; `screen` is its last."""

    observed = True

    incarnation: int
    reason: str
    screen: str = ""


class TerminalExited(Fact, kw_only=True, tag="terminal.exited"):
    """The program and its process group are gone.

    `kind`: `exited` (status = code), `signaled` (status = signal), `exec_failed` (status = errno),
    `lost` (the host died and took the status with it). `unsure` is the step of an instruction of
    which nobody is left to say whether it was typed; 0: there is none.
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
    incarnation: int
    step: int
    bytes: int


class InstructionDelivered(Fact, kw_only=True, tag="instruction.delivered"):
    """A new turn was seen to begin after the text was sent."""

    incarnation: int
    step: int


class InstructionUnconfirmed(Fact, kw_only=True, tag="instruction.unconfirmed"):
    """The text was sent and no new turn was seen; it is not typed again.

    Without an `instruction.sent` before it: the runtime died before it could note whether it was
    typed, and the host, which knew, died too.
    """

    incarnation: int
    step: int
    screen: str = ""


class TerminalBlocked(Fact, kw_only=True, tag="terminal.blocked"):
    """A prompt waits for a person.

    `prompt` is the profile's name of it, `unknown`, or `unrecognised` where a quiet screen is
    neither ready nor busy nor a question.
    """

    incarnation: int
    prompt: str
    choices: list[str] = []
    text: str = ""


class TurnEnded(Fact, kw_only=True, tag="turn.ended"):
    """The program is no longer busy with the instruction `step`, and takes another."""

    incarnation: int
    step: int


class TurnWithoutCommit(Fact, kw_only=True, tag="turn.without_commit"):
    """The program has been quiet for `idle_after` since its turn ended, and nothing that counts
    was committed. It is told `missing` as an instruction.
    """

    observed = True

    incarnation: int
    step: int
    missing: str


class TerminalIdle(Fact, kw_only=True, tag="terminal.idle"):
    """The terminal waits for a person: its turn has ended without a commit that counts, after as
    many instructions as `nudges` allows, or its screen takes no instruction (`obstacle`:
    `password`, `pager` or `editor`; "" otherwise).
    """

    incarnation: int
    step: int
    missing: str
    obstacle: str = ""
    screen: str = ""


class TerminalStalled(Fact, kw_only=True, tag="terminal.stalled"):
    """The screen has shown nothing new for `seconds`; what blinks, spins or counts is not new."""

    incarnation: int
    seconds: float
    screen: str = ""


class TerminalAnswered(Fact, kw_only=True, tag="terminal.answered"):
    """A prompt was answered: `by` is `person` or `policy`; `peer` as in `WorkflowMoved`."""

    incarnation: int
    choice: str
    by: str
    peer: str = ""


class TerminalTaken(Fact, kw_only=True, tag="terminal.taken"):
    """Somebody types into the terminal from now on; `by` and `peer` as in `WorkflowMoved`.

    What is typed is not stored.
    """

    incarnation: int
    by: str
    peer: str = ""


class TerminalGiven(Fact, kw_only=True, tag="terminal.given"):
    """Nobody types into the terminal any more."""

    incarnation: int


class TerminalResumed(Fact, kw_only=True, tag="terminal.resumed"):
    """Blocked, stalled or idle no more."""

    incarnation: int


class TargetMoved(Fact, kw_only=True, tag="merge.target_moved"):
    """The target is not where the merge was built: it is built again on `new`."""

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
    """The branches are merged, in order, on `base`; `commit` is the tree to test."""

    observed = True

    target: str
    base: str
    commit: str
    branches: list[str]


class MergeConflict(Fact, kw_only=True, tag="merge.conflict"):
    """`worktree` holds the conflict for whoever resolves it."""

    observed = True

    files: list[str]
    branch: str
    against: list[str] = []
    worktree: str = ""
    start: str = ""


class MergeTested(Fact, kw_only=True, tag="merge.tested"):
    """The plan's tests ran on `commit`.

    `status` is the exit code, `output` the directory whose files, in order of their names, are all
    of its output.
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
    """A resolution of a conflict was checked: `problems` is empty where it is accepted."""

    observed = True

    commit: str
    problems: list[str]


class MergeRefused(Fact, kw_only=True, tag="merge.refused"):
    """The merge ended without landing; `message` says why in a sentence."""

    observed = True

    reason: MergeRefusal
    message: str
    files: list[str] = []


class MergeLanded(Fact, kw_only=True, tag="merge.landed"):
    observed = True

    target: str
    old: str
    new: str
    tested: bool = True


class MergeBehind(Fact, kw_only=True, tag="merge.behind"):
    """`commit` has landed, but these checkouts of the target could not be brought along: a
    filter hangs or fails, say. Git's index there stays locked until the merge is continued.
    """

    observed = True

    target: str
    commit: str
    checkouts: list[str]
    message: str


class MergeForecast(Fact, kw_only=True, tag="merge.forecast"):
    """Two live branches would conflict now (`files` empty: no more)."""

    branches: list[str]
    files: list[str]


class RepairOffered(Fact, kw_only=True, tag="repair.offered"):
    """What failed, the evidence, and the steps that go on.

    `commands`: the same steps as text, in the journal of version 0.1.0 only.
    """

    failed: list[str]
    evidence: str
    actions: list[Action] = []
    commands: list[str] = []


# ---- the runtime --------------------------------------------------------------------


class ActorFailed(Fact, kw_only=True, tag="actor.failed"):
    incarnation: int
    error: str


class ActorFailing(Fact, kw_only=True, tag="actor.failing"):
    """An actor of a workflow fails again and again. It is started again ever more slowly."""

    observed = True

    actor: str
    failures: int
    error: str


class ActorRestarted(Fact, kw_only=True, tag="actor.restarted"):
    incarnation: int


class RuntimeStarted(Fact, kw_only=True, tag="runtime.started"):
    pid: int
    version: str


class RuntimeStopped(Fact, kw_only=True, tag="runtime.stopped"):
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
    """The wire name, such as `terminal.status`."""
    tag: Any = fact.__struct_config__.tag
    return str(tag)


FACT_TYPES = tuple(str(kind.__struct_config__.tag) for kind in get_args(AnyFact))
"""The wire names of all facts there are."""
