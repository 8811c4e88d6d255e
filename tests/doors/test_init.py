"""`init` writes a plan that `check` accepts, for the project that is there."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from actors.command_line.projects import recognise
from bus.checked import PLACEHOLDER
from tests.doors.kit import Call, Home
from tests.doors.terminal_kit import Window
from tests.repositories import git


@pytest.fixture
def claude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has one AI CLI."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("files", "test", "setup"),
    [
        ({"pyproject.toml": ""}, ["python", "-m", "pytest"], []),
        ({"pyproject.toml": "", "uv.lock": ""}, ["uv", "run", "pytest"], ["uv", "sync"]),
        ({"tox.ini": "", "setup.py": ""}, ["tox"], []),
        ({"package.json": '{"scripts":{"test":"x"}}'}, ["npm", "test"], ["npm", "install"]),
        (
            {"package.json": '{"scripts":{"test":"x"}}', "package-lock.json": "{}"},
            ["npm", "test"],
            ["npm", "ci"],
        ),
        (
            {"package.json": '{"scripts":{"test":"x"}}', "pnpm-lock.yaml": ""},
            ["pnpm", "test"],
            ["pnpm", "install", "--frozen-lockfile"],
        ),
        (
            {"package.json": '{"scripts":{"test":"x"}}', "yarn.lock": "", ".yarnrc.yml": ""},
            ["yarn", "test"],
            ["yarn", "install", "--immutable"],
        ),
        (
            {"package.json": '{"scripts":{"test":"echo Error: no test specified"}}'},
            [],
            ["npm", "install"],
        ),
        ({"package.json": "[]", "Makefile": "all:\ntest: all\n"}, ["make", "test"], []),
        ({"Cargo.toml": ""}, ["cargo", "test"], []),
        ({"go.mod": ""}, ["go", "test", "./..."], []),
        ({"build.gradle.kts": "", "gradlew": ""}, ["./gradlew", "test"], []),
        ({"pom.xml": ""}, ["mvn", "-q", "test"], []),
        ({"mix.exs": ""}, ["mix", "test"], []),
        ({"my.sln": ""}, ["dotnet", "test"], []),
        ({"Makefile": "all:\n"}, [], []),
    ],
)
def test_a_project_is_known_by_its_files(
    tmp_path: Path, files: dict[str, str], test: list[str], setup: list[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = recognise(tmp_path)
    assert (found.test, found.setup) == (test, setup)


@pytest.mark.usefixtures("claude")
def test_it_writes_a_plan_that_check_accepts_and_never_over_a_file(call: Call, repo: Path) -> None:
    git(repo, "checkout", "-qb", "trunk")
    (repo / "Makefile").write_text("test:\n")
    code, out, _ = call("init", str(repo))
    path = repo / "callboard.toml"
    assert code == 0
    assert f"python run.py up {path}" in out
    plan: dict[str, Any] = tomllib.loads(path.read_text())
    assert (plan["target"], plan["test"]) == ("trunk", ["make", "test"])
    assert plan["task"][0]["terminal"][0]["cli"] == "claude"
    assert call("check", str(path))[0] == 0
    path.write_text("mine")
    code, _, err = call("init", str(repo))
    assert (code, path.read_text()) == (1, "mine")
    assert f"{path} is there already" in err


@pytest.mark.usefixtures("claude")
def test_an_instruction_that_nobody_wrote_is_noted_with_its_line(call: Call, repo: Path) -> None:
    assert call("init", str(repo))[0] == 0
    path = repo / "callboard.toml"
    text = path.read_text()
    number = text.splitlines().index(PLACEHOLDER) + 1
    said = call("check", str(path))[1]
    assert (
        f"note: task[0].terminal[0].instruction, line {number}: is the one that `init` wrote"
        in said
    )
    path.write_text(f"# {PLACEHOLDER}\n{text}")
    said = call("check", str(path))[1]
    assert "note: task[0].terminal[0].instruction: is the one that `init` wrote" in said
    path.write_text(text.replace(PLACEHOLDER, "Write the login page."))
    assert "that `init` wrote" not in call("check", str(path))[1]


@pytest.mark.usefixtures("claude")
def test_a_set_up_that_other_worktrees_can_use_is_offered(call: Call, repo: Path) -> None:
    """It costs agents the sandbox that they have of themselves, so it is not switched on."""
    (repo / "package.json").write_text('{"scripts":{"test":"x"}}')
    (repo / "package-lock.json").write_text("{}")
    assert call("init", str(repo))[0] == 0
    path = repo / "callboard.toml"
    text = path.read_text()
    assert "setup_inputs" not in tomllib.loads(text)
    path.write_text(text.replace("# setup_inputs", "setup_inputs"))
    assert tomllib.loads(path.read_text())["setup_inputs"] == ["package-lock.json"]
    assert "once for the same package-lock.json" in call("check", str(path))[1]


@pytest.mark.usefixtures("claude")
def test_an_ignored_secret_is_not_copied_unasked(
    call: Call, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / ".gitignore").write_text(".env\n")
    (repo / ".env").write_text("KEY=1\n")
    monkeypatch.chdir(repo)
    code, out, _ = call("init")
    assert code == 0
    assert "note: .env is not copied" in out
    assert "copy" not in tomllib.loads((repo / "callboard.toml").read_text())


@pytest.mark.usefixtures("claude")
@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_person_is_asked_whether_a_secret_is_copied(home: Home, repo: Path, answer: str) -> None:
    (repo / ".gitignore").write_text(".env\n")
    (repo / ".env").write_text("KEY=1\n")
    window = Window(home, "init", str(repo))
    while "where agents can read it?" not in "".join(window.screen()):
        assert window.read()
    window.type(f"{answer}\r")
    assert window.end() == 0
    plan = tomllib.loads((repo / "callboard.toml").read_text())
    assert plan.get("copy", []) == ([".env"] if answer == "y" else [])


@pytest.mark.parametrize("where", ["nowhere", "plain"])
def test_no_repository_is_said(
    call: Call, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "plain").mkdir()
    code, _, err = call("init", str(tmp_path / where))
    assert code == 2
    assert "not a " in err
    assert ("help: git -C" in err) == (where == "plain")
    assert not (tmp_path / where / "callboard.toml").exists()


def test_without_a_cli_nothing_is_written(
    call: Call, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    code, _, err = call("init", str(repo))
    assert code == 1
    assert "help: python run.py doctor" in err
    assert not (repo / "callboard.toml").exists()


@pytest.mark.usefixtures("claude")
def test_a_repository_of_several_projects_names_their_places(call: Call, repo: Path) -> None:
    for name, text in {
        "packages/web/package.json": '{"scripts":{"test":"x"}}',
        "packages/web/inner/Makefile": "test:\n",
        "libs/core/Cargo.toml": "",
    }.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "several")
    code, out, _ = call("init", str(repo))
    assert code == 0
    assert "NOT TESTED" in out
    text = (repo / "callboard.toml").read_text()
    assert '# repo = "packages/web"  # then with: test = ["npm", "test"]' in text
    assert '# repo = "libs/core"  # then with: test = ["cargo", "test"]' in text
    assert "inner" not in text


@pytest.mark.usefixtures("claude")
def test_one_project_of_several_has_a_plan_of_its_own(call: Call, repo: Path) -> None:
    (repo / "web").mkdir()
    (repo / "web" / "Makefile").write_text("test:\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "web")
    assert call("init", str(repo / "web"))[0] == 0
    plan = tomllib.loads((repo / "web" / "callboard.toml").read_text())
    assert (plan["repo"], plan["test"]) == (".", ["make", "test"])


@pytest.mark.usefixtures("claude")
def test_the_users_own_cli_comes_first(
    call: Call, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    place = tmp_path / ".config" / "callboard"
    place.mkdir(parents=True)
    (place / "profiles.toml").write_text('[mine]\ncommand = ["sh"]\n')
    (place / "config.toml").write_text('[defaults]\ncli = "mine"\n')
    assert call("init", str(repo))[0] == 0
    plan = tomllib.loads((repo / "callboard.toml").read_text())
    assert plan["task"][0]["terminal"][0]["cli"] == "mine"


@pytest.mark.usefixtures("claude")
def test_the_plan_of_the_directory_needs_no_name(repo: Path, home: Home) -> None:
    missing = home.run("check", cwd=repo)
    assert missing.returncode == 2
    assert "callboard.toml" in missing.stderr
    assert "help: " in missing.stderr
    assert " init" in missing.stderr
    home.ok("init", cwd=repo)
    assert "claude" in home.ok("check", cwd=repo)
