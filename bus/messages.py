"""What actors say to each other over the bus: small tagged structs, in msgpack.

Most are a mere `Look`: the rows and the journal say what is to be done, so a message that
is lost, doubled or late does no harm.
"""

import msgspec

from bus.peer import NOBODY, Caller
from bus.requests import Command, ConsoleRequest, Id


class Message(msgspec.Struct, tag=True, frozen=True):
    """Base of all messages."""


class Look(Message, frozen=True):
    """Something you act on has changed: read it, and go on."""


class Order(Message, frozen=True):
    """A command of `caller` for a workflow actor; the answer goes to `client`."""

    client: str
    request: Command
    caller: Caller = NOBODY


class AskTurn(Message, frozen=True):
    """A terminal asks the launcher to be started; only one has the turn.

    `alone`: nobody else may start before it is ready, for it reads the user's own configuration.
    """

    terminal: str
    incarnation: int
    alone: bool = False


class Started(Message, frozen=True):
    """The program of the terminal runs, and it waits until it is ready."""

    terminal: str
    incarnation: int


class YourTurn(Message, frozen=True):
    """The launcher's answer, when all before it are ready or have failed."""

    incarnation: int


class TurnOver(Message, frozen=True):
    """The terminal is ready, or will not be."""

    terminal: str
    incarnation: int


class Sweep(Message, frozen=True):
    """Ask the watcher to look at the refs now and say so to `asker` when it is journaled."""

    asker: str


class Swept(Message, frozen=True):
    """Every commit that was there before the `Sweep` is in the journal."""


class Answer(Message, frozen=True):
    """The answer of `caller` to a terminal's prompt; the reply goes to `client`."""

    client: str
    id: Id
    choice: str
    caller: Caller = NOBODY


class Preview(Message, frozen=True):
    """A person's question what the merge of a workflow would give; the reply goes to `client`."""

    client: str
    id: Id
    workflow: str


class DiffAsk(Message, frozen=True):
    """A request for the diff of a task; the reply goes to `client`."""

    client: str
    id: Id
    task: str
    text: bool


class ConsoleAsk(Message, frozen=True):
    """A request of `caller` on a terminal, whose address is whole and exists; the reply goes to
    `client`.
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
    | ConsoleAsk
    | ScreenAsk
)

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyMessage).decode
