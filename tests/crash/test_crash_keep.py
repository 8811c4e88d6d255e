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

        A reviewer that rejects is cancelled. If the runtime dies before it has stored that its
        instruction was typed, nothing tells that afterwards.
        """
        found = super().result()
        found["facts"].pop("demo/a/2/ instruction.sent")
        found["instructions"] = [sent for sent in found["instructions"] if sent[0] == "demo/a/1/"]
        return found


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_death_around_a_program_that_is_kept_changes_nothing(tmp_path: Path) -> None:
    """Hazards 21, 36."""
    undisturbed = Undisturbed(tmp_path / "undisturbed", KeepScene)
    assert undisturbed.result["instructions"] == [("demo/a/1/", 1, 1), ("demo/a/1/", 1, 2)]
    die_at_each(undisturbed.points[: -len(AROUND_THE_REF)], undisturbed, tmp_path, print)
