"""The main job with real CLIs: parallel tasks, each CLI with its own provider, to landed."""

from pathlib import Path

import pytest

from actors.platform import sandbox
from tests.doors.kit import types
from tests.doors.real_plans import lands

pytestmark = pytest.mark.timeout(400)

THREE = ["claude", "codex", "gemini"]
ALL = [*THREE, "qwen", "opencode", "aider"]


def test_one_real_cli_lands(tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, ["codex"])


def test_three_real_clis_with_three_providers_land(tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, THREE)


@pytest.mark.long
def test_three_real_clis_that_ask_are_answered_by_label(tmp_path: Path, repo: Path) -> None:
    facts = lands(tmp_path, repo, THREE, auto_confirm="known")
    answered = [f for f in facts if f["type"] == "terminal.answered"]
    assert {f["address"] for f in answered} == {f"demo/{name}/1/" for name in THREE}
    assert {f["by"] for f in answered} == {"policy"}
    assert "terminal.blocked" not in types(facts)


@pytest.mark.long
def test_aider_lands(tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, ["aider"])


@pytest.mark.long
def test_all_real_clis_land(tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, ALL)


@pytest.mark.skipif(bool(sandbox.trouble()), reason=sandbox.trouble())
@pytest.mark.parametrize(
    "name", ["codex", *(pytest.param(n, marks=pytest.mark.long) for n in ALL if n != "codex")]
)
def test_a_real_cli_lands_from_the_sandbox(name: str, tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, [name], sandbox="worktree")


@pytest.mark.long
@pytest.mark.parametrize("name", ["pi", "copilot", "cline", "kilo"])
def test_another_real_cli_lands(name: str, tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, [name])
