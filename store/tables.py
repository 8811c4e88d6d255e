"""The tables, as Peewee models: schema, constraints, foreign keys.

The models are not bound to a database. `store.migrations` creates the tables, `store.reader` makes
the text of its queries from the models, and only `store.journal` writes.
"""

from enum import StrEnum

from peewee import (
    SQL,
    BlobField,
    BooleanField,
    Check,
    CompositeKey,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from bus.kinds import LaunchWait, LimitKind, Role
from bus.status import MergeStage, QuestionStage, TaskStatus, TerminalStatus, WorkflowStatus


def _word(name: str, enum: type[StrEnum], default: StrEnum) -> TextField:
    """Return a column that holds a value of the enum, with a CHECK."""
    words = ", ".join(f"'{word}'" for word in enum)
    return TextField(constraints=[Check(f"{name} IN ({words})"), SQL(f"DEFAULT '{default}'")])


def _text() -> TextField:
    return TextField(constraints=[SQL("DEFAULT ''")])


def _number() -> IntegerField:
    return IntegerField(constraints=[SQL("DEFAULT 0")])


def _flag(default: int = 0) -> BooleanField:
    return BooleanField(constraints=[SQL(f"DEFAULT {default}")])


def _list() -> TextField:
    """Return a column that holds a list as JSON."""
    return TextField(constraints=[SQL("DEFAULT '[]'")])


class Workflow(Model):
    """A workflow.

    `handled` is the seq of the last observation decided on, which makes the facts a durable
    mailbox. `plan` is the plan as JSON. `settings` are the git settings at the submission that
    decide the bytes of a checkout, as JSON; null in rows of older versions. `kept` and `changed`
    are digests: of the copy of the repository's shared files, and of the change told last.
    `submission` is a digest of the plan and the key with which it was submitted; "" without a key.
    """

    id = TextField(primary_key=True)
    name = TextField()
    repo = TextField()
    git_dir = _text()
    author = _text()
    settings = TextField(constraints=[SQL("DEFAULT 'null'")])
    kept = _text()
    changed = _text()
    held = _text()
    submission = _text()
    moved = _text()
    target = TextField()
    plan = BlobField()
    status = _word("status", WorkflowStatus, WorkflowStatus.CREATED)
    reason = _text()
    handled = _number()
    created = _text()
    frozen = _flag()
    tidied = _flag()
    capped = _number()
    forecast = _list()

    class Meta:
        """Peewee's options: an index for the workflows that are not cleaned up."""

        indexes = ((("tidied",), False),)


class Merge(Model):
    """How far the merge of a workflow has come; each workflow has one from its submission on."""

    workflow = ForeignKeyField(
        Workflow, column_name="workflow", primary_key=True, on_delete="CASCADE", backref="merges"
    )
    stage = _word("stage", MergeStage, MergeStage.IDLE)
    round = _number()
    base = _text()
    commit = _text()
    commit_time = _text()
    runs = _number()
    tested = _flag()
    queued = _text()
    files = _list()
    branch = _text()
    worktree = _text()
    start = _text()
    resolution = _text()
    repaired = _text()
    repairs = _number()
    problem = _text()
    told = _text()
    task = _text()


class Task(Model):
    """A task of a workflow; see `bus.rows.Task`."""

    address = TextField(primary_key=True)
    workflow = ForeignKeyField(
        Workflow, column_name="workflow", on_delete="CASCADE", backref="tasks"
    )
    id = TextField()
    name = TextField()
    position = IntegerField()
    branch = TextField()
    status = _word("status", TaskStatus, TaskStatus.PENDING)
    reason = _text()
    base = _text()
    tip = _text()
    accepted = _text()
    speaker = _text()
    worktree = _text()
    rounds = _number()
    repairs = _number()
    issues = _text()
    capped = _number()
    after = _list()
    carried = _text()
    held = _text()
    checking = _text()
    check_review = _flag()
    check_run = _number()
    checked = _number()

    class Meta:
        """Peewee's options: an id and a branch are unique in a workflow."""

        indexes = ((("workflow", "id"), True), (("workflow", "branch"), True))


class Terminal(Model):
    """A terminal. `task` is null for the merge terminal, which belongs to the workflow."""

    address = TextField(primary_key=True)
    workflow = ForeignKeyField(
        Workflow, column_name="workflow", on_delete="CASCADE", backref="terminals"
    )
    task = ForeignKeyField(
        Task, column_name="task", null=True, on_delete="CASCADE", backref="terminals"
    )
    position = IntegerField()
    role = _word("role", Role, Role.CODER)
    cli = TextField()
    plan = BlobField()
    status = _word("status", TerminalStatus, TerminalStatus.NOT_STARTED)
    reason = _text()
    incarnation = _number()
    token = _text()
    wanted = _flag()
    shall_run = _flag()
    kept = _flag()
    resting = _flag()
    launch_over = _flag()
    gone = _flag(1)
    step = _number()
    instruction = _text()
    sent = _number()
    delivered = _number()
    blocked = _text()
    stalled = _flag()
    ended = _number()
    nudges = _number()
    idle = _text()
    waits = _word("waits", LaunchWait, LaunchWait.NONE)
    limited = _word("limited", LimitKind, LimitKind.NONE)
    until = _text()
    estimated = _flag()
    account = _text()
    limits = _number()
    fallbacks = _number()
    tokens = _number()
    cost = FloatField(constraints=[SQL("DEFAULT 0.0")])
    capped = _number()
    fresh = _number()
    resumed = _flag()
    rejections = _number()
    working_since = _text()
    working_clock = FloatField(constraints=[SQL("DEFAULT 0.0")])

    class Meta:
        """Peewee's options: an index for the terminals that are being started."""

        indexes = ((("status",), False),)


class Fact(Model):
    """A fact in the journal. `body` is the JSON that is published, including its seq."""

    seq = IntegerField(primary_key=True)
    workflow = TextField()
    address = TextField()
    observed = BooleanField()
    body = BlobField()

    class Meta:
        """Peewee's options: an index for the facts of one workflow."""

        indexes = ((("workflow", "seq"), False),)


class Cursor(Model):
    """The commit of a ref up to which a watcher has stored facts; "" if the ref is gone."""

    workflow = ForeignKeyField(Workflow, column_name="workflow", on_delete="CASCADE")
    ref = TextField()
    commit = TextField()

    class Meta:
        """Peewee's options: one cursor for each ref of a workflow."""

        primary_key = CompositeKey("workflow", "ref")


class Commit(Model):
    """A commit whose fact was stored: each counts once in a workflow (hazard 1)."""

    workflow = ForeignKeyField(Workflow, column_name="workflow", on_delete="CASCADE")
    commit = TextField()

    class Meta:
        """Peewee's options: one row for each commit of a workflow."""

        primary_key = CompositeKey("workflow", "commit")


class ActorState(Model):
    """The restart state of an actor, as JSON, which must survive a restart of the runtime."""

    address = TextField(primary_key=True)
    state = BlobField()


class Account(Model):
    """A limit of an account at a provider; see `bus.accounts.Account`."""

    name = TextField(primary_key=True)
    by = _word("by", LimitKind, LimitKind.NONE)
    until = _text()
    probe = _text()


class Notice(Model):
    """How far a person was told by one way; see `bus.notify.Notice`."""

    recipient = TextField(primary_key=True)
    told = _number()
    seqs = _list()
    number = _number()


class Usage(Model):
    """What one count of a terminal found. It is kept when facts are compacted."""

    workflow = ForeignKeyField(Workflow, column_name="workflow", on_delete="CASCADE")
    task = TextField()
    terminal = TextField()
    incarnation = IntegerField()
    account = TextField()
    day = TextField()
    input = _number()
    output = _number()
    cached = _number()
    requests = _number()
    cost = FloatField(null=True)

    class Meta:
        """Peewee's options: an index for the counts of one workflow."""

        indexes = ((("workflow", "terminal"), False),)


class Question(Model):
    """A question to the orchestrator; see `bus.questions.Question`. `key` is `WORKFLOW/NUMBER`."""

    key = TextField(primary_key=True)
    workflow = ForeignKeyField(Workflow, column_name="workflow", on_delete="CASCADE")
    number = IntegerField()
    stage = _word("stage", QuestionStage, QuestionStage.WAITING)
    causes = _list()
    digest = _text()
    reserved = _number()
    tokens = _number()
    cut = _flag()
    refused = _text()
    at = _text()
    proposal = TextField(constraints=[SQL("DEFAULT '{}'")])

    class Meta:
        """Peewee's options: an index for the questions that are to be asked."""

        indexes = ((("stage",), False),)


class Meta(Model):
    """Single values, by key.

    `secret` is the key of the proofs (`Reader.proof`). `compacted` is the seq up to which facts of
    finished workflows are gone.
    """

    key = TextField(primary_key=True)
    value = TextField()


TABLES = (
    Workflow,
    Merge,
    Task,
    Terminal,
    Fact,
    Cursor,
    Commit,
    ActorState,
    Account,
    Notice,
    Usage,
    Question,
    Meta,
)
