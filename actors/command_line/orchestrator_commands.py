"""The command that puts a question or an order to the orchestrator's model: `ask`."""

import sys
from typing import TYPE_CHECKING

import click

from actors.command_line.entry import main
from actors.command_line.options import ask, home, home_option, json_option, show
from actors.command_line.output.exits import FAILED, USAGE, Stop
from actors.command_line.output.program import command

if TYPE_CHECKING:
    from actors.command_line.client.model import Answered


@main.command("ask")
@click.argument("workflow")
@click.argument("text", required=False)
@click.option("--yes", is_flag=True, help="Carry out what it proposes, without a question.")
@click.option(
    "--accept",
    type=click.IntRange(min=1),
    metavar="N",
    help="Carry out what it proposed for question N.",
)
@json_option
@home_option
def ask_model(
    workflow: str, text: str | None, yes: bool, accept: int | None, as_json: bool
) -> None:
    """Put a question or an order to the plan's orchestrator, and show what it proposes.

    Nothing is carried out before you say so. TEXT may be `-` for standard input.
    """
    if (text is None) == (accept is None):
        raise Stop("say a TEXT, or --accept N for what it proposed", USAGE)
    if accept is not None:
        _accept(workflow, accept, as_json)
        return
    from actors.command_line.client.model import put

    asks = not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    found = put(home(), workflow, sys.stdin.read() if text == "-" else text or "")
    if asks and found.waits:
        show(found, False, _answer)
        if click.confirm("carry it out?", default=False):
            _accept(found.workflow, found.question, False)
        return
    if yes and found.waits:
        _carry_out(found)
    show(found, as_json, _told)
    if found.refused:
        raise Stop(f"not carried out: {found.refused}", FAILED, command("why", found.workflow))
    if found.answer.error:
        said = f"no answer: {found.answer.error}"
        raise Stop(said, FAILED, command("why", found.workflow))


def _accept(workflow: str, question: int, as_json: bool) -> None:
    from bus.orchestrator_requests import OrchestratorAccept

    done = ask(OrchestratorAccept(workflow=workflow, question=question))
    said = f"carried out; {done.row.address} {done.row.status}"
    show(done.row, as_json, lambda _: said)


def _carry_out(found: "Answered") -> None:
    """Accept a proposal, and note what became of it."""
    from bus.errors import Refused
    from bus.orchestrator_requests import OrchestratorAccept

    try:
        ask(OrchestratorAccept(workflow=found.workflow, question=found.question))
    except Refused as error:
        found.refused = error.body.message
    else:
        found.waits, found.carried_out = False, True


def _told(found: "Answered") -> str:
    """Return the answer, and what became of its proposal or what helps."""
    lines = [_answer(found)]
    if found.carried_out:
        lines.append("carried out")
    elif found.waits and not found.refused:
        accept = command("ask", found.workflow, "--accept", str(found.question))
        lines.append(f"not carried out; to do it: {accept}")
    return "\n".join(lines)


def _answer(found: "Answered") -> str:
    """Return what the model says and proposes, each field on its line."""
    proposal = dict(found.answer.proposal)
    action, reason = str(proposal.pop("action", "")), str(proposal.pop("reason", ""))
    if not action:
        return f"question {found.question} has no answer"
    shown = [f"{name}: {_value(value)}" for name, value in proposal.items() if value]
    said = [reason] if reason else []
    if action == "nothing":
        return "\n".join(said or ["it proposes nothing"])
    return "\n".join([*said, f"it proposes: {action}", *(f"  {line}" for line in shown)])


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
