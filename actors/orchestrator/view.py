"""What the model sees: a bounded report of what happened and of how everything stands.

Text from agents, repositories and screens stands between marks that name its source. The marks
carry a number that is new in each question, so that no text can close them. Secrets are taken out,
and control characters are made visible.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from actors.orchestrator.redaction import redacted
from bus import facts, proposals
from bus.facts import AnyFact, fact_type
from bus.kinds import CauseKind
from bus.plan import Plan
from bus.questions import Question
from bus.rows import Task, Terminal, Workflow
from bus.visible import visible

_LONG = 4_000
"""Characters of a screen, of a test's output, or of an instruction."""
_SHORT = 400
_FACTS = 40
"""How many of the newest facts are shown."""
_SPARE = 8_000
"""Characters beyond a text's limit that are looked at, so that no secret is cut in half there."""
_NOTE = 100
"""Characters that are kept for the note that something was left out."""
_HIDDEN = ("seq", "screen", "tail", "text", "incarnation", "peer")
_QUIET = ("usage.counted", "instruction.sent", "instruction.delivered", "turn.ended")
"""Types of facts that say nothing here."""


class Scene(msgspec.Struct, frozen=True):
    """What a question is made of.

    `newest` are facts of the workflow, newest first. `changes` says for each task's address which
    files its branch changes. `refused` is why the last proposal was not carried out, or "".
    """

    workflow: Workflow
    plan: Plan
    question: Question
    newest: Sequence[AnyFact] = ()
    changes: Mapping[str, str] = {}
    refused: str = ""


class _Marks:
    """Marks text as data of its source, without secrets and control characters, and cut."""

    def __init__(self, number: str, secrets: Iterable[str]) -> None:
        self._number = number
        self._secrets = list(secrets)

    def clean(self, text: str) -> str:
        """Return the text without secrets, control characters and the marks' number."""
        return redacted(visible(text), self._secrets).replace(self._number, "")

    def data(self, source: str, text: str, *, limit: int = _LONG, end: bool = False) -> str:
        """Return the text between marks; cut at its end, or with `end` at its beginning.

        It is cleaned before the cut: half a secret would not be recognised.
        """
        most = 2 * limit + _SPARE
        left = max(0, len(text) - most)
        text = text[-most:] if end else text[:most]
        text = self.clean(text)
        left += max(0, len(text) - limit)
        text = text[-limit:] if end else text[:limit]
        note = f"[{left} characters left out]" if left else ""
        parts = (note, text) if end else (text, note)
        said = "\n".join(part for part in parts if part)
        name = visible(source).replace('"', "'")
        return f'<data {self._number} source="{name}">\n{said}\n</data {self._number}>'


def view(scene: Scene, *, limit: int, number: str, secrets: Iterable[str] = ()) -> str:
    """Return the question's text, of at most `limit` characters.

    `number` is in each mark. What does not fit is left out from the end, whole sections first.
    """
    text = ""
    for section in _sections(scene, _Marks(number, secrets), limit):
        if len(text) + len(section) > limit - _NOTE:
            text += f"[the report is cut here: {limit} characters are its limit]\n"
            break
        text += section + "\n"
    return text[:limit]


def _sections(scene: Scene, marks: _Marks, limit: int) -> Iterator[str]:
    workflow, question = scene.workflow, scene.question
    yield f"# Question {question.number} about {workflow.address}\n\n## What happened"
    for cause in question.causes:
        if cause.kind == CauseKind.ASK:
            yield _asked(marks.clean(cause.said)[: limit // 2])
            continue
        if cause.kind == CauseKind.SUMMARY:
            yield "The workflow has landed. Sum it up for the person who runs it."
        said = f"\n{marks.data(f'{cause.kind} {cause.address}', cause.said)}"
        yield f"- {cause.kind}: {cause.address}{said if cause.said else ''}"
    if scene.refused:
        yield f"\n## Your last proposal was refused\n{marks.data('refusal', scene.refused)}"
    yield "\n## What you may do now\n" + _allowed(scene)
    yield f"\n## How it stands\nThe workflow is {workflow.status}; its target is {workflow.target}."
    for task in workflow.tasks:
        yield _task(task, marks)
    if workflow.merge_terminal is not None:
        yield "  " + _terminal(workflow.merge_terminal)
    for pair in workflow.forecast:
        yield f"- would conflict: {' and '.join(pair.branches)}"
        yield marks.data("files in conflict", "\n".join(pair.files[:20]))
    if workflow.merge.problem:
        yield "\n## Why the last merge failed"
        yield marks.data("tests and git", workflow.merge.problem, end=True)
    about = {cause.address for cause in question.causes}
    yield from _screens(scene, about, marks)
    yield from _tasks_in_full(scene, about, marks)
    yield "\n## The newest facts, newest first"
    yield marks.data("journal", "\n".join(_facts(scene.newest, marks)))


def _asked(said: str) -> str:
    """Return a person's words: outside of the marks, and recognisable at each line's beginning."""
    return "\n".join(["A person asks you:", *(f"> {line}" for line in said.splitlines())])


def _allowed(scene: Scene) -> str:
    settings = scene.plan.orchestrator
    may = settings.may if settings is not None and not scene.question.sums_up else ()
    return ", ".join([*may, *proposals.ALWAYS])


def _task(task: Task, marks: _Marks) -> str:
    after = f", after {', '.join(task.after)}" if task.after else ""
    rounds = f", sent back {task.rounds} times" if task.rounds else ""
    lines = [f"- task {task.address} on {task.branch}: {task.status}{after}{rounds}"]
    if task.reason:
        lines.append(marks.data(f"reason of {task.address}", task.reason, limit=_SHORT))
    lines += ["  " + _terminal(terminal) for terminal in task.terminals]
    return "\n".join(lines)


def _terminal(terminal: Terminal) -> str:
    marks = [
        word
        for word, is_set in (
            ("asks something", terminal.blocked),
            ("shows nothing new", terminal.stalled),
            ("has stopped", terminal.idle),
            (f"is limited: {terminal.limited}", terminal.limited),
        )
        if is_set
    ]
    said = f", {', '.join(marks)}" if marks else ""
    return f"terminal {terminal.address} ({terminal.role}, {terminal.cli}): {terminal.status}{said}"


def _screens(scene: Scene, about: set[str], marks: _Marks) -> Iterator[str]:
    """Yield the last screen that a fact holds of each terminal concerned."""
    shown: set[str] = set()
    for fact in scene.newest:
        screen = _screen(fact)
        near = any(
            where.startswith(fact.address) or fact.address.startswith(where) for where in about
        )
        if screen and near and fact.address not in shown and fact.address.count("/") > 1:
            shown.add(fact.address)
            yield marks.data(f"screen of {fact.address}", screen, end=True)
            if isinstance(fact, facts.TerminalBlocked) and fact.choices:
                yield marks.data(f"choices of {fact.address}", "\n".join(fact.choices))


def _screen(fact: AnyFact) -> str:
    match fact:
        case facts.TerminalBlocked(text=screen):
            return screen
        case (
            facts.TerminalIdle(screen=screen)
            | facts.TerminalStalled(screen=screen)
            | facts.TerminalExited(screen=screen)
            | facts.LaunchFailed(screen=screen)
        ):
            return screen
    return ""


def _tasks_in_full(scene: Scene, about: set[str], marks: _Marks) -> Iterator[str]:
    """Yield the instructions, issues and changes of each task, those concerned first."""
    plans = {task.id: task for task in scene.plan.task}
    near = [t for t in scene.workflow.tasks if any(a.startswith(t.address) for a in about)]
    for task in [*near, *(t for t in scene.workflow.tasks if t not in near)]:
        yield f"\n## Task {task.address}"
        for place, terminal in enumerate(plans[task.id].terminal if task.id in plans else (), 1):
            yield marks.data(f"instruction of {task.address}{place}/", terminal.instruction)
            if terminal.fallback:
                others = ", ".join(terminal.fallback)
                yield marks.data(f"fallback of {task.address}{place}/", others, limit=_SHORT)
        if task.issues:
            yield marks.data(f"issues of {task.address}", task.issues)
        if task.address in scene.changes:
            yield marks.data(f"files changed by {task.branch}", scene.changes[task.address])


def _facts(newest: Sequence[AnyFact], marks: _Marks) -> Iterator[str]:
    """Yield a line for each fact. Not as JSON: an escape beside a key would hide it."""
    told = [fact for fact in newest if fact_type(fact) not in _QUIET][:_FACTS]
    for fact in told:
        values = [
            f"{name}={_words(value)}"
            for name in fact.__struct_fields__
            if name not in _HIDDEN and (value := getattr(fact, name)) not in ("", [], {}, None)
        ]
        line = f"{fact_type(fact)} {' '.join(values)}"[:_SPARE]
        yield marks.clean(line)[:_SHORT]


def _words(value: object) -> str:
    """Return a field's value on one line."""
    if isinstance(value, dict):
        value = ", ".join(f"{key}: {each}" for key, each in value.items())
    elif isinstance(value, list):
        value = ", ".join(map(str, value))
    return " ".join(str(value).split())
