"""Rows as they are shown: in `snapshot`, `workflow.get`, `ps`, and to the pure core."""

import msgspec

from bus.kinds import Role
from bus.status import LIVE_TERMINAL, MergeStage, TaskStatus, TerminalStatus, WorkflowStatus


class Terminal(msgspec.Struct, kw_only=True):
    """One program's row.

    Decided by the workflow actor: `status`, `reason`, `incarnation`, `token`, `wanted` (to
    be started when a place is free), `alive` (its program shall run now), `step` (number
    of instructions for this incarnation) and `instruction` (the text of the newest).
    Observed by the terminal actor: `ready`, `gone` (no process of this incarnation is
    left), `sent` and `delivered` (steps typed, and seen to be taken), `blocked` (the text
    of a prompt that waits for a person), `stalled`, `ended` (the last step whose turn was seen
    to end), `idle` (what is missing, while a terminal whose turn has ended waits for a person).
    `nudges` counts the instructions that said what was missing.
    """

    address: str
    task: str
    position: int
    role: Role
    cli: str
    status: TerminalStatus
    reason: str = ""
    incarnation: int = 0
    token: str = ""
    wanted: bool = False
    alive: bool = False
    ready: bool = False
    gone: bool = True
    step: int = 0
    instruction: str = ""
    sent: int = 0
    delivered: int = 0
    blocked: str = ""
    stalled: bool = False
    ended: int = 0
    nudges: int = 0
    idle: str = ""
    rejections: int = 0
    working_since: str = ""
    working_clock: float = 0.0
    """The same moment on `bus.clock.awake`: its `timeout` and its silence count from it."""

    @property
    def live(self) -> bool:
        return self.status in LIVE_TERMINAL

    @property
    def name(self) -> str:
        """The last part of the address: its position, `error`, or `merge`."""
        return self.address.split("/")[-2]


class Task(msgspec.Struct, kw_only=True):
    """One branch of work.

    `base` is the commit it started from and `tip` its newest; both are "" before the worktree is
    made. `accepted` is the commit that was accepted, the only one that is merged; "" before.
    `speaker` is the terminal whose own word that was, until its program has ended: so long it may
    say it again. `rounds` counts review rejections, `repairs` error terminals; `issues` is what the
    next instruction has to say about either.
    """

    address: str
    id: str
    name: str
    position: int
    branch: str
    status: TaskStatus
    reason: str = ""
    base: str = ""
    tip: str = ""
    accepted: str = ""
    speaker: str = ""
    worktree: str = ""
    rounds: int = 0
    repairs: int = 0
    issues: str = ""
    terminals: list[Terminal] = []

    @property
    def line(self) -> list[Terminal]:
        """The planned terminals, in order; the error terminal stands apart."""
        return [terminal for terminal in self.terminals if terminal.name != "error"]

    @property
    def reopened(self) -> bool:
        """A commit came after what was accepted, and waits for a person."""
        return self.status == TaskStatus.REVIEW_PENDING and bool(self.accepted)

    @property
    def error(self) -> Terminal | None:
        return next((t for t in self.terminals if t.name == "error"), None)


class Merge(msgspec.Struct, kw_only=True):
    """How far the merge has come.

    `round` counts its builds. A build makes `commit` on the target's tip `base`; `commit_time`
    is the time that the merge commits of this round carry. `runs` counts the runs of the tests
    on it, and `tested` says that the last was green. `queued` is when the workflow joined the
    line of those that merge into one target.

    `files` and `branch` are those in conflict. `worktree` is the scratch worktree of a conflict
    or a repair, whose branch began at `start`. `resolution` is the commit that resolves the
    conflict, and `repaired` the one that mends a red tree. `repairs` counts the merge terminals
    that worked on it. `problem` is why the merge failed last, with the evidence.

    `told` names the last step of which the merger has told the fact, so that none is told twice.
    """

    round: int = 0
    stage: MergeStage = MergeStage.IDLE
    base: str = ""
    commit: str = ""
    commit_time: str = ""
    runs: int = 0
    tested: bool = False
    queued: str = ""
    files: list[str] = []
    branch: str = ""
    worktree: str = ""
    start: str = ""
    resolution: str = ""
    repaired: str = ""
    repairs: int = 0
    problem: str = ""
    told: str = ""

    @property
    def carried(self) -> str:
        """The commit of a resolution or a repair, which the next build goes on from; "" for
        none."""
        return self.repaired or self.resolution

    def step(self, fact: str) -> str:
        """Return what `told` is when the merger has told a `fact` of this kind here."""
        return f"{self.round}/{self.runs}/{self.stage}/{self.carried}/{fact}"

    @property
    def laid_out(self) -> bool:
        """The scratch worktree holds what the merge terminal is to work on. (In `repair` the
        merger has to check the red tree out first.)"""
        in_place = bool(self.worktree) and self.start == self.commit
        return self.stage != MergeStage.REPAIR or in_place

    @property
    def asks(self) -> bool:
        """The merge terminal is to resolve a conflict or to mend a red tree."""
        return self.stage in (MergeStage.CONFLICT, MergeStage.REPAIR)

    @property
    def red(self) -> bool:
        """There is a merged tree, and its tests failed."""
        return bool(self.commit) and self.runs > 0 and not self.tested


class Forecast(msgspec.Struct, kw_only=True):
    """Two branches that would conflict if both were merged now, and the files."""

    branches: list[str]
    files: list[str]


class Workflow(msgspec.Struct, kw_only=True):
    """One plan under way, whole: with its tasks, their terminals, and its merge.

    `forecast` is the merger's: the pairs of live branches that would conflict.
    """

    id: str
    address: str
    name: str
    repo: str
    git_dir: str
    author: str = ""
    """Whose name the merges carry, as `Name <address>`."""
    target: str
    status: WorkflowStatus
    reason: str = ""
    handled: int = 0
    created: str = ""
    frozen: bool = False
    tidied: bool = False
    tasks: list[Task] = []
    merge: Merge = msgspec.field(default_factory=Merge)
    merge_terminal: Terminal | None = None
    forecast: list[Forecast] = []

    def terminals(self) -> list[Terminal]:
        """All, in launch order: by (task, position), the merge terminal last."""
        own = [self.merge_terminal] if self.merge_terminal else []
        return [terminal for task in self.tasks for terminal in task.terminals] + own

    def without_tokens(self) -> "Workflow":
        """Blank the tokens that open the terminals' hosts, in place: rows that leave the
        runtime end up in logs and reports. Returns this workflow.
        """
        for terminal in self.terminals():
            terminal.token = ""
        return self
