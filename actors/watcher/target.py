"""Tell that somebody else moved the target: an agent, a program of the user, or a push.

The runtime moves the target only while a merge is landing, and to the commit that it has tested.
Any other move is told once; what is merged next is built on it. A push from here is found by what
git notes of it in a remote-tracking ref.
"""

from __future__ import annotations

from pathlib import Path

from actors.git.reading.commits import read
from actors.git.reading.graph import descends, exists, merge_base
from actors.git.reading.reflog import signed_entries
from actors.git.reading.refs import HEADS, main_head, read_ref, worktree_heads, worktree_names
from actors.git.running.library import opened, pygit2
from actors.git.running.places import main_workdir
from actors.git.users.repository import worktree_path
from actors.supervision.actor import Actor
from actors.system.stage import Stage
from actors.watcher.fence import at_work
from bus import address as addresses
from bus.facts import TargetElsewhere
from bus.status import FINAL_WORKFLOW
from bus.visible import visible
from store.change import Insert, Operation, update_workflow

_REMOTES = "refs/remotes/"
_SHOWN = 20
"""New commits that a fact names."""
_MOST = 1_000
"""New commits that are counted."""
_WORDS = 200
"""Characters of what a reflog says."""


class Target:
    """One workflow's part of the watcher. For the watcher's thread."""

    def __init__(
        self, stage: Stage, actor: Actor, workflow: str, git_dir: str, target: str
    ) -> None:
        self._stage = stage
        self._actor = actor
        self._id = workflow
        self._git_dir = git_dir
        self._target = target
        self._seen = stage.reader.cursors(workflow)
        self.ref = HEADS + target

    def look(self) -> None:
        """Compare the target with what was seen last, and tell a move. Raise `StoreError`.

        The first look tells nothing: it is where the workflow begins.
        """
        known = self.ref in self._seen
        for ref in (self.ref, *self._tracking()):
            new, old = read_ref(self._git_dir, ref) or "", self._seen.get(ref)
            if new == old:
                continue
            cursor = {"workflow": self._id, "ref": ref, "commit": new}
            change: list[Operation] = [Insert("cursor", cursor, replace=True)]
            fact = self._move(ref, old or "", new) if known else None
            if fact is not None and self._lives():
                change += [fact, update_workflow(self._id, moved=said_of(fact))]
            self._stage.commit(self._actor, change)
            self._seen[ref] = new

    def _lives(self) -> bool:
        return self._stage.reader.standing(self._id)[0] not in FINAL_WORKFLOW

    def _tracking(self) -> list[str]:
        """Return the refs that say where the target is on the remotes."""
        try:
            remotes = sorted(each.name for each in Path(self._git_dir, _REMOTES).iterdir())
        except OSError:
            return []
        return [f"{_REMOTES}{remote}/{self._target}" for remote in remotes]

    def _move(self, ref: str, old: str, new: str) -> TargetElsewhere | None:
        """Return the fact of a move by somebody else; None for one of ours, or of a fetch."""
        entry = next(signed_entries(self._git_dir, ref), ("", "", ""))
        who, how = entry[1:] if entry[0] == new else ("", "")
        if ref != self.ref and how != "update by push":
            return None
        repo = opened(self._git_dir)
        commits = self._commits(repo, ref, old, new)
        forward = bool(new) and (not old or descends(repo, old, new))
        if forward and not commits:
            return None
        return TargetElsewhere(
            address=addresses.workflow(self._id),
            ref=ref,
            old=old,
            new=new,
            commits=commits[:_SHOWN],
            count=len(commits),
            forced=not forward,
            who=visible(who)[:_WORDS],
            how=visible(how)[:_WORDS],
            checkouts=self._checkouts(ref),
            at_work=at_work(self._stage, self._git_dir),
        )

    def _commits(self, repo: pygit2.Repository, ref: str, old: str, new: str) -> list[str]:
        """Return the new commits, newest first, along the first parents, down to one of ours."""
        landed = self._stage.reader.landed(self._git_dir, self._target)
        known = exists(repo, old) and exists(repo, new) if old and new else False
        base = merge_base(repo, old, new) if known else None
        found: list[str] = []
        oid = new
        while oid and oid != base and len(found) < _MOST:
            commit = read(repo, oid)
            if commit is None or (ref == self.ref and oid in landed):
                break
            found.append(oid)
            oid = commit.parents[0] if commit.parents else ""
        return found

    def _checkouts(self, ref: str) -> list[str]:
        """Return the directories that have the target checked out; of a push none is known."""
        if ref != self.ref:
            return []
        heads = worktree_heads(self._git_dir, worktree_names(self._git_dir))
        found = [worktree_path(self._git_dir, name) for name, head in heads.items() if head == ref]
        if main_head(self._git_dir) == ref:
            found.append(main_workdir(self._git_dir))
        return sorted(visible(path) for path in found if path)


def said_of(fact: TargetElsewhere) -> str:
    """Return the sentence about a move that `ps` shows."""
    ref = fact.ref.removeprefix(HEADS).removeprefix(_REMOTES)
    noted = f" ({fact.how})" if fact.how else ""
    what = f"{fact.count} commits, " if fact.commits else ""
    how = "was deleted" if not fact.new else "was set back or replaced" if fact.forced else "moved"
    return (
        f"{ref} {how} outside of Callboard, by {fact.who or 'somebody'}{noted}: "
        f"{what}{fact.old[:12]} -> {fact.new[:12]}"
    )
