"""F11, F13: `check` says what would run, with which keys and fences, before anything runs."""

import json
from pathlib import Path

import pytest

from tests.doors.kit import Home, coder, plan_text
from tests.repositories import git

PROVIDER = """
[provider.glm]
base_url = "https://glm.example/v1"
api_key_env = "GLM_KEY_OF_TEST"
"""


@pytest.fixture
def plan(repo: Path, tmp_path: Path) -> Path:
    (repo / ".mcp.json").write_text("{}\n")
    (repo / ".claude").mkdir()
    (repo / ".claude/settings.json").write_text('{"hooks": {}}\n')
    (repo / ".gitignore").write_text(".env\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "settings")
    (repo / ".env").write_text("SECRET=1\n")
    tasks = {
        "a": [coder("x"), coder("y", auto_confirm="known", provider="glm")],
        "b": [coder("z", auto_confirm="never", sandbox="worktree", network="off")],
    }
    head = 'copy = [".env"]\nsetup = ["npm", "ci"]\ntest = ["true"]\ntest_env = ["NPM_TOKEN"]'
    tail = PROVIDER + '[error]\ncli = "claude"\n[cli.claude]\ncommand = ["true"]\n'
    tail += (
        'env = { NODE_OPTIONS = "--require /evil.js" }\n[environment]\nLD_PRELOAD = "/evil.so"\n'
    )
    path = tmp_path / "plan.toml"
    path.write_text(plan_text(repo, tasks, head, tail))
    return path


def test_everything_that_would_run_is_said(
    home: Home, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLM_KEY_OF_TEST", "the-key-itself")
    monkeypatch.setenv("NPM_TOKEN", "the-token-itself")
    said = home.ok("check", str(plan))
    words = " ".join(said.split())
    for wanted in (
        "a/1: ",
        "is asked nothing; no sandbox: scripted was not verified in one; its own login",
        "known questions are answered with yes; no sandbox: scripted was not verified in one; "
        "key GLM_KEY_OF_TEST -> https://glm.example/v1",
        "a person answers its questions; in a sandbox without network",
        "the plan sets NODE_OPTIONS='--require /evil.js'",
        "the plan sets for all of it: LD_PRELOAD=/evil.so",
        "setup: npm ci",
        "copied into each worktree: .env",
        "test: true (in a sandbox); it gets NPM_TOKEN",
        "NOT TRUSTED, so the plan is refused: started by the repository (hooks, MCP servers,"
        " plugins): .claude/settings.json, .mcp.json",
    ):
        assert wanted in words, said
    found = home.json("check", str(plan))
    assert [each["terminal"] for each in found["programs"]] == ["a/1", "a/2", "b/1", "error"]
    assert found["programs"][1]["key"] == "GLM_KEY_OF_TEST"
    assert found["environment"] == {"LD_PRELOAD": "/evil.so"}
    for text in (said, json.dumps(found)):
        assert "the-key-itself" not in text
        assert "the-token-itself" not in text


def test_the_login_that_a_cli_gets_is_named(
    home: Home, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    own = f'[cli.mine]\ncommand = ["{program}"]\nkeep = ["MINE_*"]\n'
    monkeypatch.setenv("MINE_TOKEN", "secret")
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder("x") | {"cli": "mine"}]}, tail=own))
    (one,) = home.json("check", str(plan))["programs"]
    assert (one["command"], one["login"]) == ([str(program)], ["MINE_TOKEN"])
