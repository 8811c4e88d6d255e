"""Death of the runtime around a program that is kept, and goes on, changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from tests.crash.scene import Scene
from tests.crash.test_crash_points import AROUND_THE_REF, Undisturbed, die_at_each
from tests.doors.acting import cli, once, say
from tests.doors.kit import coder


class KeepScene(Scene):
    """A reviewer sends the work back once; the coder is kept meanwhile."""

    def _tasks(self) -> dict[str, list[dict[str, Any]]]:
        no = "git commit -q --allow-empty -m 'no #fail'"
        yes = "git commit -q --allow-empty -m 'yes #done'"
        judge = self._note("a/2") + once(self.place / "judged", no, yes)
        kept = {"cli": "keeper", "instruction": "work", "keep": True}
        return {"a": [kept, coder(judge, role="reviewer")]}

    def _head(self) -> str:
        work = self._note("a/1") + "$ echo x >> work\n" + say("work #review")
        return 'test = ["test", "-s", "work"]\n' + cli("keeper", work)

    def result(self) -> dict[str, Any]:
        """As without a review, but for one fact.

        Whether the turn of a reviewer was seen on its screen before it rejected depends on how
        quick it is. Its rejection is its last word, and no work of its own shows it afterwards.
        """
        found = super().result()
        found["facts"].pop("demo/a/2/ instruction.delivered")
        return found


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_death_around_a_program_that_is_kept_changes_nothing(tmp_path: Path) -> None:
    """Hazards 21, 36."""
    undisturbed = Undisturbed(tmp_path / "undisturbed", KeepScene)
    sent = [*((f"demo/a/{n}/", 1, 1) for n in (1, 2)), ("demo/a/1/", 1, 2), ("demo/a/2/", 2, 1)]
    assert undisturbed.result["instructions"] == sorted(sent)
    die_at_each(undisturbed.points[: -len(AROUND_THE_REF)], undisturbed, tmp_path, print)
