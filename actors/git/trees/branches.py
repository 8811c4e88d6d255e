"""The branches of tasks: made in one transaction with the proof that they are ours.

A branch is ours if `refs/callboard/OWNER/base/BRANCH` holds a tag of the expected base with the
expected proof, which no agent can make. A branch that points at the base commit is adopted: it has
no work of its own.
"""

from __future__ import annotations

from typing import Final

from actors.git.reading.graph import descends
from actors.git.reading.refs import HEADS, main_head, read_ref, worktree_heads, worktree_names
from actors.git.running.command import git
from actors.git.running.errors import RepositoryError, Rule
from actors.git.running.library import opened, pygit2
from actors.git.running.stale import release
from actors.git.users.repository import worktree_path

_ZERO: Final = "0" * 40
_TAGGER: Final = "tagger Callboard <callboard@localhost> 0 +0000"


def ensure(git_dir: str, branch: str, base: str, owner: str, proof: str | None) -> bool:
    """Make the branch, or check that it is ours; return whether it was made now.

    `base`, `owner` and `proof` are as for `worktrees.add`. Raise `RepositoryError` BRANCH_EXISTS.
    """
    ref, base_ref = HEADS + branch, f"refs/callboard/{owner}/base/{branch}"
    tip, known = read_ref(git_dir, ref), read_ref(git_dir, base_ref)
    claim = base if proof is None else _claim(git_dir, base, proof)
    if tip is not None:
        ours = tip == base or (known == claim and descends(opened(git_dir), base, tip))
        if not ours:
            raise RepositoryError(
                Rule.BRANCH_EXISTS,
                f"branch {branch!r} exists and is not this plan's",
                f"choose another name, or `git branch -m {branch} …`",
            )
    commands = [f"update {base_ref} {claim} {known or _ZERO}\n"] if known != claim else []
    if tip is None:
        commands.append(f"create {ref} {base}\n")
    if commands:
        release(git_dir, base_ref, *([ref] if tip is None else []))
        message = f"callboard: task of {owner}"
        git("update-ref", "-m", message, "--stdin", at=git_dir, stdin="".join(commands).encode())
    return tip is None


def _claim(git_dir: str, base: str, proof: str) -> str:
    """Write the tag that says that a branch is ours; return its id, always the same."""
    text = f"object {base}\ntype commit\ntag callboard\n{_TAGGER}\n\n{proof}\n"
    return str(opened(git_dir).write(pygit2.enums.ObjectType.TAG, text.encode()))


def refuse_other_checkout(git_dir: str, branch: str) -> None:
    """Raise `RepositoryError` BRANCH_CHECKED_OUT if a worktree has the branch checked out."""
    ref = HEADS + branch
    heads = worktree_heads(git_dir, worktree_names(git_dir))
    users = [worktree_path(git_dir, name) for name, head in heads.items() if head == ref]
    if main_head(git_dir) == ref:
        users.append(git_dir)
    for user in users:
        if user is not None:
            raise RepositoryError(
                Rule.BRANCH_CHECKED_OUT,
                f"branch {branch!r} is checked out at {user}",
                "switch to another branch there",
            )
