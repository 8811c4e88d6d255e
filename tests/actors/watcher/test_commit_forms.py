"""Every way in which git makes a commit, again and again.

No completion is refused that a second look would accept. Hazard 55.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.facts import CommitRejected, CommitSeen
from bus.subscriber import Subscriber
from tests.actors.served import Served, submit
from tests.doors.kit import coder, plan_text
from tests.repositories import git, make_repo

POST_COMMIT = """#!/bin/sh
[ -n "$AMENDS" ] || exit 0
unset AMENDS
sleep 0.05
echo formatted >> README
git commit -q -a --amend -m "formatted #done"
"""
SLOW = '#!/bin/sh\n[ -n "$SLOW" ] && [ "$1" = committed ] && sleep 0.1\nexit 0\n'
EDITOR = 'sh -c \'sleep 0.05; echo "written #done" > "$0"\''


class Worker:
    """Commits in one worktree, as an agent or a person does."""

    def __init__(self, worktree: Path) -> None:
        self.at = worktree
        self.count = 0
        self.elsewhere = worktree.parent / "elsewhere"
        git(worktree, "worktree", "add", "-q", "--detach", str(self.elsewhere))
        self.admin = Path(git(worktree, "rev-parse", "--absolute-git-dir"))

    def git(self, *words: str, stdin: str = "", **env: str) -> None:
        subprocess.run(
            ["git", *words],
            cwd=self.at,
            env={**os.environ, **env},
            input=stdin,
            text=True,
            capture_output=True,
            check=True,
        )

    def change(self) -> None:
        self.count += 1
        with (self.at / "README").open("a") as file:
            file.write(f"line {self.count}\n")

    def side(self, *messages: str) -> None:
        """A branch `side` with a commit for each message, made elsewhere."""
        tip = git(self.at, "rev-parse", "HEAD")
        git(self.elsewhere, "checkout", "-q", "-B", "side", tip)
        for message in messages:
            self.count += 1
            (self.elsewhere / f"side-{self.count}").write_text("x")
            git(self.elsewhere, "add", "-A")
            git(self.elsewhere, "commit", "-q", "-m", message)


def all_changes(worker: Worker) -> None:
    worker.change()
    worker.git("commit", "-q", "-am", "all #done", SLOW="1")


def pathspec(worker: Worker) -> None:
    worker.change()
    worker.git("commit", "-q", "README", "-m", "one file #done")


def included(worker: Worker) -> None:
    worker.change()
    worker.git("commit", "-q", "-i", "README", "-m", "included #done", SLOW="1")


def by_hunks(worker: Worker) -> None:
    worker.change()
    worker.git("commit", "-q", "-p", "-m", "by hunks #done", stdin="y\n" * 9, SLOW="1")


def amended(worker: Worker) -> None:
    worker.change()
    worker.git("commit", "-q", "-a", "--amend", "-m", f"better {worker.count} #done", SLOW="1")


def from_an_editor(worker: Worker) -> None:
    worker.change()
    worker.git("commit", "-q", "-a", GIT_EDITOR=EDITOR)


def by_a_hook(worker: Worker) -> None:
    worker.change()
    worker.git("commit", "-q", "-a", "-m", "raw #done", AMENDS="1")


def merged(worker: Worker) -> None:
    worker.side("beside")
    worker.change()
    worker.git("commit", "-q", "-am", "here")
    worker.git("merge", "-q", "--no-ff", "-m", "merged #done", "side", SLOW="1")


def fast_forward(worker: Worker) -> None:
    worker.side("fast #done")
    worker.git("merge", "-q", "--ff-only", "side", SLOW="1")


def picked(worker: Worker) -> None:
    worker.side("first pick", "second pick", "third pick #done")
    worker.change()
    worker.git("commit", "-q", "-am", "here")
    worker.git("cherry-pick", "side~2", "side~1", "side", SLOW="1")


def reverted(worker: Worker) -> None:
    worker.change()
    worker.git("commit", "-q", "-am", "a mistake")
    worker.git("revert", "HEAD", GIT_EDITOR=EDITOR, SLOW="1")


def mailed(worker: Worker) -> None:
    worker.side("first mail", "second mail #done")
    patches = git(worker.at, "format-patch", "--stdout", "-2", "side")
    worker.git("am", "-q", stdin=patches + "\n", SLOW="1")


def rebased(worker: Worker) -> None:
    worker.change()
    worker.git("commit", "-q", "-am", f"rebased {worker.count}")
    worker.git("rebase", "-q", "-f", "-x", "git commit -q --amend -m 'rebased #done'", "HEAD~1")


def beside_a_dead_lock(worker: Worker) -> None:
    """A git that was killed left its lock; what needs no index still works."""
    worker.change()
    worker.git("add", "-A")
    tree = git(worker.at, "write-tree")
    (worker.admin / "index.lock").touch()
    commit = git(worker.at, "commit-tree", "-p", "HEAD", "-m", "beside a lock #done", tree)
    worker.git("update-ref", "HEAD", commit)


FORMS: list[Callable[[Worker], None]] = [
    *(all_changes, pathspec, included, by_hunks, amended, from_an_editor, by_a_hook),
    *(merged, fast_forward, picked, reverted, mailed, rebased, beside_a_dead_lock),
]


def storm(served: Served, place: Path, commits: int) -> None:
    repo = make_repo(place / "repo")
    for name, text in (("post-commit", POST_COMMIT), ("reference-transaction", SLOW)):
        hook = repo / ".git" / "hooks" / name
        hook.write_text(text)
        hook.chmod(0o755)
    asleep = coder("@ sleep 3600\n")
    name = submit(served, plan_text(repo, {"a": [asleep], "b": [asleep]}))
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    served.until(name, lambda row: row["tasks"][0]["terminals"][0]["sent"] == 1)
    worker = Worker(served.home / "worktrees" / name / "a")
    subscriber = Subscriber(served.at.feed, served.at.requests, address=f"{name}/a/")
    refused = []
    try:
        for number in range(commits):
            form = FORMS[number % len(FORMS)]
            form(worker)
            tip = git(worker.at, "rev-parse", "HEAD")
            while True:
                fact = subscriber.next(30)
                assert fact is not None, f"{form.__name__} was never told"
                if isinstance(fact, CommitSeen) and fact.problem:
                    refused.append((form.__name__, fact.problem))
                if isinstance(fact, CommitRejected) and "no terminal works" not in fact.reason:
                    refused.append((form.__name__, fact.reason))
                if isinstance(fact, CommitSeen) and fact.commit == tip:
                    break
            (worker.admin / "index.lock").unlink(missing_ok=True)
    finally:
        subscriber.close()
    assert refused == []


def test_no_form_of_commit_is_refused(served: Served, tmp_path: Path) -> None:
    """Hazard 55."""
    storm(served, tmp_path, 2 * len(FORMS))


def test_a_completion_that_is_amended_while_it_is_judged_counts_once(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git on the path amends the commit when the worktree is examined, as a hook may do.

    Hazard 55.
    """
    repo = make_repo(tmp_path / "repo")
    name = submit(served, plan_text(repo, {"a": [coder("@ sleep 3600\n")] * 2}))
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    served.until(name, lambda row: row["tasks"][0]["terminals"][0]["sent"] == 1)
    worker = Worker(served.home / "worktrees" / name / "a")
    worker.change()
    worker.git("add", "-A")
    tree, ref = git(worker.at, "write-tree"), "refs/heads/feat/a"
    first, amended = (
        git(worker.at, "commit-tree", "-p", "HEAD", "-m", f"{word} #done", tree)
        for word in ("first", "amended")
    )
    real, shim = shutil.which("git"), tmp_path / "bin" / "git"
    amend = f"env -i {real} -C {repo} update-ref {ref} {amended} {first} 2>/dev/null"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\ncase " $* " in *" status "*) {amend};; esac\nexec {real} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    worker.git("update-ref", ref, first)
    served.until(name, lambda row: row["tasks"][0]["terminals"][0]["status"] == "completed")
    assert git(repo, "rev-parse", ref) == amended
    facts = served.client.call("events.replay", after=0, limit=10_000)["facts"]
    seen = [f["commit"] for f in facts if f["type"] == "commit.seen"]
    assert seen == [amended]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_thousand_commits_of_every_form(served: Served, tmp_path: Path) -> None:
    """Hazard 55."""
    storm(served, tmp_path, 2_000)
