"""What a user of each CLI may have in their home.

An MCP server, a skill, a slash command, a memory: each holds a word `mark-…` of its own, so that
it can be found in what the CLI tells its model. And a login whose access token is over, so that
the CLI renews it before it does anything.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.fake_model import jwt

MCP = [sys.executable, str(Path(__file__).with_name("tiny_mcp.py"))]
SKILL = "---\nname: tidy\ndescription: Tidies. mark-skill\n---\nTidy up. mark-body\n"
MARKDOWN = "---\ndescription: greets\n---\nGreet mark-command $ARGUMENTS\n"
GEMINI_TOML = 'description = "greets"\nprompt = "Greet mark-command {{args}}"\n'
TOOLS = {
    "claude": "mcp__tiny__look",
    "codex": "mcp__tiny.look",
    "gemini": "mcp_tiny_look",
    "qwen": "mcp__tiny__look",
    "opencode": "tiny_look",
}
SERVER = {"command": MCP[0], "args": MCP[1:]}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2)


def files(name: str) -> dict[str, str]:
    """The files in the home of a user of the CLI `name`."""
    memory = "Remember mark-memory.\n"
    if name == "claude":
        return {
            ".claude.json": _json({"mcpServers": {"tiny": {"type": "stdio", **SERVER}}}),
            ".claude/skills/tidy/SKILL.md": SKILL,
            ".claude/commands/greet.md": MARKDOWN,
            ".claude/CLAUDE.md": memory,
        }
    if name == "codex":
        return {
            ".codex/config.toml": f"[mcp_servers.tiny]\ncommand = {MCP[0]!r}\nargs = {MCP[1:]!r}\n",
            ".codex/skills/tidy/SKILL.md": SKILL,
            ".codex/prompts/greet.md": MARKDOWN,
            ".codex/AGENTS.md": memory,
        }
    if name in ("gemini", "qwen"):
        return {
            f".{name}/settings.json": _json({"mcpServers": {"tiny": {**SERVER, "trust": True}}}),
            f".{name}/skills/tidy/SKILL.md": SKILL,
            f".{name}/commands/greet.toml": GEMINI_TOML,
            f".{name}/{name.upper()}.md": memory,
        }
    if name == "opencode":
        config: dict[str, Any] = {"mcp": {"tiny": {"type": "local", "command": MCP}}}
        config["$schema"] = "https://opencode.ai/config.json"  # where it lacks, it writes it there
        return {
            ".config/opencode/opencode.json": _json(config),
            ".config/opencode/skills/tidy/SKILL.md": SKILL,
            ".config/opencode/commands/greet.md": MARKDOWN,
            ".config/opencode/AGENTS.md": memory,
        }
    return {}


def own_provider(name: str, url: str, repo: Path) -> dict[str, str]:
    """Files of a user with a provider of their own at `url`; the first one is the settings."""
    if name == "claude":
        env = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": "key-mine"}
        settings: dict[str, Any] = {"env": {**env, "ANTHROPIC_MODEL": "model-mine"}}
        settings |= {"theme": "dark", "skipDangerousModePermissionPrompt": True}
        trusted = {str(repo): {"hasTrustDialogAccepted": True}}
        state = {"hasCompletedOnboarding": True, "projects": trusted}
        return {".claude/settings.json": _json(settings), ".claude.json": _json(state)}
    if name == "opencode":
        made = {"npm": "@ai-sdk/openai-compatible", "models": {"model-mine": {}}}
        options = {"baseURL": f"{url}/v1", "apiKey": "key-mine"}
        config = {"provider": {"mine": {**made, "options": options}}, "model": "mine/model-mine"}
        config["$schema"] = "https://opencode.ai/config.json"
        return {".config/opencode/opencode.json": _json(config)}
    kinds = {"gemini": "gemini-api-key", "qwen": "openai"}
    settings = {"model": {"name": "model-mine"}, "ui": {"hideTips": True}}
    settings["security"] = {"auth": {"selectedType": kinds[name]}}
    pairs = {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "key-mine"}
    pairs |= {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "key-mine"}
    return {
        f".{name}/settings.json": _json(settings),
        f".{name}/.env": "".join(f"{key}={value}\n" for key, value in pairs.items()),
    }


def login(name: str, url: str) -> dict[str, str]:
    """Files of a user who is logged in with tokens; the first one holds them."""
    claims = {"chatgpt_plan_type": "pro", "chatgpt_account_id": "acc"}
    identity = jwt({"email": "t@example.org", "https://api.openai.com/auth": claims})
    if name == "claude":
        tokens = {"accessToken": "access-old", "refreshToken": "refresh-old", "expiresAt": 1}
        tokens |= {"scopes": ["user:inference", "user:profile"], "subscriptionType": "max"}
        account = {"accountUuid": "a", "emailAddress": "t@example.org", "organizationUuid": "o"}
        return {
            ".claude/.credentials.json": _json({"claudeAiOauth": tokens}),
            ".claude.json": _json({"oauthAccount": account}),
        }
    if name == "codex":
        tokens = {"access_token": jwt({"exp": 1}), "refresh_token": "refresh-old"}
        tokens |= {"id_token": identity, "account_id": "acc"}
        auth = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens}
        places = f'openai_base_url = "{url}/v1"\nchatgpt_base_url = "{url}/backend-api"\n'
        return {
            ".codex/auth.json": _json({**auth, "last_refresh": "2020-01-01T00:00:00Z"}),
            ".codex/config.toml": places,
        }
    if name == "gemini":
        tokens = {"access_token": "access-old", "refresh_token": "refresh-old", "expiry_date": 1}
        tokens |= {"token_type": "Bearer", "scope": "x"}
        chosen = {"security": {"auth": {"selectedType": "oauth-personal"}}}
        return {
            ".gemini/oauth_creds.json": _json(tokens),
            ".gemini/settings.json": _json(chosen),
        }
    tokens = {"type": "oauth", "access": "access-old", "refresh": "refresh-old", "expires": 1}
    return {
        ".local/share/opencode/auth.json": _json({"openai": {**tokens, "accountId": "acc"}}),
        ".config/opencode/opencode.json": _json({"model": "openai/gpt-5.2-codex"}),
    }


def write(files: dict[str, str], home: Path) -> None:
    for path, text in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
        (home / path).chmod(0o600)
