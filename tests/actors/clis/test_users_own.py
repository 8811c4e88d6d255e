"""In a config home of its own a real CLI still has what its user has.

MCP servers, skills, slash commands, a memory, and a login that stays the user's when its token is
renewed.
"""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from tests import users_things
from tests.cli_desk import Desk
from tests.real_cli import Driven
from tests.users_things import TOOLS

pytestmark = pytest.mark.timeout(300)

LONG = pytest.mark.long
CLIS = ["codex", *(pytest.param(name, marks=LONG) for name in TOOLS if name != "codex")]
LOGINS = [pytest.param(n, marks=LONG) for n in ("claude", "codex", "gemini", "opencode")]


@pytest.mark.parametrize("desk", CLIS, indirect=True)
def test_mcp_skills_commands_and_memory_of_the_user_are_at_work(desk: Desk) -> None:
    name, home = desk.profile.name, Path(desk.env["HOME"])
    users_things.write(users_things.files(name), home)
    theirs = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
    with desk.start(desk.launch("one", bypass=True)) as program:
        desk.deliver(program, f"Please look. CALL: {TOOLS[name]}")
        asked = desk.island.wait_for(lambda r: r.get("step") == "tool")
        assert {"mark-mcp-tool", "mark-memory", "mark-skill"} <= set(asked["marks"])
        desk.island.wait_for(lambda r: "mark-mcp-result" in r.get("marks", []))
        program.wait(desk.idle, quiet=0.6)
        # codex 0.169 has no commands of a user's own, also not in its own home: skills do it.
        desk.deliver(program, "$tidy there" if name == "codex" else "/greet there")
        wanted = "mark-body" if name == "codex" else "mark-command"
        asked = asked_with(desk, program, wanted)
        if name != "codex":
            assert any("Greet mark-command there" in text for text in asked["texts"])
    assert {path: path.stat().st_mtime_ns for path in theirs} == theirs
    assert not list((home / ".codex/skills").glob(".*"))


def asked_with(desk: Desk, program: Driven, mark: str) -> dict[str, Any]:
    """The request with the mark. A list of names that a program shows may take the first Enter."""
    for _ in range(3):
        with contextlib.suppress(TimeoutError):
            return desk.island.wait_for(lambda r: mark in r.get("marks", []), 20)
        program.write([(b"\r", 0)])
    return desk.island.wait_for(lambda r: mark in r.get("marks", []))


def logged_in(desk: Desk) -> dict[str, str]:
    """The user's environment: the fake model is the whole network, whatever the host."""
    url = desk.island.url
    desk.env |= {"HTTPS_PROXY": url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    users_things.write(users_things.login(desk.profile.name, url), Path(desk.env["HOME"]))
    return {
        "NODE_TLS_REJECT_UNAUTHORIZED": "0",
        "CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"{url}/oauth/token",
    }


def with_the_new_token(request: dict[str, Any]) -> bool:
    return bool(request["key"] == "access-new")


@pytest.mark.parametrize("desk", LOGINS, indirect=True)
def test_a_login_works_and_a_token_renewed_there_is_the_users_too(desk: Desk) -> None:
    more = logged_in(desk)
    name, home = desk.profile.name, Path(desk.env["HOME"])
    credentials = home / next(iter(users_things.login(name, "")))
    with desk.start(desk.launch("", bypass=True), more) as program:
        if name == "codex":  # a turn would need more of its maker's account service than is faked
            desk.island.wait_for(with_the_new_token)
        else:
            desk.deliver(program, "Hello there.")
            desk.island.wait_for(lambda r: with_the_new_token(r) and bool(r.get("texts")))
    renewed = credentials.read_text()
    assert not credentials.is_symlink()
    assert credentials.stat().st_mode & 0o777 == 0o600
    assert "access-new" in renewed
    assert "access-old" not in renewed
    assert ("refresh-new" in renewed) == (name != "gemini")  # Google's does not change
    ours = [p for p in (desk.root / "own").rglob("*") if p.is_file() and not p.is_symlink()]
    assert not any(b"access-new" in path.read_bytes() for path in ours)


@pytest.mark.parametrize("desk", LOGINS, indirect=True)
def test_with_another_provider_the_login_never_goes_there(desk: Desk) -> None:
    more = logged_in(desk)
    with desk.start(desk.launch("one", bypass=True), more) as program:
        desk.deliver(program, "Hello there. RUN: true")
        desk.island.wait_for(lambda r: r.get("step") == "closing")
    asked = [r for r in desk.island.requests if r.get("texts")]
    assert {(r.get("host"), r["key"]) for r in asked} == {(None, "key-one")}


@pytest.mark.parametrize("desk", [pytest.param("codex", marks=LONG)], indirect=True)
def test_codex_works_with_the_key_the_user_logged_in_with(desk: Desk) -> None:
    config = f'openai_base_url = "{desk.island.url}/v1"\nmodel = "their-model"\n'
    login = {".codex/auth.json": '{"OPENAI_API_KEY": "their-key"}', ".codex/config.toml": config}
    users_things.write(login, Path(desk.env["HOME"]))
    with desk.start(desk.launch("", bypass=True)) as program:
        desk.deliver(program, "Hello there.")
        asked = desk.island.wait_for(lambda r: r.get("step") == "tool")
        assert (asked["key"], asked["model"]) == ("their-key", "their-model")


@pytest.mark.parametrize("desk", [pytest.param("aider", marks=LONG)], indirect=True)
def test_aider_reads_the_configuration_of_its_user(desk: Desk) -> None:
    read = Path(desk.env["HOME"]) / "conventions.md"
    files = {".aider.conf.yml": f"read: [{read}]\n", read.name: "Remember mark-memory.\n"}
    users_things.write(files, read.parent)
    with desk.start(desk.launch("one", bypass=True)) as program:
        desk.deliver(program, "Please add made.txt.")
        desk.island.wait_for(lambda r: "mark-memory" in r.get("marks", []))
