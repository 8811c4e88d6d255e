"""Providers at the doors.

Where they are found, and a provider switched in the CLI's own files while a program starts.
"""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.doors.acting import Acting, Row
from tests.doors.kit import AGENT, PYTHON, Home, coder, commit, plan_text, types

GLM = '[glm]\nbase_url = "https://glm.example/v1"\nmodel = "glm-4"\napi_key_env = "GLM_KEY"\n'


@pytest.fixture
def user(tmp_path: Path) -> Path:
    path = tmp_path / "user"
    (path / ".config/callboard").mkdir(parents=True)
    return path


@pytest.fixture
def home(tmp_path: Path, user: Path) -> Home:
    env = {**os.environ, "HOME": str(user), "GLM_KEY": "key-of-glm"}
    env.pop("XDG_CONFIG_HOME", None)
    return Home(tmp_path / "home", env=env)


@pytest.fixture
def acting(home: Home) -> Acting:
    home.serve()
    return Acting(home)


@pytest.fixture(autouse=True)
def _ended(home: Home) -> object:
    yield
    home.close()


def providers_file(user: Path, text: str) -> None:
    (user / ".config/callboard/providers.toml").write_text(text)


def checked(home: Home, tmp_path: Path, repo: Path, provider: str, tail: str = "") -> Row:
    plan = tmp_path / "plan.toml"
    tasks = {"a": [coder("x"), coder("y", provider=provider)]}
    plan.write_text(plan_text(repo, tasks, tail=tail))
    ran = home.run("check", str(plan))
    return {"code": ran.returncode, "said": ran.stdout + ran.stderr}


def test_a_provider_of_the_user_s_is_known_and_the_plan_s_own_wins(
    home: Home, user: Path, tmp_path: Path, repo: Path
) -> None:
    missing = checked(home, tmp_path, repo, "glm")
    assert missing["code"] == 2
    assert "task[0].terminal[1].provider" in missing["said"]
    providers_file(user, GLM)
    assert checked(home, tmp_path, repo, "glm")["code"] == 0
    wrong = '[provider.glm]\nbase_url = "ftp://x"\n'
    refused = checked(home, tmp_path, repo, "glm", tail=wrong)
    assert refused["code"] == 2
    assert "provider.glm.base_url" in refused["said"]


def test_a_wrong_providers_file_is_named_with_the_key(
    home: Home, user: Path, tmp_path: Path, repo: Path
) -> None:
    providers_file(user, '[glm]\nbase_url = "https://x"\napi_key = "sk-secret"\n')
    refused = checked(home, tmp_path, repo, "glm")
    assert refused["code"] == 2
    assert "providers.toml" in refused["said"]
    assert "glm.api_key" in refused["said"]
    assert "sk-secret" not in refused["said"]
    assert home.run("providers").returncode == 2


def test_a_key_that_is_not_there_is_said_before_and_fails_the_launch(
    acting: Acting, user: Path, tmp_path: Path, repo: Path
) -> None:
    providers_file(user, GLM.replace("GLM_KEY", "NO_SUCH_KEY"))
    assert "NO_SUCH_KEY" in checked(acting.home, tmp_path, repo, "glm")["said"]
    text = plan_text(repo, {"a": [coder("x", provider="glm")]})
    (tmp_path / "plan.toml").write_text(text)
    acting.home.ok("submit", str(tmp_path / "plan.toml"))
    assert acting.home.run("prepare", "demo").returncode == 1
    assert "NO_SUCH_KEY" in acting.fact("terminal.launch_failed")["reason"]


def test_providers_are_listed_without_their_keys_and_taken_over_from_cc_switch(
    home: Home, user: Path, tmp_path: Path
) -> None:
    database = tmp_path / "cc-switch.db"
    connection = sqlite3.connect(database)
    connection.execute(
        "CREATE TABLE providers (id, app_type, name, settings_config, is_current, sort_index)"
    )
    settings = {
        "env": {
            "ANTHROPIC_BASE_URL": "https://glm.example/api",
            "ANTHROPIC_AUTH_TOKEN": "sk-in-their-database",
            "ANTHROPIC_MODEL": "glm-4.6",
        }
    }
    row = ("u1", "claude", "Zhipu GLM", json.dumps(settings), 1, 0)
    connection.execute("INSERT INTO providers VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
    before = database.read_bytes()
    providers_file(user, "# mine\n" + GLM)
    assert home.json("providers", "import", str(database))["added"] == ["claude-zhipu-glm"]
    assert home.json("providers", "import", str(database))["added"] == []
    assert database.read_bytes() == before
    file = user / ".config/callboard/providers.toml"
    assert file.read_text().startswith("# mine\n[glm]")
    assert "sk-" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    listed = {row["name"]: row for row in home.json("providers")}
    assert listed["glm"]["problem"] == ""
    assert listed["glm"]["key"] == "GLM_KEY"
    assert listed["claude-zhipu-glm"]["base_url"] == "https://glm.example/api"
    assert "key-of-glm" not in home.ok("providers")


# ---- the global switch --------------------------------------------------------------------


class OldCli:
    """A program that reads its configuration at the start, from a place that cannot be moved.

    It notes what it read. With `slow` it reads only when a file is there.
    """

    def __init__(self, user: Path, gate: Path | None = None) -> None:
        self.config = user / ".old" / "config.json"
        self.config.parent.mkdir()
        self.mine = '{\n  // my own\n  "theme": "dark",\n  "url": "https://mine.example"\n}\n'
        self.config.write_text(self.mine)
        self.config.chmod(0o640)
        self.gate = gate

    @property
    def profile(self) -> str:
        wait = f"until test -e {self.gate}; do sleep 0.05; done; " if self.gate else ""
        start = f'{wait}cp {self.config} "$TMPDIR/read"; exec "$@"'
        command = ["sh", "-c", start, "sh", PYTHON, str(AGENT)]
        return f"""
[cli.old]
command = {json.dumps(command)}
ready = '^> $'
busy = 'esc to interrupt'
home = {{ user = "~/.old" }}
[cli.old.provider]
env = {{ OLD_KEY = "{{key}}" }}
set = [{{ file = "config.json", values = {{ url = "{{base_url}}" }} }}]
[provider.one]
base_url = "https://one.example"
api_key_env = "GLM_KEY"
gateway = false
[provider.two]
base_url = "https://two.example"
"""

    def terminal(self, provider: str, told: Path) -> Row:
        note = f'$ cp "$TMPDIR/read" {told}.{provider}; echo "$OLD_KEY" > {told}.{provider}.key\n'
        script = note + commit(provider, "made", f"{provider} #done")
        return {"cli": "old", "instruction": script, "provider": provider, "switch": "global"}

    @property
    def is_mine(self) -> bool:
        mode = self.config.stat().st_mode & 0o777
        return self.config.read_text() == self.mine and mode == 0o640


def test_a_global_switch_lasts_until_the_program_is_ready_one_after_another(
    acting: Acting, user: Path, tmp_path: Path, repo: Path
) -> None:
    old, told = OldCli(user), tmp_path / "told"
    tasks = {name: [old.terminal(name, told)] for name in ("one", "two")}
    (tmp_path / "plan.toml").write_text(plan_text(repo, tasks, tail=old.profile))
    acting.home.ok("submit", str(tmp_path / "plan.toml"))
    acting.home.ok("prepare", "demo")
    assert old.is_mine
    acting.home.ok("start", "demo")
    acting.status("completed")
    for name in tasks:
        read = Path(f"{told}.{name}").read_text()
        assert f"https://{name}.example" in read
        assert '"theme": "dark"' in read
        assert "key-of-glm" not in read
    assert Path(f"{told}.one.key").read_text() == "key-of-glm\n"
    assert not list((tmp_path / "home/switched").rglob("*.json"))


def test_a_program_that_would_read_its_files_too_late_is_refused(
    home: Home, user: Path, tmp_path: Path, repo: Path
) -> None:
    old = OldCli(user)
    tail = old.profile.replace("[cli.old]", '[cli.old]\nnot_global = "it reads again"', 1)
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [old.terminal("one", tmp_path / "told")]}, tail=tail))
    refused = home.run("check", str(plan))
    assert refused.returncode == 2
    assert "task[0].terminal[0].switch: it reads again" in refused.stderr


def test_codex_is_not_switched_globally(home: Home, tmp_path: Path, repo: Path) -> None:
    terminal = {"cli": "codex", "instruction": "x", "provider": "glm", "switch": "global"}
    tail = GLM.replace("[glm]", "[provider.glm]") + '[cli.codex]\ncommand = ["sh"]\n'
    (tmp_path / "plan.toml").write_text(plan_text(repo, {"a": [terminal]}, tail=tail))
    refused = home.run("check", str(tmp_path / "plan.toml"))
    assert refused.returncode == 2
    assert "task[0].terminal[0].switch: codex reads its configuration again" in refused.stderr


def test_a_launch_that_fails_puts_the_files_back(
    acting: Acting, user: Path, tmp_path: Path, repo: Path
) -> None:
    old = OldCli(user, gate=tmp_path / "never")
    text = plan_text(
        repo,
        {"a": [old.terminal("one", tmp_path / "told")]},
        tail=old.profile.replace("[cli.old]", "[cli.old]\nready_timeout = 2"),
    )
    (tmp_path / "plan.toml").write_text(text)
    acting.home.ok("submit", str(tmp_path / "plan.toml"))
    assert acting.home.run("prepare", "demo").returncode == 1
    assert "terminal.launch_failed" in types(acting.facts())
    assert old.is_mine


def test_a_switch_outlives_a_crash_until_its_program_has_read_it(
    acting: Acting, user: Path, tmp_path: Path, repo: Path
) -> None:
    """The next runtime gives nobody else a turn before, and puts the files back then."""
    gate, told, hosts = tmp_path / "gate", tmp_path / "told", tmp_path / "home/terminals"
    old = OldCli(user, gate)
    for name, workflow in (("one", "demo"), ("two", "other")):
        text = plan_text(repo, {name: [old.terminal(name, told)]}, tail=old.profile)
        text = text.replace('name = "demo"', f'name = "{workflow}"')
        acting.call("plan.submit", plan=text, base=str(tmp_path))
        acting.call("workflow.prepare", workflow=workflow)
        if name == "one":
            acting.until(lambda _: (hosts / "demo/one/1/1/host.json").exists())
    assert "one.example" in old.config.read_text()
    acting.again()
    acting.fact("terminal.adopted")
    acting.call("workflow.get", workflow="other")
    assert not (hosts / "other/two/1/1/host.json").exists()
    assert "one.example" in old.config.read_text()
    gate.touch()
    acting.status("ready")
    acting.call("workflow.start", workflow="demo")
    acting.status("completed")
    acting.until(lambda _: acting.call("workflow.get", workflow="other")["status"] == "ready")
    assert old.is_mine
    acting.call("workflow.start", workflow="other")
    acting.until(lambda _: acting.call("workflow.get", workflow="other")["status"] == "completed")
    for name in ("one", "two"):
        assert f"https://{name}.example" in Path(f"{told}.{name}").read_text()


def test_a_runtime_puts_back_what_a_launch_that_is_over_left_switched(
    acting: Acting, user: Path, tmp_path: Path, repo: Path
) -> None:
    gate = tmp_path / "gate"
    old = OldCli(user, gate)
    text = plan_text(repo, {"one": [old.terminal("one", tmp_path / "told")]}, tail=old.profile)
    acting.call("plan.submit", plan=text, base=str(tmp_path))
    acting.call("workflow.prepare", workflow="demo")
    acting.until(lambda _: (tmp_path / "home/terminals/demo/one/1/1/host.json").exists())
    acting.home.kill()
    assert not old.is_mine
    acting.home.run("down", "--terminals")
    acting.home.serve()
    acting.until(lambda _: old.is_mine)
