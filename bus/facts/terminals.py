"""Facts about terminals, from their actors."""

import msgspec

from bus.action import Action
from bus.facts.base import Fact
from bus.kinds import Ending, LaunchWait
from bus.peer import By


class TerminalReady(Fact, kw_only=True, tag="terminal.ready"):
    """The program shows its ready pattern on a quiet screen.

    `seconds` is the time since its host started it.
    """

    observed = True

    incarnation: int
    seconds: float = 0.0


class LaunchWaits(Fact, kw_only=True, tag="launch.waits"):
    """A launch waits, `for` memory, disk, a limit of its account or a place; `reason` says more.

    It goes on by itself. What runs is not ended for it, but for a program that is kept. While the
    machine is short of memory or disk, those after it wait too.
    """

    observed = True

    incarnation: int
    wait: LaunchWait = msgspec.field(name="for")
    reason: str


class MemoryShort(Fact, kw_only=True, tag="memory.short"):
    """The machine is about to end programs for want of memory; `reason` says how short it is.

    `address` is the youngest terminal that is at its prompt and has nothing to do. It is ended, and
    started again later.
    """

    observed = True

    incarnation: int
    reason: str


class WorktreeLost(Fact, kw_only=True, tag="worktree.lost"):
    """The worktree `path`, in which the program of `terminal` works, was removed by somebody.

    `address` is the task, or the merge terminal. What was not committed is lost; the branch stays.
    """

    observed = True

    terminal: str
    incarnation: int
    path: str


class TerminalUnverified(Fact, kw_only=True, tag="terminal.unverified"):
    """The program's profile was not verified with this `version` ("" if unknown).

    No rule answers the prompts of such a program.
    """

    incarnation: int
    cli: str
    version: str
    verified: list[str]


class LaunchFailed(Fact, kw_only=True, tag="terminal.launch_failed"):
    """The program could not be started or did not become ready; `screen` is its last screen.

    `actions` are the steps that help before it is started again.
    """

    observed = True

    incarnation: int
    reason: str
    screen: str = ""
    actions: list[Action] = []


class TerminalExited(Fact, kw_only=True, tag="terminal.exited"):
    """The program and its process group are gone.

    `kind` says what `status` is. `unsure` is the step of an instruction whose
    delivery is unknown because its host is gone; 0 if there is none.
    """

    observed = True

    incarnation: int
    kind: Ending
    status: int = 0
    offset: int = 0
    leftovers: int = 0
    screen: str = ""
    unsure: int = 0


class TerminalAdopted(Fact, kw_only=True, tag="terminal.adopted"):
    """A runtime found the program still running and took it over at `offset`."""

    incarnation: int
    pid: int
    offset: int


class InstructionSent(Fact, kw_only=True, tag="instruction.sent"):
    """The text of an instruction was typed into the terminal."""

    incarnation: int
    step: int
    bytes: int


class InstructionDelivered(Fact, kw_only=True, tag="instruction.delivered"):
    """A new turn was seen to begin after the text was sent."""

    incarnation: int
    step: int


class InstructionUnconfirmed(Fact, kw_only=True, tag="instruction.unconfirmed"):
    """The text was sent and no new turn was seen; it is not typed again.

    If no `instruction.sent` precedes this fact, it is unknown whether the text was typed: the
    runtime died before it stored that, and the host died too.
    """

    incarnation: int
    step: int
    screen: str = ""


class TerminalBlocked(Fact, kw_only=True, tag="terminal.blocked"):
    """A prompt waits for a person.

    `prompt` is the profile's name for it, or `unknown`, or `unrecognised` for a quiet screen that
    is neither ready nor busy nor a question. No rule and no model answers one that is `dangerous`.
    """

    observed = True

    incarnation: int
    prompt: str
    choices: list[str] = []
    text: str = ""
    dangerous: bool = False


class TurnEnded(Fact, kw_only=True, tag="turn.ended"):
    """The program is no longer busy with the instruction `step` and can take another."""

    incarnation: int
    step: int


class TurnWithoutCommit(Fact, kw_only=True, tag="turn.without_commit"):
    """A turn ended without a commit that counts.

    The program has been quiet for the plan's `idle_after` since then. It gets `missing` as an
    instruction.
    """

    observed = True

    incarnation: int
    step: int
    missing: str


class TerminalIdle(Fact, kw_only=True, tag="terminal.idle"):
    """The terminal waits for a person.

    Either its turn has ended without a commit that counts and the plan's `nudges` are used up, or
    its screen takes no instruction. `obstacle` is then `password`, `pager` or `editor`; otherwise
    it is "".
    """

    observed = True

    incarnation: int
    step: int
    missing: str
    obstacle: str = ""
    screen: str = ""


class TerminalKept(Fact, kw_only=True, tag="terminal.kept"):
    """The program of a terminal whose work is judged is kept: every process of it is stopped.

    Without `stopped` its turn did not end within the plan's `idle_after`, or it cannot be known
    whether it is stopped; then it is ended.
    """

    observed = True

    incarnation: int
    stopped: bool


class ConversationResumed(Fact, kw_only=True, tag="terminal.resumed_conversation"):
    """The program was started with the conversation of the last incarnation, `session`."""

    incarnation: int
    session: str


class TerminalStalled(Fact, kw_only=True, tag="terminal.stalled"):
    """The screen has shown nothing new for `seconds`; blinking, spinners, counters do not count."""

    observed = True

    incarnation: int
    seconds: float
    screen: str = ""


class TerminalAnswered(Fact, kw_only=True, tag="terminal.answered"):
    """A prompt was answered; `by` and `peer` are as in `WorkflowMoved`."""

    incarnation: int
    choice: str
    by: By
    peer: str = ""


class TerminalTaken(Fact, kw_only=True, tag="terminal.taken"):
    """A session began to type into the terminal; `by` and `peer` are as in `WorkflowMoved`.

    The typed text is not stored.
    """

    incarnation: int
    by: By
    peer: str = ""


class TerminalGiven(Fact, kw_only=True, tag="terminal.given"):
    """No session types into the terminal any more."""

    incarnation: int


class TerminalResumed(Fact, kw_only=True, tag="terminal.resumed"):
    """The terminal is no longer blocked, stalled or idle."""

    incarnation: int


class TimedOut(Fact, kw_only=True, tag="terminal.timeout"):
    """The terminal worked longer than its `timeout` in the plan."""

    observed = True

    incarnation: int
    seconds: float
