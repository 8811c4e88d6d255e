"""Remove the branches of a finished workflow, and its refs under `refs/callboard/`.

A branch or a pin is removed only if each of its commits is reachable from a ref that stays: the
target, another branch, a tag, or a pin. So no commit is lost, and a second call removes what has
been merged meanwhile. The bases (`refs/callboard/OWNER/base/BRANCH`) are marks of our branches, and
go with them.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from actors.git.reading.refs import HEADS, RefScanner
from actors.git.running.command import git, split0
from actors.git.running.places import main_workdir
from actors.git.running.stale import release
from actors.git.users.repository import worktree_path
from bus.results import Kept


class Swept(msgspec.Struct, frozen=True):
    """The refs that were removed, and those that stay."""

    removed: list[str]
    kept: list[Kept]


def sweep(
    git_dir: str,
    owner: str,
    branches: Iterable[str],
    spared: Mapping[str, str],
    *,
    going: Iterable[str] = (),
    dry_run: bool = False,
) -> Swept:
    """Remove the refs of the workflow `owner` that hold nothing of their own.

    `spared` maps branches that others need to the reason. `going` are directories of worktrees that
    count as removed already. With `dry_run`, nothing is changed. Raise `GitUnknown`.
    """
    return _Sweep(git_dir, owner, dict(spared), set(going), dry_run).run(branches)


class _Sweep:
    """One sweep. `_refs` are the refs that are there or stay, by name."""

    def __init__(
        self, git_dir: str, owner: str, spared: dict[str, str], going: set[str], dry_run: bool
    ) -> None:
        self._git_dir = git_dir
        self._ours = f"refs/callboard/{owner}/"
        self._spared = spared
        self._dry_run = dry_run
        self._refs = _all_refs(git_dir)
        self._users = dict(_users(git_dir, going))
        self._removed: list[str] = []
        self._kept: list[Kept] = []

    def run(self, branches: Iterable[str]) -> Swept:
        for branch in branches:
            ref = HEADS + branch
            if ref in self._refs:
                self._consider(ref, self._why_kept(branch))
        for ref in self._pins():
            self._consider(ref, "")
        for ref in self._bases():
            if HEADS + ref.removeprefix(f"{self._ours}base/") not in self._refs:
                self._remove(ref)
        return Swept(self._removed, self._kept)

    def _pins(self) -> list[str]:
        mine = [ref for ref in self._refs if ref.startswith(self._ours)]
        return [ref for ref in mine if not ref.startswith(f"{self._ours}base/")]

    def _bases(self) -> list[str]:
        return [ref for ref in self._refs if ref.startswith(f"{self._ours}base/")]

    def _why_kept(self, branch: str) -> str:
        if f"{self._ours}base/{branch}" not in self._refs:
            owner = _owner(self._refs, branch)
            return f"{owner}/ made it anew" if owner else "this workflow did not make it"
        if HEADS + branch in self._users:
            return f"it is checked out at {self._users[HEADS + branch]}"
        return self._spared.get(branch, "")

    def _consider(self, ref: str, why: str) -> None:
        if not why:
            own = self._own_commits(ref)
            if own:
                why = f"only it holds {own} commit{'s' if own > 1 else ''}"
        if why:
            self._kept.append(Kept(ref, why))
        else:
            self._remove(ref)

    def _own_commits(self, ref: str) -> int:
        """Return how many commits only this ref holds."""
        bases = set(self._bases())
        others = {oid for name, oid in self._refs.items() if name != ref and name not in bases}
        lines = [self._refs[ref], *(f"^{oid}" for oid in sorted(others))]
        said = git(
            *("rev-list", "--count", "--ignore-missing", "--stdin"),
            at=self._git_dir,
            stdin="\n".join(lines).encode() + b"\n",
        )
        return int(said)

    def _remove(self, ref: str) -> None:
        """Delete a ref, if it still has the value that was looked at."""
        oid = self._refs[ref]
        if not self._dry_run:
            release(self._git_dir, ref)
            git("update-ref", "--no-deref", "-d", ref, oid, at=self._git_dir)
        del self._refs[ref]
        self._removed.append(ref)


def _all_refs(git_dir: str) -> dict[str, str]:
    lines = git("for-each-ref", "--format=%(objectname) %(refname)%00", at=git_dir)
    pairs = [line.lstrip("\n").partition(" ") for line in split0(lines)]
    return {ref: oid for oid, _, ref in pairs if ref}


def _users(git_dir: str, going: set[str]) -> Iterator[tuple[str, str]]:
    """Yield each ref that a checkout is on, and where; without the worktrees in `going`."""
    state = RefScanner(git_dir).scan()
    yield state.head, main_workdir(git_dir) or git_dir
    for name, head in state.worktrees.items():
        place = worktree_path(git_dir, name)
        if place not in going:
            yield head, place or f"a worktree that is gone (git worktree prune): {name}"


def owner_of(git_dir: str, branch: str) -> str:
    """Return the id of the workflow that made a branch, as the refs show it; else ""."""
    return _owner(_all_refs(git_dir), branch)


def _owner(refs: Iterable[str], branch: str) -> str:
    name = f"/base/{branch}"
    for ref in refs:
        if ref.startswith("refs/callboard/") and ref.endswith(name):
            owner = ref.removeprefix("refs/callboard/").removesuffix(name)
            if "/" not in owner:
                return owner
    return ""
