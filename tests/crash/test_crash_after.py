"""Death of the runtime around the base of a task that comes after others changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from tests.crash.scene import Scene
from tests.crash.test_crash_points import Undisturbed, die_at_each
from tests.doors.kit import coder, commit


class AfterScene(Scene):
    """A task that needs the files of two others."""

    def _tasks(self) -> dict[str, list[dict[str, Any]]]:
        both = self._note("c/1") + "$ cat a b > c\n$ git add c && git commit -q -m 'c #done'\n"
        return {
            "c": [coder(both)],
            "a": [coder(self._note("a/1") + commit("a", "one", "write a #done"))],
            "b": [coder(self._note("b/1") + commit("b", "two", "write b #done"))],
        }

    def _keys(self) -> dict[str, dict[str, Any]]:
        return {"c": {"after": ["a", "b"]}}

    def _head(self) -> str:
        return 'test = ["grep", "two", "c"]'


@pytest.mark.timeout(240)
def test_death_around_the_base_of_a_task_changes_nothing(tmp_path: Path) -> None:
    """Hazard 21."""
    undisturbed = Undisturbed(tmp_path / "undisturbed", AfterScene)
    moves = undisturbed.result["moves"]
    assert "running" in str(moves), moves
    base = undisturbed.points.index("merge_branches.1.before")
    points = undisturbed.points[base + 1 : base + 7 : 2]
    die_at_each(points, undisturbed, tmp_path, print)
