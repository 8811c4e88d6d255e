"""Spell the actions of `bus.action` as commands of the command line."""

from actors.command_line.output.program import command, given_plan
from bus.action import Action, Do
from bus.results import Report

_WORDS = {
    Do.LIST: "ps",
    Do.GET: "ps {}",
    Do.PREPARE: "prepare {}",
    Do.START: "start {}",
    Do.RESUME: "resume {}",
    Do.STOP: "stop {}",
    Do.REPAIR: "repair {}",
    Do.CLEAN: "clean {}",
    Do.RETRY: "retry {}",
    Do.CANCEL_TASK: "stop {}",
    Do.APPROVE: "approve {}",
    Do.REJECT: "reject {} --reason REASON",
    Do.CONTINUE_MERGE: "merge {} --continue",
    Do.ABORT_MERGE: "merge {} --abort",
    Do.RESTORE_CONFIG: "config restore {}",
    Do.ACCEPT_CONFIG: "config accept {}",
    Do.ANSWER: "answer {} CHOICE",
    Do.SEND: "send {} TEXT",
    Do.EVENTS: "events {}",
    Do.WHY: "why {}",
    Do.STOP_RUNTIME: "down",
    Do.SERVE: "serve",
    Do.DOCTOR: "doctor",
    Do.MEND: "doctor --mend",
    Do.FIX: "doctor --fix",
    Do.TRY_CLI: "cli try {}",
    Do.END_TERMINALS: "down --terminals",
    Do.TRUST: "trust {}",
}


def command_for(action: Action) -> str:
    """Return the command that does `action`, ready to be copied into a shell."""
    if action.do == Do.SUBMIT:
        return _run_again()
    address = action.address.rstrip("/")
    words = [said for word in _WORDS[action.do].split() if (said := word.format(address))]
    options = [word for name, value in action.fields.items() for word in (f"--{name}", str(value))]
    return command(*words, *options)


def _run_again() -> str:
    """Return the command that runs the plan of the current command again."""
    return command("up", *given_plan(), "--again")


def with_help(report: Report) -> Report:
    """Add the actions of each item to its `help`, as commands; return the same report."""
    for item in report.items:
        helps = [item.help] if item.help else []
        item.help = "; ".join([*helps, *map(command_for, item.actions)])
    return report
