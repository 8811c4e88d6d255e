"""The tool that the model has to call: one flat JSON schema, made from the proposals' structs."""

from collections.abc import Iterable
from typing import Any

import msgspec

from bus import proposals

TOOL = "decide"

_SAID: dict[str, str] = {
    "action": "what is to be done now; exactly one",
    "reason": "why, in one sentence for a person",
    "terminal": "the address of a terminal, such as demo/login/1/",
    "task": "the address of a task, such as demo/login/; for add_task the id of the new task",
    "text": "the instruction, the issues to mend, or the question to a person",
    "after": "ids of the tasks that the new task comes after",
    "role": "what the new terminal does",
    "provider": "the name of a provider of the terminal's fallback",
    "choice": "the label of the choice to take, as the screen shows it",
    "choices": "answers that a person may choose from",
}
"""What each field is for."""


def schema(allowed: Iterable[str]) -> dict[str, Any]:
    """Return the JSON schema of the tool, with the actions that the plan allows.

    It has the fields of all these actions. All are required, as strict servers want it; an action
    leaves "" or an empty list in those that it does not have.
    """
    actions = [name for name in proposals.KINDS if name in (*allowed, *proposals.ALWAYS)]
    properties: dict[str, Any] = {
        "action": {"type": "string", "enum": actions, "description": _described(actions)},
    }
    for name in actions:
        for field in msgspec.structs.fields(proposals.KINDS[name]):
            properties.setdefault(field.name, _property(field.name))
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _described(actions: list[str]) -> str:
    kinds = {name: (proposals.KINDS[name].__doc__ or "").split("\n\n")[0] for name in actions}
    lines = [f"{name}: {' '.join(doc.split())}" for name, doc in kinds.items()]
    return f"{_SAID['action']}\n" + "\n".join(lines)


def _property(name: str) -> dict[str, Any]:
    said = f"{_SAID[name]}; empty if the action has none"
    if name in ("after", "choices"):
        return {"type": "array", "items": {"type": "string"}, "description": said}
    if name == "role":
        return {"type": "string", "enum": ["", "coder", "reviewer"], "description": said}
    return {"type": "string", "description": said}
