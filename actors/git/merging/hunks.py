"""Check that a merge has the changes of both sides, by counting lines in each file.

A line that a side added counts as kept if the result has it often enough: as often as that side
has it, less the copies that the other side removed. A line that a side removed must be gone.

White space is ignored, and so are lines without a letter or digit. A new line of the resolver
counts for each line whose words it has in the same order: `import a, b, c` keeps both `import a, b`
and `import a, c`. Files that are as the automatic merge made them are not checked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from actors.git.merging.automerge import Automerge
from actors.git.reading.commits import tree_of
from actors.git.reading.graph import merge_base
from actors.git.running.library import pygit2

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_SHOWN: Final = 3


class Missing(msgspec.Struct, frozen=True):
    """A hunk, or a whole file (`line` 0), of one side that the result lacks."""

    path: str
    line: int
    text: str


class Sides:
    """The four trees of a merge: the merge base, the two sides, and the result."""

    def __init__(
        self, repo: pygit2.Repository, base: pygit2.Tree, onto: str, tip: str, head: str
    ) -> None:
        self.base = base
        self.onto = tree_of(repo, onto)
        self.tip = tree_of(repo, tip)
        self.result = tree_of(repo, head)
        merged = Automerge(repo, repo.path).merge(onto, tip)
        self._conflicts = set(merged.paths)
        for side in (self.onto, self.tip):
            for names in _renames(base, side).items():
                if not self._conflicts.isdisjoint(names):
                    self._conflicts.update(names)
        self._automatic = repo[merged.tree].peel(pygit2.Tree)

    @classmethod
    def of(cls, repo: pygit2.Repository, onto: str, tip: str, head: str) -> Sides:
        """Read the trees. For sides without a merge base, the base is the empty tree."""
        base = merge_base(repo, onto, tip)
        tree = tree_of(repo, base if base is not None else str(repo.TreeBuilder().write()))
        return cls(repo, tree, onto, tip, head)

    def lines(self, tree: pygit2.Tree, path: str) -> list[str] | None:
        """Return the lines of a text file, which end where git ends them.

        None if there is no such file, or it is not text.
        """
        found = _entry(tree, path)
        if not isinstance(found, pygit2.Blob) or found.is_binary:
            return None
        return found.data.decode(errors="replace").split("\n")

    def agrees(self, path: str) -> bool:
        """Return whether the result has this file as the automatic merge made it."""
        if path in self._conflicts:
            return False
        found, merged = _entry(self.result, path), _entry(self._automatic, path)
        if found is None or merged is None:
            return found is merged
        return (found.id, found.filemode) == (merged.id, merged.filemode)

    def changed_in_result(self) -> list[str]:
        """Return the files of the result that differ from both sides."""
        onto, tip = (
            {delta.new_file.path for delta in side.diff_to_tree(self.result).deltas}
            for side in (self.onto, self.tip)
        )
        return sorted(onto & tip)


def missing_hunks(sides: Sides) -> Iterator[Missing]:
    """Yield the changes of either side that the result lacks, by file and line of that side."""
    renamed = _renames(sides.base, sides.result)
    for side, other in ((sides.onto, sides.tip), (sides.tip, sides.onto)):
        others_names = _renames(sides.base, other)
        diff = sides.base.diff_to_tree(side, context_lines=0)
        diff.find_similar()
        for patch in diff:
            if patch is None:
                continue
            delta = patch.delta
            old, new = delta.old_file.path, delta.new_file.path
            if sides.agrees(new) and (old == new or sides.agrees(old)):
                continue
            if delta.status == pygit2.enums.DeltaStatus.DELETED:
                if _entry(sides.result, old) is not None:
                    yield Missing(old, 0, f"{old} was deleted on one side and is still there")
                continue
            places = (new, others_names.get(old, ""), renamed.get(old, ""), old)
            place = next((name for name in places if name and _entry(sides.result, name)), None)
            if place is None:
                yield Missing(new, 0, f"{new} was changed on one side and is gone")
                continue
            lines = sides.lines(sides.result, place)
            if lines is None or delta.is_binary or sides.lines(side, new) is None:
                if _entry(sides.result, place) != _entry(side, new):
                    yield Missing(new, 0, f"{new} is not as one side has it, and is not text")
                continue
            yield from _missing_in_file(
                patch,
                new,
                base=_count(sides.lines(sides.base, old)),
                side=_count(sides.lines(side, new)),
                other=_count(sides.lines(other, others_names.get(old, old))),
                result=_count(lines),
            )


def _missing_in_file(
    patch: pygit2.Patch,
    path: str,
    *,
    base: Counter[str],
    side: Counter[str],
    other: Counter[str],
    result: Counter[str],
) -> Iterator[Missing]:
    fresh = [
        _TOKEN.findall(line) for line in result.keys() - base.keys() - side.keys() - other.keys()
    ]
    for hunk in patch.hunks:
        lost = []
        for line in hunk.lines:
            text = _normal(line.content)
            if not _counts(text):
                continue
            if line.origin == "+":
                needed = side[text] - max(0, base[text] - other[text])
                if result[text] < needed and not _is_within(_TOKEN.findall(text), fresh):
                    lost.append("+" + line.content.strip())
            elif line.origin == "-" and side[text] < base[text]:
                allowed = side[text] + max(0, other[text] - base[text])
                if result[text] > allowed:
                    lost.append("-" + line.content.strip())
        if lost:
            shown = "; ".join(lost[:_SHOWN]) + ("; …" if len(lost) > _SHOWN else "")
            yield Missing(path, hunk.new_start, f"{path}:{hunk.new_start} lost: {shown}")


def _is_within(tokens: list[str], lines: list[list[str]]) -> bool:
    """Return whether one of `lines` has all these tokens in this order."""
    for line in lines:
        rest = iter(line)
        if all(token in rest for token in tokens):
            return True
    return False


def _count(lines: list[str] | None) -> Counter[str]:
    return Counter(_normal(line) for line in lines or ())


def _normal(line: str) -> str:
    return " ".join(line.split())


def _counts(line: str) -> bool:
    return any(char.isalnum() for char in line)


def _renames(base: pygit2.Tree, tree: pygit2.Tree) -> dict[str, str]:
    diff = base.diff_to_tree(tree)
    diff.find_similar()
    return {
        delta.old_file.path: delta.new_file.path
        for delta in diff.deltas
        if delta.status == pygit2.enums.DeltaStatus.RENAMED
    }


def _entry(tree: pygit2.Tree, path: str) -> pygit2.Object | None:
    try:
        return tree[path]
    except KeyError:
        return None
