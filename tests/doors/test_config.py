"""The user's own defaults: what counts, whence, and what is refused."""

import json
from pathlib import Path

import pytest

from tests.doors.kit import CLI, Call, Home


@pytest.fixture(params=["home", "xdg"])
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's `config.toml`, below the home directory or where XDG_CONFIG_HOME says."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    place = tmp_path / "user" / ".config"
    if request.param == "xdg":
        place = tmp_path / "elsewhere"
        monkeypatch.setenv("XDG_CONFIG_HOME", str(place))
    path = place / "callboard" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def plan_without_cli(repo: Path, tmp_path: Path, head: str = "") -> str:
    path = tmp_path / "plan.toml"
    path.write_text(
        f'name = "demo"\nrepo = "{repo}"\ntest = ["true"]\n{head}{CLI}'
        '[[task]]\nid = "a"\nbranch = "feat/a"\n[[task.terminal]]\ninstruction = "x"\n'
    )
    return str(path)


def test_what_a_plan_does_not_say_comes_from_the_users_file(
    call: Call, file: Path, repo: Path, tmp_path: Path
) -> None:
    plan = plan_without_cli(repo, tmp_path)
    code, _, err = call("check", plan)
    assert code == 2
    assert "task[0].terminal[0].cli: missing required field" in err
    file.write_text('[defaults]\ncli = "scripted"\nmax_terminals = 2\n')
    code, out, err = call("check", plan, "--json")
    assert (code, err) == (0, "")
    checked = json.loads(out)
    assert checked["tasks"][0]["terminals"] == ["scripted"]
    assert checked["max_terminals"] == 2


def test_the_plan_is_nearer_than_the_users_file(
    call: Call, file: Path, repo: Path, tmp_path: Path
) -> None:
    file.write_text('[defaults]\ncli = "nobody"\nmax_terminals = 2\n')
    head = 'max_terminals = 3\n[defaults]\ncli = "scripted"\n'
    checked = json.loads(call("check", plan_without_cli(repo, tmp_path, head), "--json")[1])
    assert checked["tasks"][0]["terminals"] == ["scripted"]
    assert checked["max_terminals"] == 3


def test_a_runtime_takes_them_and_the_workflow_keeps_them(
    home: Home, file: Path, repo: Path, tmp_path: Path
) -> None:
    file.write_text('[defaults]\ncli = "scripted"\n')
    home.serve()
    home.ok("submit", plan_without_cli(repo, tmp_path))
    file.write_text('[defaults]\ncli = "nobody"\n')
    assert home.row()["tasks"][0]["terminals"][0]["cli"] == "scripted"


@pytest.mark.parametrize(
    ("text", "key", "rule"),
    [
        ('[defaults]\nclii = "x"\n', "defaults.clii", "did you mean `cli`?"),
        ('[default]\ncli = "x"\n', "default", "did you mean `defaults`?"),
        ('[defaults]\nauto_confirm = "bypas"\n', "defaults.auto_confirm", "mean 'bypass'?"),
        ("[defaults]\nmax_terminals = 0\n", "defaults.max_terminals", "at least 1"),
        ("[defaults\n", "", "is not TOML"),
    ],
)
def test_a_fault_in_the_file_names_it_and_the_key(
    call: Call, file: Path, repo: Path, tmp_path: Path, text: str, key: str, rule: str
) -> None:
    file.write_text(text)
    for words in (["check", plan_without_cli(repo, tmp_path)], ["config", "show"]):
        code, out, err = call(*words)
        assert (code, out) == (2, "")
        assert str(file) in err
        assert key in err
        assert rule in err


def test_config_show_says_what_counts_and_whence(
    call: Call, file: Path, repo: Path, tmp_path: Path
) -> None:
    file.write_text('[defaults]\ncli = "claude"\nsandbox = "worktree"\n')
    plan = plan_without_cli(repo, tmp_path, '[defaults]\ncli = "scripted"\n')
    found = json.loads(call("config", "show", "--json")[1])
    counts = {each["key"]: (each["value"], each["source"]) for each in found["settings"]}
    assert counts["cli"] == ("claude", str(file))
    assert counts["auto_confirm"] == ("bypass", "built in")
    assert counts["max_terminals"] == ("4", "built in")
    assert found["files"]["config.toml"] == str(file)
    assert found["files"]["providers.toml"].endswith("(not there)")
    with_plan = json.loads(call("config", "show", plan, "--json")[1])
    counts = {each["key"]: (each["value"], each["source"]) for each in with_plan["settings"]}
    assert counts["cli"] == ("scripted", "the plan")
    assert counts["sandbox"] == ("worktree", str(file))
    assert str(file) in call("config", "show")[1].replace("\n", "")
