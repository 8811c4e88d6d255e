"""F15: whatever an agent sets in the shared configuration, a person can stop the work."""

from pathlib import Path

import pytest

from tests.doors.acting import Acting
from tests.doors.kit import coder, plan_text


@pytest.mark.parametrize("value", ["/nonexistent", "$PWD"])
def test_a_workflow_can_be_stopped_though_an_agent_set_core_worktree(
    acting: Acting, repo: Path, tmp_path: Path, value: str
) -> None:
    set_it = f"$ git config -f $(git rev-parse --git-common-dir)/config core.worktree {value}\n"
    script = f"$ echo x > a; git add -A; git commit -qm work; echo y > a\n{set_it}"
    script += f"$ touch {tmp_path}/set; sleep 99\n"
    acting.begin(plan_text(repo, {"a": [coder(script)]}))
    acting.until(lambda _row: (tmp_path / "set").exists())
    acting.home.ok("stop", "demo")
    row = acting.until(lambda row: row["status"] == "cancelled" and row["tidied"])
    assert row["tasks"][0]["terminals"][0]["gone"]
    pinned = [ref.name for ref in (repo / ".git/refs/callboard/demo").iterdir()]
    assert "a" in pinned
    assert acting.facts("actor.failed") == []
