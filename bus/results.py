"""The results of requests: one struct for each kind.

`bus.requests` says which request has which result.
"""

import msgspec

from bus.accounts import Used
from bus.action import Action
from bus.facts import AnyFact
from bus.latency import Latency
from bus.rows import Terminal, Workflow


class CommandDone(msgspec.Struct):
    """A command on a workflow or a task was carried out.

    `row` is the workflow afterwards. Facts after `seq` report the effects of the command.
    """

    workflow: str
    status: str
    seq: int
    row: Workflow


class Submitted(msgspec.Struct):
    """A plan was stored as the workflow `id`. `warnings` did not prevent that."""

    id: str
    workflow: str
    address: str
    warnings: list[str] = []


class Kept(msgspec.Struct, frozen=True):
    """A ref, a directory or a file that stays, and why."""

    what: str
    why: str


class Cleaned(msgspec.Struct):
    """What of a workflow that is over was removed, and what stays.

    `removed` names directories by their path, and refs by their full name. With `dry_run` nothing
    was changed, `removed` is what would be, and `sizes` has the bytes that each of those
    directories takes on its disk.
    """

    workflow: str
    removed: list[str]
    kept: list[Kept]
    dry_run: bool = False
    sizes: dict[str, int] = {}


class ConfigSettled(msgspec.Struct):
    """The shared files of a workflow's repository are as they shall be. `files` had changed."""

    workflow: str
    files: list[str]


class UsageReport(msgspec.Struct):
    """What was used, by terminal, account and day.

    `unknown` are the terminals that worked and whose programs do not say what they used, and the
    workflows whose orchestrator's model did not.
    """

    used: list[Used]
    unknown: list[str] = []


class Page(msgspec.Struct):
    """Facts, oldest first.

    `head` is the newest `seq` of the journal. Facts up to `compacted` may have been removed.
    """

    facts: list[AnyFact]
    head: int
    compacted: int = 0


class Picture(msgspec.Struct):
    """All workflows, as they were after the fact `seq`."""

    seq: int
    workflows: list[Workflow]


class Chain(msgspec.Struct):
    """The facts about an address, newest first, and the status that they led to.

    `status` is "" if the address has none. `terminal` is the row where it is a terminal's.
    """

    address: str
    facts: list[AnyFact]
    status: str = ""
    reason: str = ""
    terminal: Terminal | None = None


class ConflictFile(msgspec.Struct):
    """A file that two branches change differently; `paths` holds its names on both sides."""

    path: str
    kind: str = ""
    paths: list[str] = []


class BranchPreview(msgspec.Struct):
    """What the merge of one branch would do.

    `with_branches` are the branches it conflicts with. An `unrelated` branch shares no commit with
    the target. `unknown` says why nothing is known of it: a merge driver did not end in time, its
    own or that of a branch before it.
    """

    branch: str
    changes: list[str] = []
    conflicts: list[ConflictFile] = []
    with_branches: list[str] = []
    unrelated: bool = False
    unknown: str = ""


class FileChange(msgspec.Struct):
    """A file that a branch changes, with the numbers of its lines added and removed.

    `old_path` is its name before a rename.
    """

    path: str
    added: int
    removed: int
    binary: bool = False
    old_path: str = ""


class TaskDiff(msgspec.Struct):
    """What a task's branch changes against its base, committed or not.

    `untracked` files are only named. `cut` says that `text`, the diff itself, was longer than a
    mebibyte.
    """

    task: str
    base: str
    tip: str
    files: list[FileChange]
    untracked: list[str] = []
    text: str = ""
    cut: bool = False


class Answered(msgspec.Struct):
    """The label of the choice that was typed."""

    answered: str


class TerminalBytes(msgspec.Struct):
    """A terminal's output from `offset` on; `data` is base64 in JSON.

    The log holds the offsets `start` to `end`. `offset` is greater than requested if output was
    dropped or lost. If `ended`, the program is gone and `end` is final.
    """

    incarnation: int
    offset: int
    data: bytes
    start: int
    end: int
    ended: bool = False


class Typed(msgspec.Struct):
    """The host typed the input, now or (`already`) earlier under the same key.

    `offset` is the end of the output at the moment when the first byte was typed.
    """

    incarnation: int
    offset: int
    already: bool = False


class Resized(msgspec.Struct):
    """The size of the terminal's window, as sent to the host."""

    incarnation: int
    rows: int
    columns: int


class TerminalScreen(msgspec.Struct):
    """What a terminal's screen shows after the output up to `offset`.

    `text` holds its lines without trailing blanks.
    """

    incarnation: int
    text: str
    offset: int
    rows: int
    columns: int
    ended: bool = False


class Node(msgspec.Struct):
    """One actor of the supervision tree, and those below it. Times are in seconds."""

    id: str
    address: str
    kind: str
    state: str
    incarnation: int
    strategy: str | None = None
    restart: str = ""
    restarts: int = 0
    last_error: str | None = None
    mailbox_depth: int = 0
    handled: int = 0
    dead_letters: int = 0
    abandoned: int = 0
    uptime: float | None = None
    next_start_in: float | None = None
    doing: str | None = None
    stuck: float | None = None
    stack: str | None = None
    host_memory_kb: int | None = None
    children: "list[Node]" = []


class Compacted(msgspec.Struct):
    """How many facts of finished workflows were removed."""

    removed: int


class RuntimeState(msgspec.Struct):
    """The runtime that serves.

    `head` is the `seq` of its newest fact. `undelivered` counts messages to actors that had ended.
    `epoch` is new at each start; ids of changing requests over TCP begin with it. `queued` changes
    wait for the journal. `published` says how long facts took from their commit to the feed.
    `environment` holds its `PATH` and toolchain (`bus.environment.BROUGHT`), which count for plans
    that bring none.
    """

    pid: int
    version: str
    home: str
    head: int
    workflows: int
    unfinished: list[str]
    undelivered: int = 0
    epoch: str = ""
    queued: int = 0
    published: Latency = msgspec.field(default_factory=Latency)
    environment: dict[str, str] = {}


class Stopping(msgspec.Struct):
    """The runtime `pid` is ending; `terminals` says whether its programs end too."""

    pid: int
    terminals: bool


class Finding(msgspec.Struct):
    """One check of the doctor.

    `state` is `ok`, `note` or `missing`. `help` and `actions` say what helps.
    """

    what: str
    state: str = "ok"
    help: str = ""
    actions: list[Action] = []


class Report(msgspec.Struct):
    """The doctor's findings; `ok` if nothing is missing."""

    ok: bool
    items: list[Finding]


class EndedRuntime(msgspec.Struct):
    """What `down` did.

    `ended` is false if a process that was to end is still there. `terminals` are the directories of
    the hosts that keep running.
    """

    pid: int | None
    terminals: list[str]
    ended: bool
    message: str


class Setting(msgspec.Struct):
    """A value that counts for plans which say nothing else, and the file it comes from.

    `source` is "built in" for a value of Callboard's own.
    """

    key: str
    value: str
    source: str


class Settings(msgspec.Struct):
    """The user's files, by name, and what counts. A file that is not there is marked so."""

    home: str
    files: dict[str, str]
    settings: list[Setting]
