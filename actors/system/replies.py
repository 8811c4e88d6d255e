"""Answers to requests that came in through the gateway.

Every request gets exactly one answer. An actor that takes a request over from the gateway answers
it, also when the actor fails or is stopped before it has handled the request.
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from actors.platform.workers import WorkerLate
from actors.supervision.stopping import DidNotStop
from bus import address as addresses
from bus import messages, requests
from bus.action import Action, Do
from bus.errors import Explained, Refused, illegal
from bus.messages import Answer, ConfigAsk, Order
from bus.reasons import Reason
from bus.router import Envelope
from bus.status import FINAL_WORKFLOW, WorkflowStatus
from store.errors import Damaged, LostRace, StoreError

log = logging.getLogger("callboard.replies")

DEFECT = 500
"""The code of a reply to a request whose handler has a defect, or met a damaged database."""


class Sender(Protocol):
    """Delivers bytes to a client or an actor. `bus.router.Bus` is one."""

    def send(self, to: str, payload: bytes) -> bool:
        """Send without blocking. Return False if nobody lives at the address."""


class Standings(Protocol):
    """Knows the status of workflows. `store.reader.Reader` is one."""

    def standing(self, workflow: str) -> tuple[WorkflowStatus, int]:
        """Return the status, and the seq of the last fact the workflow has handled."""


class Replies:
    """Answers clients. Every method may be called from any thread and does not block on clients."""

    def __init__(self, sender: Sender, standings: Standings) -> None:
        self._sender = sender
        self._standings = standings

    def reply(self, client: str, id: Any, result: Any = None) -> None:
        """Answer a request with its result."""
        log.info("done", extra={"request": number_of(client)})
        self._sender.send(client, requests.succeeded(id, result))

    def refuse(self, client: str, id: Any, error: Refused) -> None:
        """Answer a request with an error."""
        about = error.body.code, error.body.reason
        log.info("refused: %d %s", *about, extra={"request": number_of(client)})
        self._sender.send(client, requests.refused(id, error))

    def answer(self, client: str, id: Any, what: str, make: Callable[[], Any]) -> None:
        """Answer with what `make` returns, or refuse with what it raises.

        No error is raised: a repository that cannot be read must not end an actor that others need,
        too. `what` is as for `refusal`.
        """
        try:
            result = make()
        except Exception as error:
            failure = refusal(what, error)
            if failure.body.code == DEFECT:
                log.exception("%s broke", what)
            self.refuse(client, id, failure)
        else:
            self.reply(client, id, result)

    def hand_on(self, workflow: str, to: str, message: Order | Answer | ConfigAsk) -> None:
        """Pass a command to an actor of a workflow, which answers it.

        Raise `Refused` if no actor lives at the address `to`.
        """
        if not self._sender.send(to, messages.encode(message)):
            raise self._no_actor(workflow)

    def answer_unread(self, address: str, item: object) -> None:
        """Refuse the command in a message that an ended actor left unread.

        `item` comes from the mailbox of `address`. Do nothing if it contains no command.
        """
        workflow = addresses.whose(address)
        if not isinstance(item, Envelope) or not workflow:
            return
        try:
            failure = self._no_actor(workflow)
        except StoreError as error:
            failure = Refused(503, Reason.STORE, f"{address}: nothing was done; {error}")
        match messages.decode(item.payload):
            case Order(client=client, request=request) | ConfigAsk(client=client, request=request):
                self.refuse(client, request.id, failure)
            case Answer(client=client, id=id):
                self.refuse(client, id, failure)

    def _no_actor(self, workflow: str) -> Refused:
        status, _ = self._standings.standing(workflow)
        if status in FINAL_WORKFLOW:
            return illegal(Reason.OVER, f"{workflow}/ is {status}")
        return Refused(503, Reason.STOPPING, f"{workflow}/ is being ended; nothing was done")


def number_of(client: str) -> str:
    """Return the number of a request, from the address of its client, as the log shows it."""
    return f"request={client.rpartition('/')[2]}"


def refusal(what: str, error: BaseException) -> Refused:
    """Make the error reply for a request whose handler raised, or was cut short by the shutdown.

    This is the one mapping from errors to replies. `what` names the request in a sentence: "the
    preview of demo/". Code 500 is a defect; the caller logs it.
    """
    match error:
        case Refused():
            return error
        case Explained():
            return illegal(error.rule, error.message, help=error.help)
        case WorkerLate():
            return Refused(503, Reason.TOO_LONG, f"{what}: {error}")
        case DidNotStop():
            said = f"{what} was not ended in time: the runtime is stopping"
            return Refused(503, Reason.STOPPING, said)
        case Damaged():
            return damaged(error)
        case LostRace():
            return Refused(409, Reason.LOST_RACE, str(error))
        case StoreError():
            return Refused(503, Reason.STORE, str(error))
    return Refused(500, Reason.FAILED, f"{what} broke: {type(error).__name__}: {error}")


def damaged(error: Damaged) -> Refused:
    """Return the error reply for a damaged database.

    It can be mended after the runtime has ended; terminals go on meanwhile.
    """
    steps = [Action(Do.DOCTOR), Action(Do.STOP_RUNTIME), Action(Do.MEND)]
    return Refused(500, Reason.DAMAGED, str(error), actions=steps)
