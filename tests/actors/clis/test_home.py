"""Each terminal gets a config home of its own, seeded from the user's, with its provider."""

import json
import stat
import tomllib
from pathlib import Path

import pytest

from actors.clis.home import cleanup, environment, prepare
from actors.clis.placeholders import LaunchError
from actors.clis.profile import Profile, ProviderKeys, load
from actors.clis.providers import Provider

PROFILES = load()
KEY = "sk-secret-value"
GLM = Provider("glm", base_url="https://glm.example/api/", model="glm-4.6", api_key_env="K")


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """A user with a Claude and a Codex configuration, as environment."""
    home = tmp_path / "user"
    (home / ".claude/skills/one").mkdir(parents=True)
    (home / ".claude/settings.json").write_text(
        json.dumps({"env": {"ANTHROPIC_BASE_URL": "https://old", "MINE": "1"}, "theme": "light"})
    )
    (home / ".claude/.credentials.json").write_text('{"login": 1}')
    (home / ".claude.json").write_text(json.dumps({"mcpServers": {"db": {}}, "oauthAccount": 1}))
    (home / ".codex").mkdir()
    (home / ".codex/config.toml").write_text(
        '# mine\nprofile = "p"\n[mcp_servers.db]\ncommand="x"\n'
    )
    (home / ".codex/auth.json").write_text('{"tokens": 1}')
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "USER": "me", "SHELL": "/bin/sh"}


@pytest.fixture
def where(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "wt").mkdir()
    (tmp_path / "wt/.git").write_text("gitdir: ../repo/.git/worktrees/wt\n")
    admin = tmp_path / "repo/.git/worktrees/wt"
    admin.mkdir(parents=True)
    (admin / "gitdir").write_text(f"{tmp_path}/wt/.git\n")
    (admin / "HEAD").write_text("ref: refs/heads/feat/a\n")
    return tmp_path / "wt", tmp_path / "repo"


def test_claude_is_seeded_and_given_its_provider(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    launch = prepare(PROFILES["claude"], GLM, tmp_path / "t", user, *where, key=KEY, bypass=True)
    home = launch.home
    assert launch.argv == ["claude", "--dangerously-skip-permissions"]
    assert launch.env["CLAUDE_CONFIG_DIR"] == str(home)
    assert launch.env["ANTHROPIC_BASE_URL"] == "https://glm.example/api"
    assert launch.env["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert launch.env["ANTHROPIC_MODEL"] == "glm-4.6"
    settings = json.loads((home / "settings.json").read_text())
    assert settings["env"] == {"MINE": "1"}
    assert settings["theme"] == "light"
    state = json.loads((home / ".claude.json").read_text())
    assert state["mcpServers"] == {"db": {}}
    assert state["projects"][str(where[1])]["hasTrustDialogAccepted"] is True
    assert "oauthAccount" not in state
    assert (home / "skills/one").is_dir()
    assert not (home / ".credentials.json").exists()


def test_without_a_provider_the_users_login_goes_along(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    user["ANTHROPIC_API_KEY"] = "sk-own"
    launch = prepare(PROFILES["claude"], None, tmp_path / "t", user, *where)
    assert launch.env["ANTHROPIC_API_KEY"] == "sk-own"
    assert "oauthAccount" in json.loads((launch.home / ".claude.json").read_text())
    launch = prepare(PROFILES["codex"], None, tmp_path / "c", user, *where)
    assert (launch.home / "auth.json").resolve() == Path(user["HOME"]) / ".codex/auth.json"


@pytest.mark.parametrize(
    ("users", "place"),
    [
        ({}, ""),
        ({"CLAUDE_CONFIG_DIR": "/moved"}, "/moved"),
        ({"CLAUDE_CONFIG_DIR": "/moved", "CLAUDE_SECURESTORAGE_CONFIG_DIR": "/logins"}, "/logins"),
    ],
)
def test_claude_keeps_its_logins_where_the_users_own_does(
    tmp_path: Path,
    user: dict[str, str],
    where: tuple[Path, Path],
    users: dict[str, str],
    place: str,
) -> None:
    """It renames a new file over `.credentials.json`, so a link would part with the user's."""
    for provider in (None, GLM):
        launch = prepare(PROFILES["claude"], provider, tmp_path / "t", user | users, *where)
        assert launch.env["CLAUDE_SECURESTORAGE_CONFIG_DIR"] == place
        assert not (launch.home / ".credentials.json").exists()


def test_a_directory_the_program_writes_in_is_its_own_and_holds_links(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    skills = Path(user["HOME"]) / ".codex/skills"
    for name in ("tidy", ".system"):
        (skills / name).mkdir(parents=True)
    ours = prepare(PROFILES["codex"], GLM, tmp_path / "t", user, *where, key=KEY).home / "skills"
    assert not ours.is_symlink()
    assert [(path.name, path.resolve()) for path in ours.iterdir()] == [("tidy", skills / "tidy")]


def test_a_provider_with_a_model_only_keeps_the_login(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    opus = Provider("opus", model="opus")
    launch = prepare(PROFILES["claude"], opus, tmp_path / "t", user, *where)
    assert launch.env["ANTHROPIC_MODEL"] == "opus"
    assert "ANTHROPIC_BASE_URL" not in launch.env
    assert (
        prepare(PROFILES["codex"], opus, tmp_path / "c", user, *where).home / "auth.json"
    ).exists()


def test_the_users_own_key_never_goes_to_another_endpoint(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    """Hazard 43."""
    user |= {"ANTHROPIC_API_KEY": "sk-own", "OPENAI_API_KEY": "sk-own", "GEMINI_API_KEY": "sk-own"}
    for name in ("claude", "codex", "gemini", "qwen", "opencode", "aider"):
        launch = prepare(PROFILES[name], GLM, tmp_path / name, user, *where, key=KEY)
        assert "sk-own" not in launch.env.values(), name
        assert KEY in launch.env.values(), name
        assert KEY not in repr(launch)
        assert not any(KEY in arg for arg in launch.argv)
        for path in launch.home.rglob("*"):
            assert path.is_symlink() or not path.is_file() or KEY not in path.read_text()


def test_codex_gets_a_provider_table_and_its_sandbox_openings(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    launch = prepare(PROFILES["codex"], GLM, tmp_path / "t", user, *where, key=KEY)
    text = (launch.home / "config.toml").read_text()
    config = tomllib.loads(text)
    assert text.startswith("# mine")
    assert "profile" not in config
    assert config["mcp_servers"] == {"db": {"command": "x"}}
    assert config["model"] == "glm-4.6"
    chosen = config["model_providers"][config["model_provider"]]
    assert chosen["base_url"] == "https://glm.example/api"
    assert launch.env[chosen["env_key"]] == KEY
    assert config["projects"][str(where[1])]["trust_level"] == "trusted"
    openings = [launch.argv[i + 1] for i, a in enumerate(launch.argv) if a == "--add-dir"]
    opened = ("objects", "worktrees/wt", "refs/heads/feat", "logs/refs/heads/feat")
    assert openings == [str(where[1] / ".git" / name) for name in opened]


def test_two_terminals_of_one_cli_have_two_providers_at_once(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    other = Provider("other", base_url="https://other.example", model="m", api_key_env="K")
    one = prepare(PROFILES["codex"], GLM, tmp_path / "1", user, *where, key="k1")
    two = prepare(PROFILES["codex"], other, tmp_path / "2", user, *where, key="k2")
    urls = [
        tomllib.loads((launch.home / "config.toml").read_text())["model_providers"]["callboard"][
            "base_url"
        ]
        for launch in (one, two)
    ]
    assert urls == ["https://glm.example/api", "https://other.example/v1"]


def test_everything_is_private_and_the_users_files_are_only_read(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    """Hazard 43."""
    before = {p: p.read_bytes() for p in Path(user["HOME"]).rglob("*") if p.is_file()}
    launch = prepare(PROFILES["claude"], GLM, tmp_path / "t", user, *where, key=KEY)
    for path in (tmp_path / "t").rglob("*"):
        if not path.is_symlink():
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    assert stat.S_IMODE((tmp_path / "t").stat().st_mode) == 0o700
    assert all(path.exists() for path in launch.files)
    assert launch.env["TMPDIR"] == str(tmp_path / "t/tmp")
    prepare(PROFILES["claude"], GLM, tmp_path / "t", user, *where, key=KEY)
    cleanup(tmp_path / "t")
    assert not (tmp_path / "t").exists()
    assert {p: p.read_bytes() for p in Path(user["HOME"]).rglob("*") if p.is_file()} == before


def test_a_moved_config_home_of_the_user_is_the_one_that_seeds(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / ".claude.json").write_text('{"from": "moved"}')
    user["CLAUDE_CONFIG_DIR"] = str(moved)
    launch = prepare(PROFILES["claude"], GLM, tmp_path / "t", user, *where, key=KEY)
    assert json.loads((launch.home / ".claude.json").read_text())["from"] == "moved"
    assert launch.env["CLAUDE_CONFIG_DIR"] == str(launch.home)


def test_not_isolated_the_users_own_home_stays(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    launch = prepare(PROFILES["codex"], GLM, tmp_path / "t", user, *where, key=KEY, isolated=False)
    assert "CODEX_HOME" not in launch.env
    assert launch.files == []
    assert launch.env["CALLBOARD_PROVIDER_KEY"] == KEY
    moved = {"CLAUDE_CONFIG_DIR": "/moved", "CLAUDE_SECURESTORAGE_CONFIG_DIR": "/logins"}
    launch = prepare(PROFILES["claude"], GLM, tmp_path / "c", user | moved, *where, isolated=False)
    assert moved.items() <= launch.env.items()


def test_the_environment_is_chosen() -> None:
    user_env = {
        "PATH": "/bin",
        "HOME": "/h",
        "SSH_AUTH_SOCK": "/s",
        "LC_TIME": "de_DE.UTF-8",
        "GIT_AUTHOR_NAME": "me",
        "GIT_DIR": "/elsewhere",
        "GIT_INDEX_FILE": "/elsewhere",
        "CLAUDECODE": "1",
        "MY_SECRET": "s",
        "PYTHONPATH": "/runtime",
    }
    env = environment(PROFILES["claude"], user_env, own_provider=True)
    assert {"PATH", "HOME", "SSH_AUTH_SOCK", "LC_TIME", "GIT_AUTHOR_NAME"} <= set(env)
    assert not {"GIT_DIR", "GIT_INDEX_FILE", "CLAUDECODE", "MY_SECRET", "PYTHONPATH"} & set(env)
    assert (env["TERM"], env["COLORTERM"]) == ("xterm-256color", "truecolor")


def test_a_cli_that_hides_gits_configuration_gets_the_identity_by_environment(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    (where[0] / ".git").unlink()
    (Path(user["HOME"]) / ".gitconfig").write_text("[user]\nname = Ann\nemail = a@example.org\n")
    env = prepare(PROFILES["gemini"], None, tmp_path / "t", user, *where).env
    assert env["GIT_AUTHOR_NAME"] == env["GIT_COMMITTER_NAME"] == "Ann"
    assert env["GIT_AUTHOR_EMAIL"] == env["GIT_COMMITTER_EMAIL"] == "a@example.org"
    user["GIT_AUTHOR_NAME"] = "Own"
    env = prepare(PROFILES["gemini"], None, tmp_path / "t", user, *where).env
    assert (env["GIT_AUTHOR_NAME"], env["GIT_COMMITTER_NAME"]) == ("Own", "Ann")


@pytest.mark.parametrize("how", ["kill -9 $$", "echo 'fatal: bad config line 1' >&2; exit 128"])
def test_a_git_that_dies_has_not_said_that_there_is_no_identity(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path], how: str
) -> None:
    """Hazard 62."""
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(f"#!/bin/sh\n{how}\n")
    shim.chmod(0o755)
    user["PATH"] = f"{shim.parent}:{user['PATH']}"
    with pytest.raises(LaunchError, match="git config ended with"):
        prepare(PROFILES["gemini"], None, tmp_path / "t", user, *where)


@pytest.mark.parametrize(
    ("given", "forced"),
    [
        ({}, True),
        ({"LANG": "C"}, True),
        ({"LANG": "de_DE.UTF-8"}, False),
        ({"LANG": "de_DE.utf8"}, False),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, True),
    ],
)
def test_the_locale_is_utf8(given: dict[str, str], forced: bool) -> None:
    env = environment(PROFILES["custom"], given, own_provider=False)
    locale = env.get("LC_ALL") or env["LANG"]
    assert "utf" in locale.lower()
    assert (locale not in given.values()) == forced


def test_a_model_that_is_needed_and_missing_is_refused(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    mine = Profile(name="mine", command=("mine", "--model", "{model}"))
    assert prepare(mine, GLM, tmp_path / "a", user, *where, key=KEY).argv[2] == "glm-4.6"
    with pytest.raises(LaunchError, match=r"cli\.mine\.command\[2\]: \{model\}"):
        prepare(mine, None, tmp_path / "b", user, *where)
    with pytest.raises(LaunchError, match=r"cli\.custom\.command"):
        prepare(PROFILES["custom"], None, tmp_path / "c", user, *where)


def test_ones_own_program_takes_its_provider_by_environment(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    keys = ProviderKeys(env={"URL": "{base_url}", "TOKEN": "{key}"})
    mine = Profile(name="mine", command=("mine",), provider=keys)
    launch = prepare(mine, GLM, tmp_path / "t", user, *where)
    assert launch.env["URL"] == "https://glm.example/api"
    assert "TOKEN" not in launch.env


def test_a_broken_file_of_the_users_is_named(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path]
) -> None:
    (Path(user["HOME"]) / ".claude/settings.json").write_text("{")
    with pytest.raises(LaunchError, match=r"cli\.claude: the user's settings\.json: not JSON"):
        prepare(PROFILES["claude"], GLM, tmp_path / "t", user, *where, key=KEY)


def test_cleanup_leaves_what_prepare_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/file").write_text("x")
    with pytest.raises(LaunchError, match="left alone"):
        cleanup(tmp_path / "repo")
    assert (tmp_path / "repo/file").exists()
    cleanup(tmp_path / "absent")


@pytest.mark.parametrize("bypass", [True, False])
def test_opencode_is_told_to_ask_and_by_its_option_not_to(
    tmp_path: Path, user: dict[str, str], where: tuple[Path, Path], bypass: bool
) -> None:
    """Without a rule of permission it asks nothing, whatever `auto_confirm` says."""
    launch = prepare(PROFILES["opencode"], None, tmp_path / "t", user, *where, bypass=bypass)
    seeded = json.loads((launch.home / "opencode.json").read_text())
    assert seeded["permission"] == {"edit": "ask", "bash": "ask"}
    assert ("--auto" in launch.argv) == bypass
