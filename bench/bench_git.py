"""How fast is a commit seen, and how fast are branches merged? `python bench/bench_git.py`"""

import os
import select
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import pygit2

from actors.git.history import Advanced, moves
from actors.git.land import checkout_tree, land
from actors.git.merge import MergeResult, merge_branches, plan_merge
from actors.git.refs import RefScanner
from actors.git.watch import open_watch

BRANCHES, FILES = 20, 50
CONFIG = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "gc.auto=0"]


def git(at: Path, *args: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        ["git", "-C", at, *CONFIG, *args], input=stdin, stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode().strip()


def fill(path: Path) -> None:
    """A repository of 2,000 files, and branches that change and add 50 files each."""
    git(path.parent, "init", "-q", "-b", "main", str(path))
    script = [b"commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 5\nfirst\n"]
    for number in range(2000):
        text = b"".join(b"line %d of %d\n" % (line, number) for line in range(40))
        script.append(b"M 644 inline d%d/f%d\ndata %d\n%s" % (number % 40, number, len(text), text))
    for branch in range(BRANCHES):
        script.append(
            b"commit refs/heads/feat/%d\ncommitter A <a@b> 2 +0000\ndata 4\nwork\n"
            b"from refs/heads/main\n" % branch
        )
        for number in range(FILES):
            name = b"d%d/f%d" % ((branch * FILES + number) % 40, branch * FILES + number)
            text = b"changed by %d\n" % branch
            text += b"".join(
                b"line %d of %d\n" % (line, branch * FILES + number) for line in range(40)
            )
            script.append(b"M 644 inline %s\ndata %d\n%s" % (name, len(text), text))
    git(path, "fast-import", "--quiet", stdin=b"".join(script))
    git(path, "reset", "-q", "--hard")
    git(path, "config", "user.name", "A")
    git(path, "config", "user.email", "a@b")


def merges(path: Path) -> None:
    names = [f"feat/{number}" for number in range(BRANCHES)]
    git_dir = str(path / ".git")
    began = time.perf_counter()
    outcome = merge_branches(plan_merge(git_dir, "main", [(name, "") for name in names], time=1))
    ours = time.perf_counter() - began
    assert isinstance(outcome, MergeResult)
    side = path.parent / "side"
    git(path, "worktree", "add", "-q", "--detach", str(side), "main")
    began = time.perf_counter()
    for name in names:
        git(side, "merge", "-q", "--no-ff", "--no-edit", name)
    theirs = time.perf_counter() - began
    assert git(side, "rev-parse", "HEAD^{tree}") == git(
        path, "rev-parse", outcome.result + "^{tree}"
    )
    print(f"merge of {BRANCHES} branches x {FILES} files: {ours:.3f} s; git merge: {theirs:.3f} s")
    began = time.perf_counter()
    checkout_tree(git_dir, str(path.parent), str(path.parent / "scratch"), outcome.result)
    print(f"scratch worktree of 2,000 files: {time.perf_counter() - began:.3f} s")
    began = time.perf_counter()
    land(git_dir, "main", old=outcome.base, new=outcome.result, message="bench")
    print(f"landing 1,000 changed files in the user's clone: {time.perf_counter() - began:.3f} s")


def wakes(path: Path, count: int = 300) -> None:
    """From just before the ref is written, in another process, to the commit in our hands."""
    git_dir = str(path / ".git")
    repo = pygit2.Repository(git_dir)
    watch, scanner = open_watch(git_dir), RefScanner(git_dir)
    fileno = watch.fileno()
    assert fileno is not None
    ref = "refs/heads/feat/0"
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    heads = scanner.scan().heads
    cursor, others = heads[ref], [heads["refs/heads/main"]]
    reader, writer = os.pipe()
    if os.fork() == 0:
        other = pygit2.Repository(git_dir)
        who = pygit2.Signature("A", "a@b", int(time.time()), 0)
        tip = other.references[ref].peel(pygit2.Commit)
        for number in range(count):
            text = f"Commit {number} #done"
            oid = other.create_commit(None, who, who, text, tip.tree_id, [tip.id])
            tip = other[oid].peel(pygit2.Commit)
            os.write(writer, b"%20d" % time.monotonic_ns())
            other.references[ref].set_target(oid)
            time.sleep(0.005)
        os._exit(0)
    taken = []
    while len(taken) < count:
        poll.poll()
        if not watch.drain():
            continue
        new = scanner.scan().heads[ref]
        move = moves(repo, ref, cursor, new, others)
        now, cursor = time.monotonic_ns(), new
        if isinstance(move, Advanced):
            for _ in move.commits:
                taken.append((now - int(os.read(reader, 20))) / 1e6)
    os.wait()
    slow = sorted(taken)[int(count * 0.99)]
    print(f"commit seen and read: median {statistics.median(taken):.2f} ms, p99 {slow:.2f} ms")


def scans(path: Path) -> None:
    main = git(path, "rev-parse", "main")
    script = "".join(f"create refs/heads/many/{number} {main}\n" for number in range(10_000))
    git(path, "update-ref", "--stdin", stdin=script.encode())
    git(path, "pack-refs", "--all")
    scanner = RefScanner(str(path / ".git"))
    for when in ("first", "again"):
        began = time.perf_counter()
        scanner.scan()
        print(f"scan of 10,000 packed refs, {when}: {(time.perf_counter() - began) * 1e3:.1f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        repository = Path(directory, "repo")
        fill(repository)
        wakes(repository)
        merges(repository)
        scans(repository)
