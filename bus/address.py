"""Addresses: paths ending in `/`, one for everything that can be named.

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
PREVIEWER = "runtime/previewer/"
CONSOLES = "runtime/consoles/"
SCREENS = "runtime/screens/"
OUTPUTS = "runtime/outputs/"
OUTPUT = "output/"
"""Live output stands on the feed below this, before the terminal's address."""
WORKFLOWS = "runtime/workflows/"

RESERVED_WORKFLOWS = frozenset({"runtime", "output", "client"})
"""First parts of addresses that are not workflows; a plan of such a name gets `-2`."""

RESERVED_TASKS = frozenset({"merge", "error", "watcher", "merger"})
"""Second parts that name something else than a task."""

SLUG = r"[a-z0-9][a-z0-9-]*"


def slug(name: str) -> str:
    """A workflow's id from its plan's name; `plan` where nothing of it can be kept.

    >>> slug("Login & i18n!")
    'login-i18n'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48].strip("-") or "plan"


def workflow(name: str) -> str:
    return f"{name}/"


def task(workflow: str, name: str) -> str:
    return f"{workflow}/{name}/"


def terminal(workflow: str, task: str, position: int | str) -> str:
    return f"{workflow}/{task}/{position}/"


def merge_terminal(workflow: str) -> str:
    return f"{workflow}/merge/"


def watcher(workflow: str) -> str:
    return f"{WORKFLOWS}{workflow}/watcher/"


def merger(workflow: str) -> str:
    return f"{WORKFLOWS}{workflow}/merger/"


def supervisor(workflow: str) -> str:
    return f"{WORKFLOWS}{workflow}/"


def normal(address: str) -> str:
    """With the last `/`, which people may leave out."""
    return address if address.endswith("/") or not address else address + "/"


def workflow_of(address: str) -> str:
    """The first part: the workflow's id, or `runtime`."""
    return address.split("/", 1)[0]


def task_of(address: str) -> str:
    """The task a terminal belongs to, as an address: the first two parts."""
    return "/".join(address.split("/")[:2]) + "/"
