"""What the orchestrator's model may propose, as structs.

Each is turned into the request that a person would send, and is checked like that request. There is
none that completes, approves, merges, lands or removes anything, or that changes a limit.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast, get_args

import msgspec

from bus.converting import converter
from bus.kinds import Role
from bus.questions import ESCALATE

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=20_000, pattern=r"\S")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Reasoned = Annotated[str, msgspec.Meta(max_length=20_000)]


class _Proposal(msgspec.Struct, tag_field="action", forbid_unknown_fields=True, kw_only=True):
    """Base of all proposals: `reason` says why, in a sentence."""

    reason: Reasoned = ""


class Instruct(_Proposal, tag="instruct"):
    """Type `text` into a terminal that works; replace the instruction of one that has not begun."""

    terminal: Name
    text: Words


class AddTask(_Proposal, tag="add_task"):
    """Add a task with the id `task` and one terminal with the instruction `text`.

    It comes after the tasks `after`. Its program, model and fences are those of `terminal`, a
    terminal of the plan; without one they are those of the plan's first.
    """

    task: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]*\Z", max_length=48)]
    text: Words
    after: Annotated[list[Name], msgspec.Meta(max_length=50)] = []
    terminal: str = ""


class AddTerminal(_Proposal, tag="add_terminal"):
    """Add a terminal with the instruction `text` at the end of a task's line.

    Its program, model and fences are those of the task's last terminal.
    """

    task: Name
    text: Words
    role: Role = Role.CODER


class SendBack(_Proposal, tag="send_back"):
    """Send a task that waits for a review back to its coder, with the issues `text`."""

    task: Name
    text: Words


class AnswerPrompt(_Proposal, tag="answer"):
    """Answer the question on a terminal's screen with the label `choice`."""

    terminal: Name
    choice: Name


class Retry(_Proposal, tag="retry"):
    """Start the failed or stuck terminal of a task again."""

    task: Name


class UseProvider(_Proposal, tag="use_provider"):
    """Start a terminal that works again, with a `provider` of its `fallback` that is not used yet.

    The model chooses none that the plan does not name for this terminal.
    """

    terminal: Name
    provider: Name


class Blame(_Proposal, tag="blame"):
    """Send the completed task whose branch made the tests red back, with the issues `text`."""

    task: Name
    text: Words


class Escalate(_Proposal, tag=ESCALATE):
    """Put the question `text` to a person, with choices."""

    text: Words
    choices: Annotated[list[Name], msgspec.Meta(max_length=10)] = []


class Nothing(_Proposal, tag="nothing"):
    """Do nothing."""


Proposal = (
    Instruct
    | AddTask
    | AddTerminal
    | SendBack
    | AnswerPrompt
    | Retry
    | UseProvider
    | Blame
    | Escalate
    | Nothing
)

KINDS: dict[str, type[Any]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Proposal)}
"""The classes by the word of their `action`."""

ALWAYS = (ESCALATE, "nothing")
"""The actions that every plan allows."""


_convert: Callable[[Any], Proposal] = converter(cast(Any, Proposal))


def decode(arguments: Mapping[str, Any]) -> Proposal:
    """Return the proposal in the arguments of the tool. Raise `msgspec.ValidationError`.

    The tool's schema is flat: it has the fields of all actions, and a model leaves those empty that
    its action does not have. What is empty, and what other actions have, is left out.
    """
    kind = KINDS.get(str(arguments.get("action", "")))
    own = set(kind.__struct_fields__) if kind is not None else set()
    others = {name for each in KINDS.values() for name in each.__struct_fields__} - own
    kept = {
        name: value
        for name, value in arguments.items()
        if name not in others and value not in ("", [], None)
    }
    return _convert(kept)
