"""Next steps as commands: the command line's words for `bus.action`."""

import shlex

from actors.command_line.exits import at_home
from bus.action import Action, Do

PROGRAM = "python run.py"

_WORDS = {
    Do.LIST: "ps",
    Do.GET: "ps {}",
    Do.PREPARE: "prepare {}",
    Do.START: "start {}",
    Do.RESUME: "resume {}",
    Do.REPAIR: "repair {}",
    Do.RETRY: "retry {}",
    Do.APPROVE: "approve {}",
    Do.REJECT: "reject {} --reason REASON",
    Do.CONTINUE_MERGE: "merge {} --continue",
    Do.ABORT_MERGE: "merge {} --abort",
    Do.ANSWER: "answer {} CHOICE",
    Do.EVENTS: "events {}",
    Do.WHY: "why {}",
    Do.STOP_RUNTIME: "down",
    Do.SERVE: "serve",
    Do.DOCTOR: "doctor",
    Do.MEND: "doctor --mend",
}


def command(action: Action, home: str | None = None) -> str:
    """The command that does `action`, to be typed as it stands; with `home` as its `--home`."""
    words = f"{PROGRAM} {_WORDS[action.do].format(shlex.quote(action.address.rstrip('/')))}"
    options = "".join(f" --{name} {shlex.quote(value)}" for name, value in action.fields.items())
    return words + options + (at_home(home) if home else "")
