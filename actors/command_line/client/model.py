"""Put a person's question to the orchestrator's model, and wait for the answer."""

from pathlib import Path

import msgspec

from actors.command_line.client.orders import SILENCE_SECONDS
from actors.command_line.output.exits import FAILED, Stop
from actors.command_line.output.program import command
from bus import connection
from bus.client import Client
from bus.facts import OrchestratorAnswered
from bus.orchestrator_requests import OrchestratorAsk
from bus.questions import Question
from bus.requests import WorkflowGet
from bus.rows import Workflow
from bus.status import FINAL_WORKFLOW, QuestionStage
from bus.subscriber import Subscriber

_STORED_SECONDS = 0.05
"""After so long without a fact, the row is asked for: the answer is there, and is decided on."""
_ENDS = (QuestionStage.OVER, QuestionStage.UNANSWERED)


class Answered(msgspec.Struct):
    """The model's answer to the question with this number.

    `refused` is why its proposal cannot be carried out. With `waits` it waits for a person's word,
    and with `carried_out` it has it.
    """

    workflow: str
    question: int
    answer: OrchestratorAnswered
    refused: str = ""
    waits: bool = False
    carried_out: bool = False


def put(home: Path, workflow: str, text: str) -> Answered:
    """Put a question, and return the answer when the workflow has looked at it.

    Raise `Stop` if the workflow ends meanwhile, else `Refused`, `NoRuntime` or `NoAnswer`.
    """
    served = connection.read(home)
    with Client(served.requests, serves=lambda: connection.is_held(home)) as client:
        done = client.ask(OrchestratorAsk(workflow=workflow, text=text))
        number, name = done.row.questions[-1].number, done.workflow
        subscriber = Subscriber(served.feed, served.requests, done.seq, name)
        try:
            return _wait(client, subscriber, name, number)
        finally:
            subscriber.close()


def _wait(client: Client, subscriber: Subscriber, name: str, number: int) -> Answered:
    answer: OrchestratorAnswered | None = None
    while True:
        row = client.ask(WorkflowGet(workflow=name))
        question = _find(row, number)
        if answer is not None and question.stage in _ENDS:
            return Answered(name, number, answer, question.refused, bool(question.proposal))
        if row.status in FINAL_WORKFLOW:
            said = f"{name}/ is {row.status}; question {number} has no answer any more"
            raise Stop(said, FAILED, command("why", name))
        fact = subscriber.next(SILENCE_SECONDS if answer is None else _STORED_SECONDS)
        if isinstance(fact, OrchestratorAnswered) and fact.question == number:
            answer = fact


def _find(row: Workflow, number: int) -> Question:
    return next(each for each in row.questions if each.number == number)
