"""Addresses: paths that end in `/`, one for each actor and each thing in a plan.

>>> task("demo", "login")
'demo/login/'
>>> terminal("demo", "login", 1)
'demo/login/1/'
>>> workflow_of("demo/login/1/")
'demo'
"""

import re

RUNTIME = "runtime/"
GATEWAY = "runtime/gateway/"
PUBLISHER = "runtime/publisher/"
LAUNCHER = "runtime/launcher/"
EXAMINER = "runtime/examiner/"
PREVIEWER = "runtime/previewer/"
JANITOR = "runtime/janitor/"
CONSOLES = "runtime/consoles/"
SCREENS = "runtime/screens/"
NOTIFIER = "runtime/notifier/"
OUTPUTS = "runtime/outputs/"
ORCHESTRATOR = "runtime/orchestrator/"
MODELS = "runtime/models/"
OUTPUT = "output/"
"""Prefix of the feed topics that carry live output; the terminal's address follows it."""
WORKFLOWS = "runtime/workflows/"

RESERVED_WORKFLOWS = frozenset({"runtime", "output", "client"})
"""First parts of addresses that are not workflows. A plan with such a name gets the suffix `-2`."""

RESERVED_TASKS = frozenset({"merge", "error", "watcher", "merger"})
"""Second parts of addresses that do not name a task."""

SLUG = r"[a-z0-9][a-z0-9-]*"


def slug(name: str) -> str:
    """Return a workflow's id, made from its plan's name; `plan` if no character can be kept.

    >>> slug("Login & i18n!")
    'login-i18n'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48].strip("-") or "plan"


def workflow(name: str) -> str:
    """Return the address of a workflow."""
    return f"{name}/"


def task(workflow: str, name: str) -> str:
    """Return the address of a task."""
    return f"{workflow}/{name}/"


def terminal(workflow: str, task: str, position: int | str) -> str:
    """Return the address of a terminal; `position` counts from 1 within its task."""
    return f"{workflow}/{task}/{position}/"


def merge_terminal(workflow: str) -> str:
    """Return the address of a workflow's merge terminal."""
    return f"{workflow}/merge/"


def watcher(workflow: str) -> str:
    """Return the address of a workflow's git watcher."""
    return f"{WORKFLOWS}{workflow}/watcher/"


def merger(workflow: str) -> str:
    """Return the address of a workflow's merger."""
    return f"{WORKFLOWS}{workflow}/merger/"


def supervisor(workflow: str) -> str:
    """Return the address of a workflow's supervisor."""
    return f"{WORKFLOWS}{workflow}/"


def normal(address: str) -> str:
    """Return the address with its final `/`, which people may leave out."""
    return address if address.endswith("/") or not address else address + "/"


def workflow_of(address: str) -> str:
    """Return the first part of an address: a workflow's id, or `runtime`."""
    return address.split("/", 1)[0]


def whose(address: str) -> str:
    """Return the id of the workflow that an actor belongs to; "" for one of the runtime.

    >>> whose("demo/login/1/"), whose("runtime/workflows/demo/watcher/"), whose("runtime/gateway/")
    ('demo', 'demo', '')
    """
    if address.startswith(WORKFLOWS):
        return workflow_of(address.removeprefix(WORKFLOWS))
    return "" if address.startswith(RUNTIME) else workflow_of(address)


def task_of(address: str) -> str:
    """Return the address of a terminal's task: the first two parts."""
    return "/".join(address.split("/")[:2]) + "/"
