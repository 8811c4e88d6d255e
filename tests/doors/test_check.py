"""`check`.

Every kind of plan and repository that is wrong is refused before anything is started: exit 2, the
key's path, the rule, and what helps. The same words at `submit` and `up`.

The command line runs in this process here, which makes a hundred plans affordable.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.git.trees.copies import to_copy
from actors.plan.check import check
from bus.errors import Refused
from tests.doors.checking import good, refused, state
from tests.doors.kit import PYTHON, Call, Home, coder, plan_text
from tests.repositories import git
from tests.sample_plan import SAMPLE

pytestmark = pytest.mark.usefixtures("alone")

# ---- plans that are wrong ----------------------------------------------------------------

TASK = '[[task]]\nid = "a"'
TERMINAL = '[[task.terminal]]\ncli = "scripted"'
WRONG = [
    # what is changed in a good plan, the key's path, words of the rule
    ('name = "demo"', 'nmae = "demo"', "nmae", "unknown field"),
    (TASK, f"{TASK}\nbrunch = 1", "task[0].brunch", "unknown field"),
    (TERMINAL, f"{TERMINAL}\nmodle = 1", "task[0].terminal[0].modle", "unknown field"),
    ("ready =", "raedy =", "cli.scripted.raedy", "unknown"),
    ("[[task]]", "[provider.p]\nbase_url='u'\nkey='sk-1'\n[[task]]", "provider.p.key", "unknown"),
    ("busy =", "[merge]\nclii = 1\n[cli.x]\ncommand=['sh']\nbusy =", "merge.clii", "unknown"),
    ('name = "demo"', "", "name", "missing"),
    ('branch = "feat/a"', "", "task[0].branch", "missing"),
    ('cli = "scripted"\n', "", "task[0].terminal[0].cli", "missing"),
    ('name = "demo"', "name = 1", "name", "must be text, not a whole number"),
    (
        'name = "demo"',
        'name = "demo"\nmax_terminals = "4"',
        "max_terminals",
        "must be a whole number, not text",
    ),
    ('name = "demo"', 'name = "demo"\ntest = "pytest"', "test", 'must be a list: ["pytest"]'),
    ('name = "demo"', 'name = "demo"\ntest_timeout = inf', "test_timeout", "31536000"),
    ('id = "b"', 'id = "a"', "task[1].id", "already used by task[0]"),
    ('branch = "feat/b"', 'branch = "feat/a"', "task[1].branch", "already used by task[0]"),
    ('id = "a"', 'id = "A b"', "task[0].id", "must be lower-case letters"),
    ('id = "a"', 'id = "merge"', "task[0].id", "Callboard uses itself"),
    ('branch = "feat/a"', 'branch = "main"', "task[0].branch", "target"),
    ('branch = "feat/b"', 'branch = "feat/a/b"', "task[1].branch", "cannot stand beside"),
    ('branch = "feat/b"', 'branch = "feat"', "task[1].branch", "cannot stand beside"),
    ('branch = "feat/b"', 'branch = "main/b"', "task[1].branch", "cannot stand beside"),
    ('name = "demo"', 'name = "demo"\ntarget = "none"', "target", "no branch 'none'"),
    ('name = "demo"', 'name = "demo"\ntarget = "-x"', "target", "cannot be the name"),
    ('cli = "scripted"', 'cli = "nobody"', "task[0].terminal[0].cli", "no profile 'nobody'"),
    (TERMINAL, f'{TERMINAL}\nprovider = "x"', "task[0].terminal[0].provider", "no provider 'x'"),
    (json.dumps(PYTHON), '"not-here"', "task[0].terminal[0].cli", "'not-here' is not installed"),
    ("ready = '^> $'", "ready = '('", "cli.scripted.ready", "not a regular expression"),
    ("instruction = ", 'instruction = " \\n" # ', "task[0].terminal[0].instruction", "must say"),
    (TERMINAL, f'{TERMINAL}\nrole = "reviewer"', "task[0].terminal[0].role", "nothing to review"),
]


@pytest.mark.parametrize(("old", "new", "path", "rule"), WRONG)
def test_a_wrong_plan_is_refused_and_nothing_is_started(
    call: Call,
    plan: Callable[[str | bytes], str],
    repo: Path,
    alone: Path,
    old: str,
    new: str,
    path: str,
    rule: str,
) -> None:
    text = good(repo)
    assert old in text
    before = state(repo)
    file = plan(text.replace(old, new, 1))
    for command in ("check", "up"):
        refused(call(command, file), path, rule)
    assert state(repo) == before
    assert not alone.exists()


@pytest.mark.parametrize(
    "name",
    [
        "-x", "HEAD", "a..b", "a b", "a~1", "a^", "a:b", "a?b", "a*b", "a[b", "a\\\\b", "/a", "a/",
        "a//b", ".a", "a/.b", "a.", "a.lock", "a.lock/b", "@{-1}", "a@{b", "@", "a\\u007fb",
        "a\\u0001b", "a\\nb", "x" * 300, "a/\\u202eb",
    ],
)  # fmt: skip
def test_a_branch_that_git_would_refuse_is_refused(
    call: Call, plan: Callable[[str | bytes], str], repo: Path, name: str
) -> None:
    text = good(repo).replace('branch = "feat/b"', f'branch = "{name}"')
    refused(call("check", plan(text)), "task[1].branch", "cannot be the name of a branch", "help:")


@pytest.mark.parametrize("name", ["feat/login", "a.b", "ü/é", "日本", "a@b", "a-", "_", "1", "#1"])
def test_a_branch_that_git_takes_is_taken(
    call: Call, plan: Callable[[str | bytes], str], repo: Path, name: str
) -> None:
    git(repo, "check-ref-format", "--branch", name)
    text = good(repo).replace('branch = "feat/b"', f'branch = "{name}"')
    assert call("check", plan(text))[0] == 0


def test_a_plan_that_an_editor_has_marked_as_utf_8_is_read(
    call: Call, plan: Callable[[str | bytes], str], repo: Path
) -> None:
    assert call("check", plan(b"\xef\xbb\xbf" + good(repo).encode()))[0] == 0


def test_a_branch_that_exists_is_refused_with_the_commands_that_go_on(
    call: Call, plan: Callable[[str | bytes], str], repo: Path
) -> None:
    git(repo, "branch", "feat/b")
    said = call("check", plan(good(repo)))
    refused(said, "task[1].branch", "exists already", f"git -C {repo} branch -m feat/b feat/b-old")
    assert "plan.toml --again" in said[2]


def test_a_branch_beside_an_existing_one_is_refused(
    call: Call, plan: Callable[[str | bytes], str], repo: Path
) -> None:
    git(repo, "branch", "feat")
    refused(call("check", plan(good(repo))), "task[0].branch", "'feat'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"\xff\xfe\x00", "cannot be read"),
        ("this is no plan", "not TOML"),
        ("name = 'a'\nname = 'b'", "not TOML"),
        ("a = " + "[" * 50_000, "not TOML"),
        ("", "missing required field"),
        (json.dumps({"name": "x"}), "not TOML"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(
    call: Call, plan: Callable[[str | bytes], str], text: str | bytes, words: str, alone: Path
) -> None:
    file = plan(text)
    for command in ("check", "submit", "up"):
        code, _, err = call(command, file)
        assert (code, words in err) == (2, True) or (command == "submit" and code == 3), err
    assert not alone.exists()


def test_a_file_that_is_not_there_or_no_file_is_refused(call: Call, tmp_path: Path) -> None:
    for command in ("check", "submit", "up"):
        refused(call(command, str(tmp_path / "none.toml")), str(tmp_path / "none.toml"), "No such")
        refused(call(command, str(tmp_path)), str(tmp_path), "directory")


# ---- where things are looked for ---------------------------------------------------------


def test_the_repository_is_relative_to_the_plan_file(
    call: Call, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = tmp_path / "plans"
    plans.mkdir()
    (plans / "plan.toml").write_text(good(Path("../repo")))
    monkeypatch.chdir(tmp_path / "repo")
    for file in (str(plans / "plan.toml"), "../plans/plan.toml"):
        code, out, err = call("check", file, "--json")
        assert code == 0, err
        assert json.loads(out)["repo"] == str(repo)


def test_repo_can_be_given_beside_the_plan(
    call: Call, plan: Callable[[str | bytes], str], repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = plan(good(Path("/none")))
    monkeypatch.chdir(repo.parent)
    code, out, _ = call("check", file, "--repo", "repo", "--json")
    assert (code, json.loads(out)["repo"]) == (0, str(repo))


def programs(path: Path, *names: str) -> str:
    """A PATH with git and these programs, and nothing else."""
    path.mkdir()
    git = shutil.which("git")
    assert git
    (path / "git").symlink_to(git)
    for name in names:
        (path / name).write_text("#!/bin/sh\n")
        (path / name).chmod(0o755)
    return str(path)


def test_the_contract_s_sample_says_that_its_program_is_missing(
    call: Call, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "plan.toml").write_text(SAMPLE)
    monkeypatch.setenv("PATH", programs(tmp_path / "bin"))
    said = call("check", str(repo / "plan.toml"))
    refused(said, "task[0].terminal[0].cli", "'claude' is not installed", "run.py doctor")


def test_the_contract_s_sample_is_a_plan_where_its_programs_are(
    call: Call, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: Path
) -> None:
    (repo / "plan.toml").write_text(SAMPLE)
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", "claude", "mine", "python"))
    monkeypatch.delenv("GLM_API_KEY", raising=False)
    code, out, err = call("check", str(repo / "plan.toml"), "--json")
    assert code == 0, err
    shown = json.loads(out)
    assert (shown["name"], shown["launch_order"]) == ("login-and-i18n", ["login/1"])
    assert shown["target_commit"] == git(repo, "rev-parse", "main")
    notes = " ".join(shown["warnings"])
    assert "GLM_API_KEY is not set" in notes
    assert "orchestrator" in notes
    assert not alone.exists()


@pytest.mark.parametrize(("own", "path"), [(True, "base_url"), (False, "fallback[0]")])
def test_a_model_is_asked_at_no_address_that_others_can_read(
    call: Call, plan: Callable[[str | bytes], str], repo: Path, own: bool, path: str
) -> None:
    unsafe, safe = "http://model.example/v1", "https://model.example/v1"
    tables = (
        '[orchestrator]\napi_type = "openai-compatible"\nmodel = "m"\nfallback = ["other"]\n'
        f'base_url = "{unsafe if own else safe}"\n'
        '[provider.other]\nmodel = "m"\napi_key_env = "K"\n'
        f'base_url = "{safe if own else unsafe}"\n'
    )
    refused(call("check", plan(good(repo, tail=tables))), f"orchestrator.{path}", "https://")


def test_a_plan_without_tests_is_said_loudly(
    call: Call, plan: Callable[[str | bytes], str], repo: Path
) -> None:
    assert "NOT TESTED" in call("check", plan(good(repo)))[1]
    tested = good(repo, head='test = ["true"]')
    assert "note:" not in call("check", plan(tested))[1]


def test_tests_that_cannot_start_are_said_before_anybody_works(
    call: Call, plan: Callable[[str | bytes], str], repo: Path
) -> None:
    code, _, errors = call("check", plan(good(repo, head='test = ["not-here", "-q"]')))
    assert code == 2
    assert "test[0]" in errors
    assert "'not-here' is not on the PATH" in errors
    in_the_tree = good(repo, head='test = ["./not-here"]')
    assert "note:" not in call("check", plan(in_the_tree))[1]


def test_a_plan_that_no_request_holds_is_refused_by_the_check_too(
    call: Call, plan: Callable[[str | bytes], str], repo: Path
) -> None:
    code, _, errors = call("check", plan(good(repo) + "#" * (1 << 20)))
    assert code == 2
    assert "too large" in errors


def test_what_copy_does_not_find_is_said(
    call: Call, plan: Callable[[str | bytes], str], repo: Path
) -> None:
    (repo / ".gitignore").write_text(".env\nsecrets/\n")
    (repo / "secrets" / "deep").mkdir(parents=True)
    (repo / "secrets" / "deep" / "key").write_text("k")
    out = call("check", plan(good(repo, head='copy = ["nothing*", "secrets"]')))[1]
    assert "'nothing*' matches no file" in out
    assert "'secrets'" not in out
    assert to_copy(repo, ["secrets"]) == [Path("secrets/deep/key")]


# ---- the same plans at a runtime -----------------------------------------------------------


def test_a_base_is_absolute_because_the_runtime_stands_elsewhere(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo.parent)
    text = good(Path(repo.name))
    assert check(text, str(repo.parent)).plan.repo == str(repo)
    for base in (".", "", "~"):
        with pytest.raises(Refused) as refusal:
            check(text, base)
        assert refusal.value.body.path == ("base" if base else "repo")


def test_the_runtime_refuses_the_same_plans_in_the_same_words(
    call: Call, plan: Callable[[str | bytes], str], repo: Path, home: Home
) -> None:
    home.serve()
    before, head = state(repo), len(home.facts())
    for old, new, path, rule in WRONG:
        file = plan(good(repo).replace(old, new, 1))
        said = call("submit", file, "--home", str(home.path))
        refused(said, path, rule)
        assert said == call("check", file, "--home", str(home.path))
    for text in (b"\xff", "no plan", "a = " + "[" * 50_000, "name = '" + "x" * (2 << 20) + "'"):
        assert call("submit", plan(text), "--home", str(home.path))[0] == 2
    assert home.json("ps") == []
    assert len(home.facts()) == head
    assert state(repo) == before
    assert not (home.path / "worktrees").exists()


def test_a_relative_program_is_taken_from_the_directory_of_the_plan(
    call: Call, repo: Path, tmp_path: Path
) -> None:
    (tmp_path / "agents").mkdir()
    program = tmp_path / "agents" / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = plan_text(repo, {"a": [coder("x", cli="mine")]})
    mine = '[cli.mine]\ncommand = ["agents/mine"]\nready = "x"\n'
    text = text.replace("[[task]]", f"{mine}[[task]]")
    file = tmp_path / "plan.toml"
    file.write_text(text)
    assert call("check", str(file))[0] == 0
    file.rename(tmp_path / "agents" / "plan.toml")
    code, _, err = call("check", str(tmp_path / "agents" / "plan.toml"))
    assert (code, "not installed" in err) == (2, True)


def test_a_git_without_an_identity_is_said_before_anybody_works(
    call: Call, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(plan_text(repo, {"a": [coder("x")]}))
    said = "git knows no name and address"
    assert said not in call("check", str(file))[1]
    git(repo, "config", "--unset", "user.name")
    git(repo, "config", "--unset", "user.email")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    (tmp_path / "config").write_text("[user]\n\tuseConfigOnly = true\n")
    code, out, _ = call("check", str(file))
    assert (code, said in out) == (0, True)
    assert said in call("doctor")[1]
