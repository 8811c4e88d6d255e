"""Plans with an orchestrator whose model is a function of the test."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from bus.plan_orchestrator import May
from tests.doors.acting import Acting
from tests.doors.kit import Home
from tests.scripted_model import KEY, Asked, Said, ScriptedModel

VARIABLE = "CALLBOARD_TEST_KEY"
ALL = list(get_args(May))
EMPTY: dict[str, Any] = {
    "reason": "because", "terminal": "", "task": "", "text": "", "after": [], "role": "",
    "provider": "", "choice": "", "choices": [],
}  # fmt: skip
NOTHING = EMPTY | {"action": "nothing"}


def decision(action: str, **fields: Any) -> dict[str, Any]:
    """The arguments of the tool: all fields, as a strict schema wants them."""
    return EMPTY | {"action": action} | fields


def fitting(asked: Asked, said: dict[str, Any]) -> dict[str, Any]:
    """The arguments without the fields that this plan's schema does not have."""
    tool = asked.tool or {}
    schema = tool.get("input_schema") or tool.get("parameters") or {}
    return {name: value for name, value in said.items() if name in schema["properties"]}


def table(model: ScriptedModel, may: list[str] = ALL, api_type: str = "anthropic-compatible",
          **more: Any) -> str:  # fmt: skip
    """`[orchestrator]` of a plan that asks this model."""
    keys = {
        "api_type": api_type,
        "base_url": model.url,
        "model": "scripted",
        "api_key_env": VARIABLE,
        "may": may,
        **more,
    }
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in keys.items())
    return f"[orchestrator]\n{lines}\n"


def wants_summary(asked: Asked) -> bool:
    """Whether the question is that at the end of a workflow."""
    return "The workflow has landed." in asked.question


def _summed_up(asked: Asked) -> Said:
    return fitting(asked, decision("nothing", reason="all of it landed"))


@contextmanager
def minded(
    path: Path,
    script: Callable[[Asked], Said],
    sums_up: Callable[[Asked], Said] = _summed_up,
) -> Iterator[tuple[Acting, ScriptedModel]]:
    """A served home whose runtime has the key, and a model that these functions are."""
    home = Home(path, env={**os.environ, VARIABLE: KEY})
    with ScriptedModel(lambda asked: (sums_up if wants_summary(asked) else script)(asked)) as model:
        home.serve()
        try:
            yield Acting(home), model
        finally:
            home.close()
