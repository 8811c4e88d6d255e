"""A plan's branches, held against those that the repository has."""

import itertools
from collections.abc import Collection
from shlex import quote

from actors.git.trees.leftovers import owner_of
from actors.git.users.repository import Survey
from bus.action import Action, Do
from bus.errors import malformed
from bus.plan import Plan


def refuse_existing(plan: Plan, found: Survey) -> None:
    """Refuse a branch that exists; say who made it and what helps. Raise `Refused` (422)."""
    for index, task in enumerate(plan.task):
        tip = found.existing.get(task.branch)
        if tip is None:
            continue
        owner = owner_of(found.git_dir, task.branch)
        made = f"; the workflow {owner} made it" if owner else ""
        taken = _taken(plan, found)
        old = f"{task.branch}-old"
        other = old if old not in taken else numbered(old, taken)
        raise malformed(
            f"task[{index}].branch",
            f"branch {task.branch!r} exists already, at {tip[:12]}{made}",
            help=f"git -C {quote(plan.repo)} branch -m {quote(task.branch)} {quote(other)}",
            actions=[Action(Do.SUBMIT, fields={"again": True})],
        )


def number_existing(plan: Plan, found: Survey) -> list[str]:
    """Give each branch that exists the first free number; return a sentence for each."""
    said = []
    for task in plan.task:
        if task.branch in found.existing:
            old, task.branch = task.branch, numbered(task.branch, _taken(plan, found))
            said.append(f"branch {old} exists already; this run works on {task.branch}")
    return said


def numbered(name: str, taken: Collection[str]) -> str:
    """Return the name with the first number, from 2 on, that makes it free.

    >>> numbered("feat/a", {"feat/a", "feat/a-2"})
    'feat/a-3'
    """
    names = (f"{name}-{number}" for number in itertools.count(2))
    return next(each for each in names if each not in taken)


def _taken(plan: Plan, found: Survey) -> set[str]:
    return {*found.branches, *(task.branch for task in plan.task)}
