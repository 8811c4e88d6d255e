"""What is missing for a terminal's work to count, as git shows it: plain sentences.

They are told to a terminal whose turn ended without a commit that counts, so that it can correct
that. Reads only. `turn` calls this in a worker process.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from actors.git.reading.refs import HEADS
from actors.git.running.command import NOT_INSIDE, GitFailed, git, split0
from actors.git.running.converting import as_submitted
from actors.git.running.places import Within
from bus.commit_words import Malformed, parse

SHOWN: Final = 8
"""How many files, commits or branches are named."""

NOTHING: Final = "Nothing was changed and nothing was committed."

UNKNOWN: Final = "It is not known what is missing."

_ANY_MARK: Final = re.compile(r"#(?:done|review|fail)\b", re.IGNORECASE)


class Place(msgspec.Struct, frozen=True):
    """Where a terminal works, and since when.

    `base` is the commit at which its branch began; `others` are the branches of other tasks in the
    repository, and `landed` the commits that workflows have landed: the terminal made none of
    those. `within` is what is believed of the worktree; `settings` are those of the submission.
    """

    worktree: str
    branch: str
    base: str
    since: str
    others: frozenset[str] = frozenset()
    landed: frozenset[str] = frozenset()
    within: Within | None = None
    settings: dict[str, str] | None = None

    @property
    def second(self) -> int:
        """`since` in whole seconds, as git keeps the times of commits."""
        return int(datetime.fromisoformat(self.since).timestamp())

    @property
    def newer(self) -> str:
        """Git's option that selects the commits made since `since`."""
        return f"--since=@{self.second}"


def missing(place: Place) -> str:
    """Return what is missing, as sentences for the terminal."""
    git_dir = place.within.git_dir if place.within is not None else place.worktree
    try:
        with as_submitted(git_dir, place.settings, place.worktree) as idle:
            own = list(_findings(place, idle)) or [NOTHING]
            around = [*_elsewhere(place), *_identity(place)]
    except (GitFailed, OSError) as error:
        return f"{UNKNOWN} ({error})"
    return " ".join([*own, *around])


def _findings(place: Place, idle: frozenset[str]) -> Iterator[str]:
    yield from _head(place)
    yield from _commits(place)
    yield from _emptiness(place)
    yield from _changes(place, idle)
    yield from _stashes(place)


def _lines(place: Place, *args: str, codes: tuple[int, ...] = (0,), end: str = "\n") -> list[str]:
    """Return git's lines. A name may hold what `str.splitlines` takes for an end, as U+2028."""
    output = git(*args, at=place.worktree, codes=codes, within=place.within)
    lines = output.decode(errors="replace").split(end)
    return lines if lines[-1] else lines[:-1]


def _head(place: Place) -> Iterator[str]:
    """Report a worktree on another branch, or on none."""
    head = "".join(_lines(place, "symbolic-ref", "-q", "HEAD", codes=(0, 1)))
    if head == HEADS + place.branch:
        return
    where = f"on the branch {head.removeprefix(HEADS)}" if head else "on no branch (detached HEAD)"
    yield f"This worktree is {where}, but only commits on {place.branch} count: put yours there."


def _commits(place: Place) -> Iterator[str]:
    """Report commits of the terminal on its branch, none of which counts."""
    span = f"{place.base}..{HEADS}{place.branch}" if place.base else HEADS + place.branch
    asked = ("log", "-z", "--format=%h%n%B", place.newer, span, "--")
    output = git(*asked, at=place.worktree, within=place.within)
    commits = [text.partition("\n") for text in split0(output)]
    unmarked = [(name, message) for name, _, message in commits if parse(message) is None]
    near = [name for name, message in unmarked if _ANY_MARK.search(message)]
    if near:
        yield (
            f"The mark in the message of {_listed(near)} does not count: it must be written in "
            "small letters, as a whole word, outside quotes and code."
        )
    elif unmarked:
        names = _listed([name for name, _ in unmarked])
        yield f"The message of {names} has no mark."


def _emptiness(place: Place) -> Iterator[str]:
    """Report a completion whose branch has the same files as at the task's start."""
    tip = HEADS + place.branch
    trees = {"".join(_lines(place, "rev-parse", f"{at}^{{tree}}")) for at in (place.base, tip)}
    asked = ("log", "-1", "--format=%B", tip, "--")
    message = git(*asked, at=place.worktree, within=place.within).decode("utf-8", "replace")
    said = parse(message)
    if len(trees) == 1 and said is not None and not isinstance(said, Malformed):
        yield f"The branch {place.branch} says #{said.meaning}, but changes nothing."


def _changes(place: Place, idle: frozenset[str]) -> Iterator[str]:
    """Report files that differ. The filters `idle` are not run, so the difference may be theirs."""
    asked = ("status", "--porcelain", "-z", "--no-renames", NOT_INSIDE)
    output = git(*asked, at=place.worktree, within=place.within)
    files = [entry[3:] for entry in split0(output)]
    if files and idle:
        yield (
            f"These files differ from the commit: {_listed(files)}. But the filter "
            f"{_listed(sorted(idle))} was configured since the plan was submitted, and is not run "
            "until a person accepts it."
        )
    elif files:
        yield f"These changes are not committed: {_listed(files)}."


def _stashes(place: Place) -> Iterator[str]:
    """Report work in a stash.

    All worktrees share one stash; an entry names the branch on which it was made.
    """
    entries = _lines(place, "stash", "list", "--format=%gd %gs", place.newer)
    mine = [e.split()[0] for e in entries if re.search(rf" on {re.escape(place.branch)}:", e)]
    if mine:
        yield f"There is work in a stash: {_listed(mine)}."


def _elsewhere(place: Place) -> Iterator[str]:
    """Report new commits that neither belong to another task nor were landed by a workflow.

    Those on a branch that another linked worktree has checked out are of whoever works there.
    """
    wanted = "%(refname:short)%00%(committerdate:unix)%00%(worktreepath)%00"
    heads = _lines(place, "for-each-ref", f"--format={wanted}", HEADS, end="\0\n")
    listed = _lines(place, "worktree", "list", "--porcelain", end="\nHEAD ")
    main = "".join(listed[:1]).removeprefix("worktree ")
    head = "".join(_lines(place, "symbolic-ref", "-q", "HEAD", codes=(0, 1)))
    known = {place.branch, head.removeprefix(HEADS), *place.others}
    newer = []
    for line in heads:
        name, when, checked_out = line.split("\0")
        recent = int(when or 0) >= place.second and checked_out in ("", main)
        if name not in known and recent and _is_ahead(place, name):
            newer.append(name)
    if newer:
        yield f"There are new commits on {_listed(newer)}, but only those on {place.branch} count."


def _is_ahead(place: Place, branch: str) -> bool:
    """Return whether `branch` has commits since `since` that the terminal's branch has not."""
    span = f"{HEADS}{place.branch}..{HEADS}{branch}"
    but = [f"^{commit}" for commit in sorted(place.landed)]
    return bool(_lines(place, "log", "-1", "--format=%h", place.newer, span, *but, "--"))


def _identity(place: Place) -> Iterator[str]:
    """Report that git knows no author, so that every commit fails."""
    if _lines(place, "config", "--get", "user.useConfigOnly", codes=(0, 1)) != ["true"]:
        return
    if not _lines(place, "config", "--get", "user.email", codes=(0, 1)):
        yield "Git has no identity here: set user.name and user.email with `git config`."


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
