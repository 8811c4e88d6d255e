"""Which environment counts: that of the runtime, and that of each unfinished plan.

Both may differ from the shell in which the doctor runs, which looks for programs there.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from bus import connection
from bus.action import Action, Do
from bus.client import Client, NoAnswer
from bus.connection import NoRuntime
from bus.environment import chosen
from bus.errors import Refused
from bus.plan_requests import PlanShow
from bus.requests import RuntimeInfo
from bus.results import Finding

_ANSWER_SECONDS = 10.0
_NAMED = 10


def findings(home: Path) -> Iterator[Finding]:
    """Ask the runtime that serves the home, if one does, and compare with this process."""
    try:
        with Client(connection.read(home).requests, timeout=_ANSWER_SECONDS) as client:
            served = client.ask(RuntimeInfo())
            yield _of_runtime(served.environment)
            for id in served.unfinished:
                plan = client.ask(PlanShow(workflow=id)).plan
                yield _of_plan(id, plan.get("environment") or {}, served.environment)
    except NoRuntime:
        return
    except (NoAnswer, Refused) as error:
        yield Finding(what=f"the runtime does not tell its environment: {error}", state="note")


def _of_runtime(theirs: Mapping[str, str]) -> Finding:
    names = _differing(theirs)
    if not names:
        return Finding(what="environment: the runtime has the PATH and toolchain of this shell")
    return Finding(
        what=f"environment: the runtime has another {_listed(names)} than this shell",
        state="note",
        help="a plan brings those of the shell that submits it; for one that does not, as over "
        "HTTP, the runtime's count, until it is ended and started here (terminals go on)",
        actions=[Action(Do.STOP_RUNTIME), Action(Do.SERVE)],
    )


def _of_plan(id: str, own: Mapping[str, str], runtimes: Mapping[str, str]) -> Finding:
    """Compare what the programs of a plan get: its own variables, and the runtime's others."""
    names = _differing({name: value for name, value in {**runtimes, **own}.items() if value})
    if not names:
        return Finding(what=f"environment of {id}/: the PATH and toolchain of this shell")
    return Finding(
        what=f"environment of {id}/: its programs get another {_listed(names)} than this shell has",
        state="note",
        help="it keeps what it was submitted with",
    )


def _differing(theirs: Mapping[str, str]) -> list[str]:
    ours = chosen()
    return sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
