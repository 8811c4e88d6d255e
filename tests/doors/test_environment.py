"""Whose environment counts is said at once, where that of the shell is another one."""

import os
from pathlib import Path

from tests.doors.kit import Home, done, plan_text


def test_a_shell_that_differs_from_the_runtime_is_told_so(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """No value is told, and none is sent."""
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}, 'test = ["true"]'))
    home.serve()
    same = home.run("submit", str(plan))
    assert "environment" not in same.stdout
    other = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NPM_TOKEN": "secret-token"}
    said = home.run("submit", str(plan), env={**os.environ, **other})
    assert said.returncode == 0
    assert "the runtime's environment counts" in said.stdout
    assert "these differ: NPM_TOKEN, PATH (" in said.stdout
    assert "secret-token" not in said.stdout
    home.ok("down")
    database = b"".join(path.read_bytes() for path in home.path.glob("callboard.db*"))
    assert b"secret-token" not in database
