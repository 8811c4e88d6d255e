"""Where nobody says it, the check decides who has a sandbox, and says why one has none."""

import json
from pathlib import Path

import pytest

from actors.platform import openings, sandbox
from tests.doors.acting import Acting
from tests.doors.kit import Home, coder, plan_text
from tests.repositories import git

pytestmark = pytest.mark.skipif(bool(sandbox.trouble()), reason=sandbox.trouble())

VERIFIED = "in_sandbox = true\n"
"""What follows the profile of the scripted agent in a plan."""


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """The user's home directory, where a program can have one of its own."""
    directory = tmp_path / "user"
    (directory / ".cache").mkdir(parents=True)
    (directory / ".cache/old").write_text("the user's\n")
    (directory / "token").write_text("old\n")
    if trouble := sandbox.own_home_trouble(str(directory)):
        pytest.skip(trouble)
    return directory


def test_what_it_writes_in_the_home_directory_is_its_own(
    users: Path, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent, `setup` and the tests have caches that work; the user's stay as they were."""
    monkeypatch.setenv("HOME", str(users))
    caches = f"cat {users}/.cache/old && echo mine > {users}/.cache/old && mkdir -p {users}/.made"
    fetched = f"mkdir -p {users}/.tools && echo tool > {users}/.tools/x && {caches}"
    script = (
        f"$ ({caches} && cat {users}/.cache/old) > seen.txt; echo new > {users}/token\n"
        f"$ cat {users}/.tools/x > tool.txt\n"
        f"$ touch {repo}/x 2> /dev/null && echo broken > seen.txt\n"
        "$ git add -A; git commit -qm 'a #done'\n"
    )
    profile = f'in_sandbox = true\nhome = {{ user = "{users}", renewed = ["token"] }}\n'
    head = f"setup = {json.dumps(['sh', '-c', fetched])}\ntest = {json.dumps(['sh', '-c', caches])}"
    home = Home(users / ".local/state/callboard")
    home.serve()
    acting = Acting(home)
    try:
        acting.begin(plan_text(repo, {"a": [coder(script)]}, head=head, tail=profile))
        row = acting.status("completed", "failed")
        assert row["status"] == "completed", acting.facts("merge.tested", "launch.failed")
        acting.until(lambda row: row["tidied"])
        assert "in a sandbox" in home.ok("ps", "demo")
        assert "in a sandbox" in home.ok("why", "demo/a/1").splitlines()[1]
    finally:
        home.close()
    assert (repo / "seen.txt").read_text() == "mine\nmine\n"  # `setup` had written it
    assert (repo / "tool.txt").read_text() == "tool\n"
    assert (users / ".cache/old").read_text() == "the user's\n"
    assert (users / "token").read_text() == "new\n"
    assert not (users / ".made").exists()
    assert not (users / ".tools").exists()
    assert list((home.path / "terminals").rglob(openings.OWN)) == []


def checked(acting: Acting, repo: Path, tail: str, head: str = "") -> tuple[str, str]:
    """What a check says: why the one terminal has no sandbox, and the warnings."""
    plan = plan_text(repo, {"a": [coder("x")]}, head=head, tail=tail)
    found = acting.call("plan.check", plan=plan, base="/")
    (one,) = found["programs"]
    assert one["sandbox"] == ("off" if one["unfenced"] else "worktree")
    return one["unfenced"], "\n".join(found["warnings"])


def test_the_check_says_who_has_a_sandbox_and_why_not(
    acting: Acting, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GNUPGHOME", raising=False)
    if trouble := sandbox.own_home_trouble(str(acting.home.path)):
        assert checked(acting, repo, VERIFIED)[0] == trouble
        return
    assert checked(acting, repo, VERIFIED)[0] == ""
    assert checked(acting, repo, "")[0] == "scripted was not verified in one"
    assert "global" in checked(acting, repo, f'{VERIFIED}switch = "global"\n')[0]
    git(repo, "config", "commit.gpgsign", "true")
    why, said = checked(acting, repo, VERIFIED)
    assert 'sandbox_allow = ["gpg-agent"]' in why
    assert why in said
    git(repo, "config", "gpg.format", "ssh")
    assert 'sandbox_allow = ["ssh-agent"]' in checked(acting, repo, VERIFIED)[0]
    assert checked(acting, repo, VERIFIED, 'sandbox_allow = ["ssh-agent"]')[0] == ""
    kept = 'setup = ["true"]\nsetup_inputs = ["x"]'
    git(repo, "config", "commit.gpgsign", "false")
    assert "setup_inputs" in checked(acting, repo, VERIFIED, kept)[0]
    git(repo, "config", "commit.gpgsign", "true")
    stated = '[defaults]\nsandbox = "worktree"\n'
    why, said = checked(acting, repo, stated)
    assert (why, "cannot be signed" in said) == ("", True)


def test_what_is_added_to_a_plan_is_decided_too(acting: Acting, repo: Path) -> None:
    """What the plan says itself needs no reason."""
    if trouble := sandbox.own_home_trouble(str(acting.home.path)):
        pytest.skip(trouble)
    other = '[cli.other]\ncommand = ["sh"]\n'
    acting.begin_later(plan_text(repo, {"a": [coder("x")]}, tail=VERIFIED + other))
    for id, cli in (("b", "scripted"), ("c", "other")):
        terminal = {"cli": cli, "instruction": "y"}
        acting.call(
            "task.add", workflow="demo", task={"id": id, "branch": id, "terminal": [terminal]}
        )
    terminals = [each["terminals"][0] for each in acting.row()["tasks"]]
    assert [each["fenced"] for each in terminals] == [True, True, False]
    assert terminals[2]["unfenced"] == "other was not verified in one"
    shown = acting.call("plan.show", workflow="demo")
    assert [each["terminal"][0]["sandbox"] for each in shown["plan"]["task"]] == [
        "worktree",
        "worktree",
        "off",
    ]
    assert acting.call("plan.check", plan=shown["toml"], base="/", again=True)["programs"]
    assert "no sandbox: other was not verified in one" in acting.home.ok("ps", "demo")
