"""The main job with real CLIs: parallel tasks, each CLI with its own provider, to landed."""

import json
from pathlib import Path

import pytest

from actors.platform import sandbox
from tests.doors.kit import types
from tests.doors.real_plans import lands
from tests.repositories import git

pytestmark = pytest.mark.timeout(400)

THREE = ["claude", "codex", "gemini"]
ALL = [*THREE, "qwen", "opencode", "aider"]


def test_one_real_cli_lands(tmp_path: Path, repo: Path) -> None:
    """From the sandbox, where one with a home directory of its own can be made."""
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


@pytest.mark.long
@pytest.mark.parametrize("name", ALL)
def test_a_real_cli_lands_without_a_sandbox(name: str, tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, [name], sandbox="off")


SERVER = """
const fs = require("fs"), lines = require("readline").createInterface({ input: process.stdin });
fs.mkdirSync(process.env.HOME + "/.cache/mcp", { recursive: true });
fs.writeFileSync("%s", "started");
lines.on("line", (line) => {
  const asked = JSON.parse(line), protocolVersion = asked.params?.protocolVersion;
  const result = { protocolVersion, capabilities: { tools: {} }, tools: [],
                   serverInfo: { name: "own", version: "1" } };
  if (asked.id !== undefined) console.log(JSON.stringify({ jsonrpc: "2.0", id: asked.id, result }));
});
"""
"""An MCP server that keeps a cache, and says where it was started."""


@pytest.mark.long
@pytest.mark.skipif(bool(sandbox.trouble()), reason=sandbox.trouble())
@pytest.mark.parametrize("name", ["claude", "codex"])
def test_an_mcp_server_of_the_user_s_runs_in_the_sandbox(
    name: str, tmp_path: Path, repo: Path
) -> None:
    git(repo, "config", "core.excludesFile", str(tmp_path / "ignored"))
    (tmp_path / "ignored").write_text("mcp-ran\n")
    server = tmp_path / "user/server.js"

    def before(_url: str) -> None:
        server.write_text(SERVER % "mcp-ran")
        started = {"command": "node", "args": [str(server)]}
        (tmp_path / "user/.claude.json").write_text(json.dumps({"mcpServers": {"own": started}}))
        (tmp_path / "user/.codex").mkdir()
        table = f'[mcp_servers.own]\ncommand = "node"\nargs = [{json.dumps(str(server))}]\n'
        (tmp_path / "user/.codex/config.toml").write_text(table)

    facts = lands(tmp_path, repo, [name], before, also="test -e mcp-ran || exit 1")
    assert "commit.seen" in types(facts)
    assert not (tmp_path / "user/.cache/mcp").exists()


@pytest.mark.long
@pytest.mark.parametrize("name", ["pi", "continue", "copilot", "cline", "kilo"])
def test_another_real_cli_lands(name: str, tmp_path: Path, repo: Path) -> None:
    """From the sandbox, where one with a home directory of its own can be made."""
    lands(tmp_path, repo, [name])
