"""Check how a plan tells a person."""

import os
import shlex
import shutil
from pathlib import Path

from bus.environment import with_plans
from bus.errors import malformed
from bus.plan import Plan
from bus.user import expanded


def check_notify(plan: Plan, base: str) -> list[str]:
    """Make a relative path of the program absolute, from the directory `base` of the plan.

    Return a warning if the key that signs notices is not set in this process. Raise `Refused` if
    the program is not there.
    """
    asked = plan.notify
    if asked is None:
        return []
    if asked.command is not None:
        program = asked.command[0]
        if "/" in program:
            program = os.path.normpath(Path(base) / expanded(program))
        asked.command = [program, *asked.command[1:]]
        if shutil.which(program, path=with_plans(plan.environment).get("PATH")) is None:
            raise malformed("notify.command[0]", f"{program!r} is not there, or no program")
    if asked.secret_env and not os.environ.get(asked.secret_env):
        return [f"notify: {asked.secret_env} is not set here; no notice can be signed or sent"]
    return []


def told_by(plan: Plan) -> list[str]:
    """Return the program and the web address that are told what happens, for a person."""
    asked = plan.notify
    if asked is None:
        return []
    command = [shlex.join(asked.command)] if asked.command is not None else []
    return [*command, *([asked.url] if asked.url else [])]
