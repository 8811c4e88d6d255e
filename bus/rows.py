"""Rows as structs, for `snapshot`, `workflow.get`, `ps` and the pure core."""

from typing import Final

import msgspec

from bus.graph import Graph, in_order
from bus.kinds import OF_ACCOUNT, LaunchWait, LimitKind, Role
from bus.questions import Question
from bus.status import (
    LIVE_TERMINAL,
    MergeStage,
    TaskStatus,
    TerminalStatus,
    WorkflowStatus,
)

WAITS_FOR_KEYS: Final = "It waits for keys: "
"""How `idle` begins while a password prompt, a pager or an editor takes what is typed."""


class Terminal(msgspec.Struct, kw_only=True):
    """One program's row.

    The workflow actor decides `status`, `reason`, `incarnation`, `token`, `wanted` (start it when a
    slot is free), `shall_run` (its program shall run now), `step` (number of instructions for this
    incarnation) and `instruction` (the text of the newest).

    The terminal actor observes `launch_over` (it became ready, or the launch failed), `gone` (no
    process of this incarnation is left), `sent` and `delivered` (the last step typed, and the last
    seen to be taken), `blocked` (the text of a prompt that waits for a person), `stalled`, `ended`
    (the last step whose turn was seen to end) and `idle` (what is missing, while a terminal whose
    turn has ended waits for a person).

    `nudges` counts the instructions that said what was missing.

    While its model's server refuses it, `limited` is the kind of limit, `until` the time at which
    it goes on ("": when a person helps), `estimated` whether that time is a guess, and `account`
    whose limit it is. `limits` counts the limits since a turn ended well, `fallbacks` the providers
    of its `fallback` that were used.

    `tokens` and `cost` are what all its incarnations have used as far as that is known. `capped` is
    the share of its cap that was told last, in percent; a task and a workflow have one, too.

    `kept` says that its work is judged and its program waits for the result: it is to write nothing
    meanwhile. `resting` is observed: every process of a kept program is stopped.

    `resumed` says that the program was started with the conversation of an earlier incarnation;
    those up to the incarnation `fresh` do not go on.

    `fenced` says that its plan gives its program a sandbox, and `unfenced` why the check gave none.
    `fence` says which one it is, where it is not bubblewrap's.
    """

    address: str
    task: str
    position: int
    role: Role
    cli: str
    status: TerminalStatus
    fenced: bool = False
    unfenced: str = ""
    fence: str = ""
    reason: str = ""
    incarnation: int = 0
    token: str = ""
    wanted: bool = False
    shall_run: bool = False
    kept: bool = False
    resting: bool = False
    launch_over: bool = False
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
    waits: LaunchWait = LaunchWait.NONE
    limited: LimitKind = LimitKind.NONE
    until: str = ""
    estimated: bool = False
    account: str = ""
    limits: int = 0
    fallbacks: int = 0
    tokens: int = 0
    cost: float = 0.0
    capped: int = 0
    fresh: int = 0
    resumed: bool = False
    rejections: int = 0
    working_since: str = ""
    working_clock: float = 0.0
    """`working_since` as a reading of `bus.clock.awake`; `timeout` and silence count from it."""

    @property
    def live(self) -> bool:
        """Whether its program is wanted."""
        return self.status in LIVE_TERMINAL

    @property
    def works(self) -> bool:
        """Whether it is at work: it has its instruction, and its program is not kept for later."""
        return self.status == TerminalStatus.RUNNING and self.shall_run and not self.kept

    @property
    def waits_for_keys(self) -> bool:
        """Whether a password prompt, a pager or an editor takes what is typed."""
        return self.idle.startswith(WAITS_FOR_KEYS)

    @property
    def retries(self) -> bool:
        """Whether its program tries again by itself what was refused: its turn goes on."""
        return self.limited in OF_ACCOUNT and self.ended < self.sent == self.step

    @property
    def rests(self) -> bool:
        """Whether its program is at its prompt, and nothing goes on in it.

        It waits for its turn, or after its turn for a person or for its account. One that asks is
        within its turn, and one that is kept is not at its prompt.
        """
        if not self.shall_run or self.gone or self.blocked:
            return False
        waits = bool(self.idle) or self.limited in OF_ACCOUNT
        stands = waits and self.ended >= self.sent
        return self.status == TerminalStatus.WAITING or (self.works and stands)

    @property
    def name(self) -> str:
        """The last part of the address: its position, `error` or `merge`."""
        return self.address.split("/")[-2]

    @property
    def is_error(self) -> bool:
        """Whether it is the error terminal of its task."""
        return self.address.endswith("/error/")


class Task(msgspec.Struct, kw_only=True):
    """One branch of work.

    `base` is the commit it started from and `tip` its newest; both are "" before the worktree is
    made. `accepted` is the commit that was accepted, and no other is merged; "" if there is none.
    `speaker` is the terminal whose commit that is. It is kept until its program has ended, because
    the terminal may report again until then. `rounds` counts review rejections and `repairs` counts
    error terminals. `issues` is what the next instruction has to say about either.

    `after` holds the ids of the tasks that must have completed before. The base of such a task is
    the merge of their accepted commits. `carried` is the commit that resolved a conflict of that
    merge; "" if there was none. `held` says why that merge failed: the task waits for a person.

    `checking` is the commit on which the task's check runs; "" if none does. `check_review` says
    that it asks for a review, not for completion. `check_run` counts the checks, and `checked` is
    the last one whose result was told.
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
    capped: int = 0
    after: list[str] = []
    carried: str = ""
    held: str = ""
    checking: str = ""
    check_review: bool = False
    check_run: int = 0
    checked: int = 0
    terminals: list[Terminal] = []

    @property
    def line(self) -> list[Terminal]:
        """The planned terminals, in order, without the error terminal."""
        return [terminal for terminal in self.terminals if not terminal.is_error]

    @property
    def waits(self) -> bool:
        """Whether it has no base yet, because that is made of the work of other tasks."""
        return bool(self.after) and not self.base and self.status == TaskStatus.PENDING

    @property
    def reopened(self) -> bool:
        """Whether a commit that came after the accepted one waits for a person."""
        return self.status == TaskStatus.REVIEW_PENDING and bool(self.accepted)

    @property
    def error(self) -> Terminal | None:
        """The error terminal, if the task has one."""
        for terminal in self.terminals:
            if terminal.is_error:
                return terminal
        return None


class Merge(msgspec.Struct, kw_only=True):
    """How far the merge has come.

    `task` is the address of the task for whose base the tasks before it are merged; it is "" for
    the merge that lands.

    `round` counts its builds. A build makes `commit` on the target's tip `base`. `commit_time` is
    the time in the merge commits of this round. `runs` counts the test runs on `commit`, and
    `tested` says that the last one passed. `queued` is when the workflow joined the queue of merges
    into its target.

    `files` and `branch` are those in conflict. `worktree` is the scratch worktree of a conflict or
    a repair, whose branch began at `start`. `resolution` is the commit that resolves the conflict,
    and `repaired` the one that repairs a merge whose tests failed. `repairs` counts the merge
    terminals that worked on it. `problem` is why the merge failed last, with the evidence.

    `told` names the last step whose fact the merger has stored, so that none is stored twice.
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
    task: str = ""

    @property
    def carried(self) -> str:
        """The commit of a repair or resolution, on which the next build goes on; "" for none."""
        return self.repaired or self.resolution

    def step(self, fact: str) -> str:
        """Return the value of `told` after the merger has stored a `fact` of this kind here."""
        return f"{self.round}/{self.runs}/{self.stage}/{self.carried}/{fact}"

    @property
    def laid_out(self) -> bool:
        """Whether the scratch worktree holds what the merge terminal is to work on.

        In the stage `repair`, the merger has to check the failed merge out first.
        """
        in_place = bool(self.worktree) and self.start == self.commit
        return self.stage != MergeStage.REPAIR or in_place

    @property
    def asks(self) -> bool:
        """Whether a conflict or failed tests wait for the merge terminal."""
        return self.stage in (MergeStage.CONFLICT, MergeStage.REPAIR)

    @property
    def red(self) -> bool:
        """Whether there is a merge commit whose last test run failed."""
        return bool(self.commit) and self.runs > 0 and not self.tested


class Forecast(msgspec.Struct, kw_only=True):
    """Two branches that would conflict if both were merged now, and the files in conflict."""

    branches: list[str]
    files: list[str]


class Workflow(msgspec.Struct, kw_only=True):
    """One run of a plan, with its tasks, their terminals, and its merge.

    `forecast` holds the pairs of live branches that would conflict, as the merger found them.
    `questions` are those to the orchestrator, oldest first.
    """

    id: str
    address: str
    name: str
    repo: str
    git_dir: str
    author: str = ""
    """The author of the merge commits, as `Name <address>`."""
    kept: str = ""
    """The digest of the copy of the repository's shared files."""
    changed: str = ""
    """The digest of the change of those files that was told last; "" if they are as in the copy."""
    held: str = ""
    """Why nothing may land until a person has looked: what was changed in the repository."""
    moved: str = ""
    """What somebody else did last to the target, while this workflow lived."""
    target: str
    status: WorkflowStatus
    reason: str = ""
    handled: int = 0
    created: str = ""
    frozen: bool = False
    tidied: bool = False
    capped: int = 0
    tasks: list[Task] = []
    merge: Merge = msgspec.field(default_factory=Merge)
    merge_terminal: Terminal | None = None
    forecast: list[Forecast] = []
    questions: list[Question] = []

    @property
    def graph(self) -> Graph:
        """Which task comes after which (`bus.graph`)."""
        return {task.id: task.after for task in self.tasks}

    def in_merge_order(self) -> list[Task]:
        """Return the tasks in the order in which they are merged; cancelled ones are left out."""
        by_id = {task.id: task for task in self.tasks}
        ordered = [by_id[id] for id in in_order(self.graph)]
        return [task for task in ordered if task.status != TaskStatus.CANCELLED]

    def to_merge(self) -> list[Task]:
        """Return the tasks whose work the present merge takes in, in the order of the merge.

        For the base of a task these are the tasks that it comes after.
        """
        base_of = next((t for t in self.tasks if t.address == self.merge.task), None)
        ordered = self.in_merge_order()
        return [t for t in ordered if t.id in base_of.after] if base_of is not None else ordered

    @property
    def merges(self) -> bool:
        """Whether branches are being merged: to land them, or for the base of a task."""
        if self.status == WorkflowStatus.MERGING:
            return True
        goes_on = self.status in (WorkflowStatus.RUNNING, WorkflowStatus.PAUSED)
        return goes_on and bool(self.merge.task)

    def terminals(self) -> list[Terminal]:
        """Return all terminals in launch order: by (task, position), the merge terminal last."""
        own = [self.merge_terminal] if self.merge_terminal else []
        return [terminal for task in self.tasks for terminal in task.terminals] + own

    def without_tokens(self) -> "Workflow":
        """Return this workflow with the tokens of its terminals blanked.

        A token opens a terminal's host, and rows that leave the runtime end up in logs and reports.
        """
        blank, replace = {"token": ""}, msgspec.structs.replace
        own = self.merge_terminal
        return replace(
            self,
            tasks=[
                replace(task, terminals=[replace(each, **blank) for each in task.terminals])
                for task in self.tasks
            ],
            merge_terminal=replace(own, **blank) if own is not None else None,
        )
