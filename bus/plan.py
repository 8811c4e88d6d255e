"""The plan: what a user asks for, as TOML or JSON, decoded strictly.

`decode` checks everything that needs neither the repository nor the installed programs;
`actors.plan.check` checks the rest. Unknown keys are errors: if a misspelled key were ignored, the
plan would do something else than its writer meant (similar to hazard 4).
"""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import msgspec

from bus import address, plan_words, toml
from bus.converting import converter
from bus.environment import fault
from bus.errors import Refused, malformed
from bus.graph import Graph, cycle
from bus.kinds import Role
from bus.notify import Notify, faults
from bus.plan_defaults import with_defaults, with_users
from bus.plan_lines import Path, line_of
from bus.plan_orchestrator import Orchestrator, ThinkingCaps
from bus.plan_orchestrator import problems as of_orchestrator
from bus.plan_problems import Problem, Shape, collect, spelled
from bus.plan_texts import check_texts
from bus.sizes import Size

Text = Annotated[str, msgspec.Meta(min_length=1)]
Instruction = Annotated[str, msgspec.Meta(min_length=1, max_length=200_000)]
"""The text of an instruction. It goes to the host as one frame, which holds a megabyte."""
Seconds = Annotated[float, msgspec.Meta(gt=0, le=31_536_000)]
"""A duration of a year at most: JSON has no infinity, and timers have a maximum."""
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Argv = Annotated[list[Text], msgspec.Meta(min_length=1)]

AutoConfirm = Literal["never", "known", "bypass"]
Switch = Literal["isolated", "global"]
Sandbox = Literal["worktree", "off"]
"""What says nothing is None, until the check of the plan decides (`actors.plan.fence`)."""
Network = Literal["on", "off", "model"]
TestNetwork = Literal["on", "off"]
Limited = Literal["wait", "fallback", "ask"]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Base of the tables of a plan: an unknown key is an error."""


class Caps(_Strict):
    """What may be used before a person is asked. `hard` stops a turn that runs."""

    tokens: Annotated[int, msgspec.Meta(ge=1, le=10**15)] | None = None
    cost: Annotated[float, msgspec.Meta(gt=0, le=1e9)] | None = None
    hard: bool = False


class WorkflowCaps(Caps):
    """The caps of a workflow. `memory` is what its programs may take before a launch waits."""

    memory: Size | None = None


class TerminalPlan(_Strict):
    """One terminal of a task.

    `timeout` is its limit in seconds of work, counted from when it gets its instruction; without it
    there is no limit.

    `instruction_file` names a file whose text becomes the instruction when the plan is checked.

    `network` is "off" for a program in a sandbox that reaches no other machine, and "model" for one
    that reaches its provider through the model gateway, and nothing else.

    `limited` says what to do when its provider refuses it; without it, `fallback` is used as far as
    there are providers in it, and then it waits.

    With `keep` its program is not ended while its work is judged, so that it goes on in the same
    conversation if the work is sent back.

    The check of the plan decides what is said of `sandbox`: `unfenced` says why it is "off", and
    `fence` which one it is, where it is not bubblewrap's.
    """

    cli: Text
    instruction: Instruction
    role: Role = Role.CODER
    provider: str = ""
    model: str = ""
    auto_confirm: AutoConfirm = "bypass"
    switch: Switch = "isolated"
    sandbox: Sandbox | None = None
    unfenced: str = ""
    fence: str = ""
    network: Network = "on"
    instruction_file: str = ""
    timeout: Seconds | None = None
    fallback: list[Text] = []
    limited: Limited | None = None
    limits: Caps | None = None
    keep: bool = False

    @property
    def is_fenced(self) -> bool:
        """Whether its program has a sandbox."""
        return self.sandbox == "worktree"


class TaskPlan(_Strict):
    """A task: its branch, and the terminals that work on it one after another.

    It begins when the tasks whose ids are in `after` have completed. `check` runs on the tree of
    each commit with which a coder hands its work on.
    """

    id: Annotated[str, msgspec.Meta(pattern=rf"^{address.SLUG}\Z", max_length=48)]
    branch: Text
    terminal: Annotated[list[TerminalPlan], msgspec.Meta(min_length=1)]
    name: str = ""
    after: list[Text] = []
    limits: Caps | None = None
    check: Argv | None = None


class HelperPlan(_Strict):
    """A terminal that is started after a failure or a conflict: `[merge]`, `[error]`."""

    cli: Text
    provider: str = ""
    model: str = ""
    auto_confirm: AutoConfirm = "bypass"
    switch: Switch = "isolated"
    sandbox: Sandbox | None = None
    unfenced: str = ""
    fence: str = ""
    network: Network = "on"
    attempts: Count = 1
    timeout: Seconds | None = None
    fallback: list[Text] = []
    limited: Limited | None = None
    keep: bool = False

    @property
    def is_fenced(self) -> bool:
        """Whether its program has a sandbox."""
        return self.sandbox == "worktree"


class Defaults(_Strict):
    """The values for each key that a terminal, `[merge]` or `[error]` does not give."""

    cli: str = ""
    provider: str = ""
    model: str = ""
    auto_confirm: AutoConfirm | None = None
    switch: Switch | None = None
    sandbox: Sandbox | None = None
    network: Network | None = None
    timeout: Seconds | None = None
    fallback: list[Text] = []
    limited: Limited | None = None
    keep: bool | None = None


class Provider(_Strict):
    """A model endpoint. `api_key_env` names the variable with the key, which no plan holds.

    Prices are for a million tokens. All keys are as in `actors.clis.providers`.
    """

    base_url: Text
    model: str = ""
    models: list[Text] = []
    api_key_env: str = ""
    gateway: bool | None = None
    price_input: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    price_output: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    price_cached: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None


class Plan(_Strict):
    """A whole plan. Durations are in seconds."""

    name: Text
    repo: Text
    task: Annotated[list[TaskPlan], msgspec.Meta(min_length=1)]
    target: Text = "main"
    test: Argv | None = None
    test_timeout: Seconds = 600
    test_retries: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    max_terminals: Count = 4
    max_review_rounds: Count = 3
    stall_after: Seconds = 600
    idle_after: Seconds = 20
    nudges: Annotated[int, msgspec.Meta(ge=0, le=100)] = 2
    setup: Argv | None = None
    setup_inputs: list[Text] = []
    copy: list[Text] = []
    test_env: list[Text] = []
    environment: dict[str, str] = {}
    """Variables of the programs, `setup` and `test`; an empty value means that it is not set."""
    test_network: TestNetwork = "on"
    sandbox_allow: list[Text] = []
    limits: WorkflowCaps | None = None
    notify: Notify | None = None
    defaults: Defaults | None = None
    merge: HelperPlan | None = None
    error: HelperPlan | None = None
    orchestrator: Orchestrator | None = None
    provider: dict[str, Provider] = {}
    variables: dict[str, Any] = {}
    cli: dict[str, dict[str, Any]] = {}

    @property
    def is_fenced(self) -> bool:
        """Whether a task's terminal has a sandbox; then the tests have one, too."""
        return any(terminal.is_fenced for task in self.task for terminal in task.terminal)

    @property
    def has_fence(self) -> bool:
        """Whether an agent of the plan has a sandbox: a task's, or that of the merge."""
        return self.is_fenced or self.fences("/merge/")

    @property
    def fence(self) -> str:
        """Which sandbox its agents have, where it is not bubblewrap's."""
        own = [terminal for task in self.task for terminal in task.terminal]
        return next((one.fence for one in (*own, self.merge) if one and one.is_fenced), "")

    def fences(self, address: str) -> bool:
        """Whether a terminal of the task at this address has a sandbox, or that of the merge."""
        id = address.split("/")[1]
        if id == "merge":
            return self.merge is not None and self.merge.is_fenced
        of_task = [terminal for task in self.task if task.id == id for terminal in task.terminal]
        return any(terminal.is_fenced for terminal in of_task)

    @property
    def graph(self) -> Graph:
        """Which task comes after which (`bus.graph`)."""
        return {task.id: task.after for task in self.task}


_SHAPE: Shape[Plan] = Shape(
    converter(Plan),
    {
        (): Plan,
        ("task",): TaskPlan,
        ("task", "terminal"): TerminalPlan,
        ("task", "limits"): Caps,
        ("task", "terminal", "limits"): Caps,
        ("limits",): WorkflowCaps,
        ("notify",): Notify,
        ("merge",): HelperPlan,
        ("error",): HelperPlan,
        ("defaults",): Defaults,
        ("orchestrator",): Orchestrator,
        ("orchestrator", "tokens"): ThinkingCaps,
        ("provider", "*"): Provider,
    },
    {"provider": converter(Provider), "cli": converter(dict[str, Any])},
)


_OF_TERMINALS = frozenset(Defaults.__struct_fields__)

_AT = re.compile(r" - at `\$\.?(?P<path>.*)`$")
_FIELD = re.compile(r"field `(?P<field>[^`]+)`")


def refusal(error: Exception) -> Refused:
    """Return a decoding error of msgspec as a refusal, with the field's path in `path`."""
    text = str(error)
    at = _AT.search(text)
    path = at["path"] if at else ""
    rule = text[: at.start()] if at else text
    if field := _FIELD.search(rule):
        path = f"{path}.{field['field']}" if path else field["field"]
    return malformed(path, rule)


def decode(
    source: str | bytes | dict[str, Any],
    of_user: Mapping[str, Any] | None = None,
    prepared: Callable[[Any], Any] = lambda raw: raw,
) -> Plan:
    """Return the plan that TOML text or a decoded JSON object describes.

    `of_user` are the user's own defaults (`bus.config`), for what the plan does not give.
    `prepared` puts the instructions in that stand in files. Raise `Refused` (422) with the key's
    path and the rule.
    """
    try:
        if isinstance(source, bytes):
            source = source.decode()
        raw = toml.loads(source) if isinstance(source, str) else source
    except UnicodeDecodeError as error:
        raise malformed("", f"the plan is not UTF-8: {error}") from error
    except toml.TomlError as error:
        raise malformed("", f"the plan is not TOML: {error}") from error
    try:
        raw = prepared(raw)
        raw_plan = with_defaults(with_users(raw, of_user or {}, _OF_TERMINALS), _OF_TERMINALS)
        plan, found = collect(raw_plan, _SHAPE)
        found += _beyond_types(plan) if plan is not None else []
        check_texts(raw)
    except RecursionError as error:
        raise malformed("", "the plan is nested too deeply") from error
    if plan is None or found:
        raise refused(found, source if isinstance(source, str) else "")
    return plan


def refused(found: list[Problem], text: str) -> Refused:
    """Return all problems as one refusal: the first as path and rule, each other as a line."""
    said = []
    for problem in found:
        line = line_of(text, problem.path) if text else None
        where = f" (line {line})" if line else ""
        said.append((spelled(problem.path), problem.rule + where))
    (path, rule), *others = said
    more = "".join(f"\n{other}: {what}" for other, what in others)
    return malformed(path, rule + more)


def _beyond_types(plan: Plan) -> list[Problem]:
    """Return the problems that the types of a plan do not exclude, such as a name used twice."""
    found: list[Problem] = []

    def problem(rule: str, *path: str | int) -> None:
        found.append(Problem(path, rule))

    if not re.search(r"[a-zA-Z0-9]", plan.name):
        problem("must have at least one letter a-z or digit", "name")
    ids: dict[str, int] = {}
    branches: dict[str, int] = {}
    for i, task in enumerate(plan.task):
        if task.id in address.RESERVED_TASKS:
            problem(f"{task.id!r} is a name Callboard uses itself", "task", i, "id")
        for key, value, seen in (("id", task.id, ids), ("branch", task.branch, branches)):
            if value in seen:
                problem(f"{value!r} is already used by task[{seen[value]}]", "task", i, key)
            seen.setdefault(value, i)
        if task.branch == plan.target:
            problem("must not be the target itself", "task", i, "branch")
        for j, terminal in enumerate(task.terminal):
            if not terminal.instruction.strip():
                problem("must say something", "task", i, "terminal", j, "instruction")
        if task.terminal[0].role == Role.REVIEWER:
            problem("there is nothing to review yet", "task", i, "terminal", 0, "role")
    found += _beyond_types_of_graph(plan)
    found += of_orchestrator(plan.orchestrator)
    found += [Problem(("notify", key), rule) for key, rule in faults(plan.notify)]
    for key, patterns in (("copy", plan.copy), ("setup_inputs", plan.setup_inputs)):
        for index, pattern in enumerate(patterns):
            parts = PurePosixPath(pattern).parts
            if pattern.startswith("/") or ".." in parts or ".git" in parts:
                problem("must be a pattern below the repository, not its .git", key, index)
    for name in plan.environment:
        if rule := fault(name):
            problem(rule, "environment", name)
    if plan.setup_inputs and plan.setup is None:
        problem("names what `setup` depends on, and the plan has no `setup`", "setup_inputs")
    return found


def _beyond_types_of_graph(plan: Plan) -> list[Problem]:
    """Return the problems of the tasks' `after`: unknown ids, ids given twice, cycles."""
    found: list[Problem] = []
    places = {task.id: i for i, task in enumerate(plan.task)}
    for i, task in enumerate(plan.task):
        for j, id in enumerate(task.after):
            path: Path = ("task", i, "after", j)
            if id == task.id:
                found.append(Problem(path, "a task cannot come after itself"))
            elif id not in places:
                found.append(Problem(path, plan_words.no_task(id, list(places))))
            elif task.after.index(id) < j:
                found.append(Problem(path, f"{id!r} is given twice"))
    back = [] if found else cycle(plan.graph)
    if back:
        i = places[back[0]]
        path = ("task", i, "after", plan.task[i].after.index(back[1]))
        found.append(Problem(path, f"a cycle: {' comes after '.join(back)}"))
    return found
