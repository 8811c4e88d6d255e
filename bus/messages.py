"""The messages between actors: small tagged structs, in msgpack.

Most of them are a `Look`. The rows and the journal say what is to be done, so a message that is
lost, repeated or late does no harm.
"""

import msgspec

from bus.peer import NOBODY, Caller
from bus.plan_requests import PlanChange
from bus.request_base import Id
from bus.requests import Command, ConfigRequest, ConsoleRequest, PlanCheck, PlanSubmit


class Message(msgspec.Struct, tag=True, frozen=True):
    """Base of all messages."""


class Look(Message, frozen=True):
    """Something that the receiver acts on has changed: read it, and go on."""


class Order(Message, frozen=True):
    """A command of `caller` for a workflow actor; the reply goes to `client`."""

    client: str
    request: Command
    caller: Caller = NOBODY


class AskTurn(Message, frozen=True):
    """A terminal asks the launcher for its turn to start.

    With `alone`, no other terminal may start before this one is ready, because it reads the user's
    own configuration. `memory` is what its program needs, and `cap` what the programs of its
    workflow may take, in MiB; 0 if nobody says. `account` is the one whose limit it waits for; ""
    if it waits for none.
    """

    terminal: str
    incarnation: int
    alone: bool = False
    memory: int = 0
    cap: int = 0
    account: str = ""


class Started(Message, frozen=True):
    """The terminal's program runs and is not ready yet."""

    terminal: str
    incarnation: int


class YourTurn(Message, frozen=True):
    """The launcher's answer to `AskTurn`: the terminal may start its program now."""

    incarnation: int


class TurnOver(Message, frozen=True):
    """The launch is over: the terminal is ready, or it failed."""

    terminal: str
    incarnation: int


class Sweep(Message, frozen=True):
    """Ask the watcher to read the refs now. `asker` gets `Swept` once the facts are stored."""

    asker: str


class Swept(Message, frozen=True):
    """Every commit that existed before the `Sweep` is in the journal."""


class Answer(Message, frozen=True):
    """The answer of `caller` to a terminal's prompt; the reply goes to `client`.

    One that the orchestrator has `proposed` answers no dangerous prompt, whoever accepted it.
    """

    client: str
    id: Id
    choice: str
    caller: Caller = NOBODY
    proposed: bool = False


class Preview(Message, frozen=True):
    """A request to preview the merge of a workflow; the reply goes to `client`."""

    client: str
    id: Id
    workflow: str


class DiffAsk(Message, frozen=True):
    """A request for the diff of a task; the reply goes to `client`."""

    client: str
    id: Id
    task: str
    text: bool


class ClearAsk(Message, frozen=True):
    """A request of `caller` to remove what a workflow left; the reply goes to `client`.

    With `forget`, the workflow's rows and facts are removed too.
    """

    client: str
    id: Id
    workflow: str
    dry_run: bool = False
    keep_outputs: bool = False
    forget: bool = False
    caller: Caller = NOBODY


class PlanAsk(Message, frozen=True):
    """A plan of `caller` to be checked, or checked and stored; the reply goes to `client`."""

    client: str
    request: PlanCheck | PlanSubmit
    caller: Caller = NOBODY


class ChangeAsk(Message, frozen=True):
    """A change of a workflow's plan to be checked; then the workflow decides on it and replies."""

    client: str
    request: PlanChange
    workflow: str
    caller: Caller = NOBODY


class ConfigAsk(Message, frozen=True):
    """A request of `caller` about a repository's shared files; the reply goes to `client`."""

    client: str
    request: ConfigRequest
    caller: Caller = NOBODY


class ConsoleAsk(Message, frozen=True):
    """A console request of `caller`; the reply goes to `client`.

    The terminal's address is complete, and the terminal exists.
    """

    client: str
    request: ConsoleRequest
    caller: Caller = NOBODY


class ScreenAsk(Message, frozen=True):
    """A request for a terminal's screen; the reply goes to `client`."""

    client: str
    id: Id
    terminal: str


AnyMessage = (
    Look
    | Order
    | AskTurn
    | YourTurn
    | Started
    | TurnOver
    | Sweep
    | Swept
    | Answer
    | Preview
    | DiffAsk
    | ClearAsk
    | ConfigAsk
    | PlanAsk
    | ChangeAsk
    | ConsoleAsk
    | ScreenAsk
)

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyMessage).decode
