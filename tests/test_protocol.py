"""docs/protocol.md says what the code says: types, fields, columns, commands, words."""

import re
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.command_line.commands import main
from actors.web.routes import ROUTES
from bus import facts, plan, plan_orchestrator, questions, requests, rows
from bus.reasons import Reason

TEXT = (Path(__file__).parents[1] / "docs" / "protocol.md").read_text()


def table(head: str) -> dict[str, list[str]]:
    """The rows below a header line, by the words in backquotes of the first cell."""
    body = TEXT.split(f"| {head} |\n")[1].split("\n\n")[0]
    found = {}
    for line in body.splitlines()[1:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[cells[0].strip("`")] = cells
    return found


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def fields(kind: type[Any], *but: str) -> list[str]:
    return [f.encode_name for f in msgspec.structs.fields(kind) if f.name not in but]


def tagged(union: Any) -> dict[str, type[Any]]:
    return {kind.__struct_config__.tag: kind for kind in typing.get_args(union)}


def test_every_fact_type_stands_in_the_table_and_no_other() -> None:
    documented = table("type | address | fields | says")
    code = tagged(facts.AnyFact)
    assert set(documented) == set(code)
    for tag, kind in code.items():
        assert words(documented[tag][2]) == fields(kind, "seq", "at", "address"), tag


def test_every_request_type_stands_in_the_table_and_no_other() -> None:
    documented = table("type | fields | result")
    code = tagged(requests.AnyRequest)
    assert set(documented) == set(code)
    for tag, kind in code.items():
        own = [f for f in msgspec.structs.fields(kind) if f.name != "id"]
        marked = [f.name + ("" if f.required else "?") for f in own]
        assert words(documented[tag][1]) == marked, tag


def test_what_is_not_yet_is_really_not_there() -> None:
    missing = {w for p in re.findall(r"Not yet: (.*?)\.\n", TEXT, re.DOTALL) for w in words(p)}
    assert not missing & set(tagged(requests.AnyRequest))
    assert not missing & set(main.commands)


def test_every_command_stands_in_the_table() -> None:
    column = " ".join(words(" ".join(cells[0] for cells in table("command | does").values())))
    for name in main.commands:
        assert re.search(rf"(^| ){name}( |$)", column), name


@pytest.mark.parametrize(
    ("name", "kind"),
    [("workflow", rows.Workflow), ("task", rows.Task), ("terminal", rows.Terminal),
     ("merge", rows.Merge), ("question", questions.Question)],
)  # fmt: skip
def test_every_column_of_a_row_stands_in_the_table(name: str, kind: type[Any]) -> None:
    assert set(words(table("row | columns")[name][1])) == set(fields(kind))


def test_every_key_of_a_plan_stands_in_the_table() -> None:
    text = " ".join(cell for row in table("key | type, default").values() for cell in row)
    documented = set(re.findall(r"[a-z_]+", " ".join(words(text))))
    for kind in (plan.Plan, plan.TaskPlan, plan.TerminalPlan, plan.HelperPlan, plan.Provider,
                 plan_orchestrator.Orchestrator, plan_orchestrator.ThinkingCaps):  # fmt: skip
        assert set(fields(kind)) <= documented, kind


def test_every_reason_of_a_refusal_is_named() -> None:
    source = "".join(
        (Path(__file__).parents[1] / path).read_text()
        for path in (
            "actors/workflow/decisions/commands.py",
            "actors/gateway/actor.py",
            "actors/terminal/prompts.py",
        )
    )
    named = re.findall(r"(?:illegal\(|_require\(\s*draft,)\s*Reason\.([A-Z_]+)", source)
    used = {Reason[name].value for name in named}
    assert {"not_ready", "landing", "not_live"} <= used
    assert used <= set(words(TEXT.split("Reasons of 400:")[1].split("\n\n")[0]))


def test_every_http_route_stands_in_the_table_and_no_other() -> None:
    documented = {
        route: words(cells[1])[0]
        for route, cells in table("route | request | does").items()
        if words(cells[1])
    }
    code = {
        f"{route.method} {route.path.replace(':path}', '}')}": route.request.__struct_config__.tag
        for route in ROUTES
    }
    assert documented == code
