"""Compare a task's branch with its base, uncommitted changes included."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from actors.git.running.command import NOT_INSIDE, git
from actors.git.running.converting import as_submitted
from actors.git.running.names import shown
from actors.git.running.places import Within
from bus.results import FileChange, TaskDiff

LIMIT = 1 << 20
"""Most bytes of a diff's text. The rest is cut, and `TaskDiff.cut` is set."""
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "-M", NOT_INSIDE)


def branch_diff(
    git_dir: str,
    worktree: str,
    base: str,
    tip: str,
    text: bool,
    within: Within | None = None,
    settings: Mapping[str, str] | None = None,
) -> TaskDiff:
    """Compare a worktree with its base; without a worktree, compare the branch's tip.

    Untracked files are named, but not compared. `text` asks for the text of the diff; `settings`
    are those of the submission. Run this in a worker process, because a filter of the repository
    may hang. Raise `GitFailed`.
    """
    there = (Path(worktree) / ".git").exists() if worktree else False
    within = within if there else None
    place, what = (worktree, (base,)) if there else (git_dir, (base, tip))
    with as_submitted(git_dir, settings if there else None, worktree):
        files = list(_files(git(*_DIFF, "--numstat", "-z", *what, at=place, within=within)))
        others = ("ls-files", "--others", "--exclude-standard", "-z")
        untracked = git(*others, at=place, within=within).split(b"\0") if there else []
        whole = git(*_DIFF, *what, at=place, within=within) if text else b""
    return TaskDiff(
        task="",
        base=base,
        tip=tip,
        files=files,
        untracked=[shown(os.fsdecode(name)) for name in untracked if name],
        text=whole[:LIMIT].decode("utf-8", "replace"),
        cut=len(whole) > LIMIT,
    )


def _files(output: bytes) -> Iterator[FileChange]:
    """Yield the files in the output of `--numstat -z`, where a rename has two more parts."""
    parts = iter(output.split(b"\0"))
    for part in parts:
        if not part:
            continue
        added, removed, name = part.split(b"\t", 2)
        old = name if name else next(parts, b"")
        new = name if name else next(parts, b"")
        binary = added == b"-"
        yield FileChange(
            path=shown(os.fsdecode(new)),
            added=0 if binary else int(added),
            removed=0 if binary else int(removed),
            binary=binary,
            old_path="" if old == new else shown(os.fsdecode(old)),
        )
