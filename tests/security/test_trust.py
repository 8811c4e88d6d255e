"""F11, F13: what a repository makes CLIs start is trusted by a person, and by content."""

import json
import os
import stat
from pathlib import Path, PurePosixPath

import pytest

from actors.clis import lookup, trust
from actors.git.running.places import own_git_dir
from tests.doors.acting import Acting
from tests.doors.kit import AGENT, PYTHON, ROOT, Home, coder, commit, done, plan_text
from tests.repositories import Repo, git

ONES = ("hooks.json", ".mine")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile of the user's for a CLI that starts what a repository names."""
    config = tmp_path / "config"
    (config / "callboard").mkdir(parents=True)
    (config / "callboard/profiles.toml").write_text(
        f"[mine]\ncommand = {json.dumps([PYTHON, str(AGENT)])}\nready = '^> $'\n"
        f"busy = 'esc to interrupt'\nstarters = {json.dumps(ONES)}\n"
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config))


def mines(repo: Path, tasks: dict[str, str], keys: dict[str, dict[str, list[str]]]) -> str:
    """A plan whose terminals run `mine`."""
    terminals = {id: [coder(script) | {"cli": "mine"}] for id, script in tasks.items()}
    return plan_text(repo, terminals, 'test = ["true"]', keys=keys)


@pytest.mark.usefixtures("mine")
def test_a_plan_is_refused_until_a_person_has_trusted_what_it_would_start(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    (repo / ".mine/plugins").mkdir(parents=True)
    (repo / ".mine/plugins/a.js").write_text("start()\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "plugins")
    plan = tmp_path / "plan.toml"
    plan.write_text(mines(repo, {"a": done("a")["instruction"]}, {}))
    said = home.ok("check", str(plan))
    assert "NOT TRUSTED" in said
    assert home.json("check", str(plan))["untrusted"] == [".mine/plugins/a.js"]
    home.serve()
    refused = home.run("submit", str(plan))
    assert (refused.returncode, refused.stdout) == (4, "")
    assert home.command("trust", str(repo)) in refused.stderr

    assert "not trusted: .mine/plugins/a.js" in home.ok("trust", str(repo), "--show")
    assert home.run("submit", str(plan)).returncode == 4
    assert home.json("trust", str(repo))["added"] == [".mine/plugins/a.js"]
    assert stat.S_IMODE((home.path / "trusted.json").stat().st_mode) == 0o600
    found = home.json("check", str(plan))
    assert (found["starters"], found["untrusted"]) == ([".mine/plugins/a.js"], [])
    home.ok("submit", str(plan))

    (repo / ".mine/plugins/a.js").write_text("start(something_else)\n")
    git(repo, "commit", "-qam", "another plugin")
    assert home.json("check", str(plan))["untrusted"] == [".mine/plugins/a.js"]


@pytest.mark.usefixtures("mine")
def test_what_an_agent_writes_is_started_by_nobody_until_a_person_has_trusted_it(
    acting: Acting, repo: Path
) -> None:
    writes = commit("hooks.json", '{"start": "me"}', "hooks #done")
    acting.begin(mines(repo, {"a": writes, "b": done("b")["instruction"]}, {"b": {"after": ["a"]}}))
    failed = acting.fact("terminal.launch_failed")
    assert failed["address"] == "demo/b/1/"
    assert "hooks.json" in failed["reason"]
    (step,) = failed["actions"]
    assert step["do"] == "trust"
    acting.until(lambda row: row["tasks"][1]["status"] == "failed")
    assert acting.home.command("trust", step["address"]) in acting.home.ok("why", "demo/b/1")
    acting.home.ok("trust", step["address"])
    acting.call("task.retry", task="demo/b/")
    acting.status("completed")


def test_an_agent_may_not_trust_anything(acting: Acting, repo: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    asks = f"{PYTHON} {ROOT}/run.py --home {acting.home.path} trust ."
    script = f"$ {asks} > {said} 2>&1; echo $? >> {said}\n" + commit("a", "x", "tried #done")
    acting.begin(plan_text(repo, {"a": [coder(f"$ mkdir .claude; echo x > .claude/x\n{script}")]}))
    acting.fact("commit.seen")
    assert "refused" in said.read_text()
    assert said.read_text().split()[-1] != "0"
    assert not (acting.home.path / "trusted.json").exists()


def test_a_plan_cannot_say_what_its_cli_starts(home: Home, repo: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}, tail="starters = []\n"))
    refused = home.run("check", str(plan))
    assert refused.returncode == 2
    assert "cli.scripted.starters" in refused.stderr


def test_each_cli_that_reads_settings_of_a_repository_names_them() -> None:
    for name, profile in lookup.profiles().items():
        assert profile.starters or name == "custom", name


def test_a_checkout_and_its_commit_have_the_same_digests(tmp_path: Path) -> None:
    repo = Repo.made(tmp_path / "repo")
    top = repo.path
    repo.write({".claude/settings.json": "{}\n", "sub/.mcp.json": "{}\r\n", "hooks/x": "x"})
    (top / ".claude/hooks").symlink_to("../hooks")
    (top / ".claude/out").symlink_to("/etc")
    head = repo.commit("first", {})
    (git_dir,) = [str(own_git_dir(top))]
    names = (".claude", ".mcp.json")
    (top / "sub/.mcp.json").write_text("{}\n")
    disk = trust.in_directory(names, top, top / "sub")
    made = trust.in_commit(names, git_dir, head, PurePosixPath("sub"))
    assert disk == made
    assert set(disk) == {*(f".claude/{name}" for name in ("settings.json", "hooks/x", "out"))} | {
        "sub/.mcp.json"
    }
    (top / ".claude/out").unlink()
    (top / ".claude/out").symlink_to("/usr")
    (top / "hooks/x").write_text("y")
    changed = trust.in_directory(names, top, top / "sub")
    assert {path for path in disk if disk[path] != changed[path]} == {
        ".claude/out",
        ".claude/hooks/x",
    }


def test_what_is_not_read_is_trusted_by_nobody(tmp_path: Path) -> None:
    top = tmp_path / "repo"
    (top / ".claude/deep" / "/".join("abcdefghij")).mkdir(parents=True)
    (top / ".claude/deep" / "/".join("abcdefghij") / "x").write_text("x")
    (top / ".claude/large").write_bytes(b"x" * (2 << 20))
    os.mkfifo(top / ".claude/fifo")
    found = trust.in_directory([".claude"], top, top)
    assert set(found.values()) == {""}
    trust.trust(tmp_path, str(top), found)
    assert trust.untrusted(tmp_path, str(top), found) == sorted(found)
