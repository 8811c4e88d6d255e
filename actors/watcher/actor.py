"""The git watcher of one workflow, which turns changes of its branches into facts.

It compares values and does not rely on events (hazard 11). Each branch has a cursor, which is
stored in the same transaction as the facts up to it (hazards 1, 2). A commit is therefore told
exactly once, also if it was made while the runtime was down. The watcher does not decide whether a
completion counts; it only adds what git shows against it (`problem`).
"""

import logging
import random
import time
from collections.abc import Callable
from typing import Any

from actors.git.reading.commits import Commit, read
from actors.git.reading.examination import Clean, Dirty
from actors.git.reading.graph import descends
from actors.git.reading.history import Advanced, Created, Deleted, Move, Others, Rewritten, moves
from actors.git.reading.reflog import was_made_on
from actors.git.reading.refs import HEADS, RefScanner, RefState
from actors.git.running.durable import settle
from actors.git.running.library import opened
from actors.git.watching.directories import ANYTHING
from actors.platform.loop import Timer
from actors.supervision.actor import handles
from actors.system.replies import refusal
from actors.system.stage import CompanyActor, Stage
from actors.watcher.commits import Branch, fact_of, utc
from actors.watcher.fence import Fence
from actors.watcher.heard import Heard, concerned
from actors.watcher.judging import Judging, NotYet
from actors.watcher.places import identity_of, is_rebasing, worktree_name
from actors.watcher.signals import Deaf, LookAgain, Moved, Reconcile
from actors.watcher.target import Target
from actors.watcher.watches import News, Watches
from bus.commit_words import Meaning, parse
from bus.facts import CommitSeen, CommitWaits, RefRewritten
from bus.kinds import RefChange
from bus.messages import ConfigAsk, Look, Sweep, Swept
from store.change import Insert, Operation

log = logging.getLogger("callboard.watcher")

RECONCILE_SECONDS = 300.0
"""How often to look at all branches without an event, in case one was missed.

Each watcher varies this by 30 %, so that a hundred watchers do not look at the same time.
"""

SWEEP_PATIENCE = 10.0
"""Seconds that a sweep waits until the last completion of an ended program can be judged."""

_BESIDE = "beside "
"""The prefix of the stored id of a commit that was rejected for being on another branch."""


class Watcher(CompanyActor):
    """Watches the branches of one workflow.

    Handlers run in the actor's thread. The event loop's thread reads the inotify handle and calls
    `_changed`.
    """

    def __init__(self, stage: Stage, watches: Watches, workflow: str) -> None:
        super().__init__(stage)
        self._watches = watches
        self._workflow = workflow
        self._heard = Heard(stage.paths.worktree(f"{workflow}/"))
        self._git_dir = ""
        self._timer: Timer
        self._judging = Judging(stage, workflow)
        self._others = Others()
        self._again: Timer | None = None
        self._asked: dict[str, float] = {}  # who waits for a sweep, and since when

    def on_start(self) -> None:
        """Look at once, by a message.

        A repository that cannot be read then fails a look and not the start, which would delay the
        start of the other workflows.
        """
        self.stage.tell(self.address, Look())

    def _open(self) -> None:
        reader = self.stage.reader
        git_dir, self._target = reader.repository(self._workflow)
        self._repo = opened(git_dir)
        self._scanner = RefScanner(git_dir)
        self._cursors = reader.cursors(self._workflow)
        self._period = self._watches.listen(git_dir, self, self._changed)
        self._git_dir = git_dir
        self._identity = identity_of(git_dir)
        self._fence = Fence(self.stage, self, self._workflow, git_dir, self._target)
        self._on_target = Target(self.stage, self, self._workflow, git_dir, self._target)
        self._again_later()

    def on_stop(self) -> None:
        """Stop watching."""
        self._close()

    def on_failure(self, *_: object) -> None:
        """Stop watching."""
        self._close()

    def _close(self) -> None:
        if self._git_dir:
            self._timer.cancel()
            self._forget_again()
            self._watches.leave(self._git_dir, self)
            self._git_dir = ""

    def _changed(self, news: News | None) -> None:
        """Wake the actor if a branch of this workflow may have changed. In the loop's thread."""
        if news is None:
            self.stage.timers.notify(self.address, Deaf())
        elif self._heard.add(news):
            self.stage.timers.notify(self.address, Moved())

    @handles(Look)
    def look(self, _message: Look) -> None:
        """Look at all branches."""
        self._scan()

    @handles(Moved)
    def moved(self, _message: Moved) -> None:
        """Look at the branches that the changes concern."""
        names = self._heard.take() - {HEADS + self._target}  # which each scan looks at
        whole = ANYTHING in names
        self._scan(None if whole else lambda found: concerned(names, found))

    @handles(Deaf)
    def deaf(self, _message: Deaf) -> None:
        """Open the repository again, and look at the branches."""
        self._close()
        self._scan()

    @handles(LookAgain)
    def look_again(self, _message: LookAgain) -> None:
        """Look again at the branches with a completion that could not be judged."""
        self._again = None
        self._scan(lambda branches: [b for b in branches if self._judging.is_open(b)])

    @handles(ConfigAsk)
    def settle_config(self, message: ConfigAsk) -> None:
        """Put the repository's shared files back, or take them as they are; answer the request."""
        if not self._git_dir:
            self._open()
        self._fence.answer(message)

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """Answer a request that made this actor fail."""
        message = self.decode(item)
        if isinstance(message, ConfigAsk):
            failure = refusal(f"the request on {self._workflow}/", error)
            self.stage.replies.refuse(message.client, message.request.id, failure)

    @handles(Sweep)
    def sweep(self, message: Sweep) -> None:
        """Look at the asker's branch, and answer when all its completions are judged."""
        asker = message.asker
        self._asked.setdefault(asker, time.monotonic())
        self._scan(lambda branches: [b for b in branches if asker.startswith(b.address)])

    @handles(Reconcile)
    def reconcile(self, _message: Reconcile) -> None:
        """Look at the branches without an event."""
        if self._git_dir and identity_of(self._git_dir) != self._identity:
            self.deaf(Deaf())  # the repository was replaced by another one
            return
        self._scan()
        self._again_later()

    def _again_later(self) -> None:
        seconds = self._period or RECONCILE_SECONDS * random.uniform(0.7, 1.3)
        self._timer = self.stage.timers.after(seconds, self.address, Reconcile())

    def _scan(self, choose: Callable[[list[Branch]], list[Branch]] | None = None) -> None:
        """Store what has changed since the cursors, one transaction for each branch.

        `choose` returns the branches to look at, by default all. A plan may have hundreds, and
        most looks are for one of them.
        """
        if not self._git_dir:
            self._open()
            choose = None
        if choose is None:
            self._fence.look()
        self._on_target.look()
        branches = [Branch(*row) for row in self.stage.reader.watched(self._workflow)]
        chosen = branches if choose is None else choose(branches)
        state = self._look(chosen, chosen, whole=choose is None)
        if any(self._is_news(branch, state) for branch in chosen):  # whose commits are they?
            inside = [*chosen, *(each for each in branches if not each.name)]
            state = self._look(branches, inside, whole=choose is None)
        self._judging.begin(chosen)
        for branch in chosen:
            try:
                self._tell_news(branch, branches, state)
            except NotYet:
                continue  # its cursor stays, so the next look finds the same news
        self._look_again_in(self._judging.end())
        self._answer_sweeps()

    def _tell_news(self, branch: Branch, branches: list[Branch], state: RefState) -> None:
        if branch.ref in state.broken:
            self._judging.broken(branch)
        change = self._news(branch, branches, state)
        if change:
            if any(isinstance(told, CommitSeen) and told.verdict for told in change):
                settle(self._git_dir)  # what is decided on is there after a power cut
            self.stage.commit(self, change)
            self._cursors[branch.ref] = self._value(branch, state) or ""
        if branch.name:
            self._look_beside(branch, state)

    def _look_again_in(self, seconds: float | None) -> None:
        self._forget_again()
        if seconds is not None:
            self._again = self.stage.timers.after(seconds, self.address, LookAgain())

    def _forget_again(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _answer_sweeps(self) -> None:
        """Answer the sweeps for whose tasks every completion is judged."""
        now = time.monotonic()
        for asker, since in list(self._asked.items()):
            if not self._judging.waits_for(asker) or now - since > SWEEP_PATIENCE:
                del self._asked[asker]
                self.stage.tell(asker, Swept())

    def _look(self, branches: list[Branch], inside: list[Branch], *, whole: bool) -> RefState:
        """Return the current values of the branches, and what the worktrees of `inside` are on.

        `whole` says that these are all. The names to listen for are set before the values are read,
        so that no change is missed.
        """
        names_of_branches = [self._target, *self.stage.reader.branches(self._workflow)]
        planned = frozenset(map(HEADS.__add__, names_of_branches))
        refs = {HEADS + self._target, *(branch.ref for branch in branches if branch.name)}
        names = [name for branch in inside if (name := worktree_name(branch))]
        while True:
            state = self._scanner.look(refs, names)
            others = frozenset() if whole else self._heard.wanted
            mine = None
            if others is not None and not state.whole:
                mine = planned | others | frozenset(state.worktrees.values())
            if self._heard.want(mine):
                return state

    def _value(self, branch: Branch, state: RefState) -> str | None:
        if branch.name:
            return state.heads.get(branch.ref)
        name = worktree_name(branch)
        head = state.worktrees.get(name) if name else None
        return state.heads.get(head) if head and head.startswith("refs/") else head

    def _is_news(self, branch: Branch, state: RefState) -> bool:
        new = self._value(branch, state)
        known = branch.ref in self._cursors
        return (new or "") != self._old(branch) and (new is not None or known)

    def _old(self, branch: Branch) -> str:
        return self._cursors.get(branch.ref, branch.base)

    def _news(self, branch: Branch, branches: list[Branch], state: RefState) -> list[Operation]:
        if not self._is_news(branch, state):
            return []
        new, old = self._value(branch, state), self._old(branch)
        if new is not None and read(self._repo, new) is None:
            self._repo = opened(self._git_dir)
            if read(self._repo, new) is None:
                log.warning("%s: %s names %s, which is no commit", self.address, branch.ref, new)
                return []
        others = [(self._value(b, state) or b.base, b.base) for b in branches if b is not branch]
        tips = self._others.to_search(self._repo, old, new or "", others)
        tips += filter(None, [state.heads.get(HEADS + self._target)])
        move = moves(self._repo, branch.ref, old or None, new, tips)
        cursor = {"workflow": self._workflow, "ref": branch.ref, "commit": new or ""}
        return [Insert("cursor", cursor, replace=True), *self._facts(branch, move)]

    def _facts(self, branch: Branch, move: Move | None) -> list[Operation]:
        def rewritten(kind: RefChange, old: str, new: str) -> RefRewritten:
            return RefRewritten(address=branch.address, ref=branch.ref, kind=kind, old=old, new=new)

        match move:
            case Advanced(commits=commits):
                return self._commits(branch, commits)
            case Created(new=new, commits=commits):
                return [rewritten(RefChange.CREATED, "", new), *self._commits(branch, commits)]
            case Rewritten(kind=kind, old=old, new=new, new_commits=commits):
                news = self._commits(branch, commits, copies=True)
                return [rewritten(kind, old, new), *news]
            case Deleted(old=old):
                return [rewritten(RefChange.DELETED, old, "")]
        return []

    def _commits(
        self, branch: Branch, commits: tuple[Commit, ...], copies: bool = False
    ) -> list[Operation]:
        """Return the facts of the commits that were not told yet.

        A commit is told once. Two agents may make the same one, byte for byte and in the same
        second: then it is told of each branch on which git noted that it was made. `copies` says
        that a rebase may have written them again; their facts then say when they were first
        written.
        """
        names = [name for c in commits for name in (c.oid, f"{branch.address} {c.oid}")]
        seen = self.stage.reader.seen_commits(self._workflow, names)
        change: list[Operation] = []
        for commit in commits:
            own = f"{branch.address} {commit.oid}"
            new = {commit.oid, own} - seen
            if commit.oid in new or (
                own in new and was_made_on(self._git_dir, branch.ref, commit.oid)
            ):
                rows = [{"workflow": self._workflow, "commit": name} for name in sorted(new)]
                change += [Insert("commit", row) for row in rows]
                fact = fact_of(branch, commit)
                if fact.verdict and not fact.problem:
                    self._examine(branch, fact)
                if copies:
                    fact.written = utc(commit.written)
                change.append(fact)
        return change

    def _examine(self, branch: Branch, fact: CommitSeen) -> None:
        """Add to the fact what git shows against the verdict (hazard 10).

        Raise `NotYet` if that cannot be examined now (hazard 55).
        """
        if not descends(self._repo, branch.base, fact.commit):
            fact.problem = f"it does not descend from {branch.base[:12]}, where the task began"
        elif fact.verdict in (Meaning.DONE, Meaning.REVIEW):
            found = self._judge(branch, fact.commit)
            if isinstance(found, Dirty):
                fact.problem = found.reason
            elif found.left:
                fact.note = f"{found.left} was left by a process that is gone"
            fact.empty = bool(branch.name) and self._changes_nothing(branch.base, fact.commit)

    def _changes_nothing(self, base: str, commit: str) -> bool:
        """Whether the tree of `commit` is the one with which the task began."""
        before, after = read(self._repo, base), read(self._repo, commit)
        return before is not None and after is not None and before.tree == after.tree != ""

    def _judge(self, branch: Branch, commit: str) -> Clean | Dirty:
        """Examine the worktree. Raise `NotYet`, after storing a fact if that takes long."""
        try:
            return self._judging.judge(branch, commit, self._git_dir)
        except NotYet as error:
            if self._judging.is_due(branch, commit, error.failed):
                fact = CommitWaits(
                    address=branch.address,
                    branch=branch.name,
                    commit=commit,
                    reason=error.reason,
                    failed=error.failed,
                )
                self.stage.commit(self, [fact])
            raise

    def _look_beside(self, branch: Branch, state: RefState) -> None:
        """Reject completions that were committed in our worktree on another branch or on none.

        The terminal is told. The commit counts later if the task's branch is moved to it.
        """
        name = worktree_name(branch)
        head = state.worktrees.get(name, branch.ref) if name else branch.ref
        if name is None or head == branch.ref or is_rebasing(self._git_dir, name):
            return
        where = f"branch {head.removeprefix(HEADS)}" if head.startswith("refs/") else "no branch"
        tip = state.heads.get(head, "") if head.startswith("refs/") else head
        if not tip or tip == branch.base or read(self._repo, tip) is None:
            return
        others = [oid for ref, oid in self._scanner.scan().heads.items() if ref != head]
        match moves(self._repo, head, branch.base, tip, others):
            case Advanced(commits=found) | Rewritten(new_commits=found):
                pass
            case _:
                return
        said = [c for c in found if parse(c.message) is not None]
        names = [name for c in said for name in (c.oid, _BESIDE + c.oid)]
        seen = self.stage.reader.seen_commits(self._workflow, names)
        problem = f"it was made on {where}; this task's branch is {branch.name}"
        for commit in said:
            if seen.isdisjoint({commit.oid, _BESIDE + commit.oid}):
                self._judging.beside(branch, commit.oid)
                fact = fact_of(branch, commit)
                fact.problem = fact.problem or problem
                row = {"workflow": self._workflow, "commit": _BESIDE + commit.oid}
                self.stage.commit(self, [Insert("commit", row), fact])
