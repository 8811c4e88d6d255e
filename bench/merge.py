"""The merge of twenty branches in memory, against `git merge` of one branch after another.

Each branch changes fifty files. Git merges them in a worktree. No tests are run, and both sides
build the same tree.
"""

import subprocess
from pathlib import Path

from actors.git.merging.merge import MergeResult, merge_branches, plan_merge
from bench.table import Row, alternate, at_most, seconds

BRANCHES, FILES, ALL_FILES = 20, 50, 2_000
NAMES = [f"feat/{number}" for number in range(BRANCHES)]
CONFIG = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "gc.auto=0"]


def git(at: Path, *args: str, stdin: bytes = b"") -> str:
    """Run git; return its output."""
    done = subprocess.run(
        ["git", "-C", at, *CONFIG, *args], input=stdin, stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode().strip()


def body(number: int) -> bytes:
    """Return the content of a file."""
    return b"".join(b"line %d of %d\n" % (line, number) for line in range(40))


def fill(path: Path) -> None:
    """Make a repository of 2,000 files, and branches that change 50 files each."""
    git(path.parent, "init", "-q", "-b", "main", str(path))
    script = [b"commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 5\nfirst\n"]
    for number in range(ALL_FILES):
        text = body(number)
        script.append(b"M 644 inline d%d/f%d\ndata %d\n%s" % (number % 40, number, len(text), text))
    for branch in range(BRANCHES):
        script.append(
            b"commit refs/heads/feat/%d\ncommitter A <a@b> 2 +0000\ndata 4\nwork\n"
            b"from refs/heads/main\n" % branch
        )
        for number in range(branch * FILES, branch * FILES + FILES):
            name = b"d%d/f%d" % (number % 40, number)
            text = b"changed by %d\n" % branch + body(number)
            script.append(b"M 644 inline %s\ndata %d\n%s" % (name, len(text), text))
    git(path, "fast-import", "--quiet", stdin=b"".join(script))
    git(path, "reset", "-q", "--hard")
    git(path, "config", "user.name", "A")
    git(path, "config", "user.email", "a@b")


class Sides:
    """Both sides build the same merge again and again.

    Each of our rounds has another commit time, so that no object exists already.
    """

    def __init__(self, at: Path) -> None:
        self.path = at / "repo"
        self.side = at / "side"
        fill(self.path)
        git(self.path, "worktree", "add", "-q", "--detach", str(self.side), "main")
        self.time = 0
        self.trees: set[str] = set()

    def ours(self) -> float:
        """Merge in memory; return the seconds."""
        self.time += 1
        asked = plan_merge(
            str(self.path / ".git"), "main", [(name, "") for name in NAMES], time=self.time
        )
        found: list[MergeResult] = []

        def work() -> None:
            outcome = merge_branches(asked)
            assert isinstance(outcome, MergeResult)
            found.append(outcome)

        taken = seconds(work)
        self.trees.add(git(self.path, "rev-parse", found[0].result + "^{tree}"))
        return taken

    def gits(self) -> float:
        """Merge with git; return the seconds."""
        git(self.side, "reset", "-q", "--hard", "main")

        def work() -> None:
            for name in NAMES:
                git(self.side, "merge", "-q", "--no-ff", "--no-edit", name)

        taken = seconds(work)
        self.trees.add(git(self.side, "rev-parse", "HEAD^{tree}"))
        return taken


def run(at: Path, quick: bool) -> list[Row]:
    """Measure both sides, and check that their trees are the same."""
    sides = Sides(at)
    taken = alternate(3 if quick else 5, sides.ours, sides.gits)
    assert len(sides.trees) == 1, "both built the same tree"
    what = f"merge of {BRANCHES} branches of {FILES} files"
    return [at_most(what, "s", taken, 1, "git merge, one by one")]
