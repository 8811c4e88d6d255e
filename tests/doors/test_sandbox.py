"""An agent in a sandbox commits on its branch, and reaches nothing else."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from actors.platform import sandbox
from bus.errors import Refused
from tests.doors.acting import Acting
from tests.doors.kit import coder, plan_text
from tests.repositories import git

pytestmark = pytest.mark.skipif(bool(sandbox.trouble()), reason=sandbox.trouble())

ATTACKS = {
    "read the database": "cat {home}/callboard.db",
    "read the connection file": "cat {home}/connection.json",
    "see the home": "ls {home}/terminals/demo/b",
    "write another worktree": "touch {home}/worktrees/demo/b/x",
    "write the user's checkout": "touch {repo}/x",
    "change the shared configuration": "git config user.name Robot",
    "plant a hook": "touch {repo}/.git/hooks/pre-commit",
    "plant attributes": "echo '* filter=x' > {repo}/.git/info/attributes",
    "move the target": "git update-ref refs/heads/main HEAD",
    "plant alternates": "echo /tmp > {repo}/.git/objects/info/alternates",
    "plant a graph": "touch {repo}/.git/objects/info/commit-graph",
    "plant a replacement": "git update-ref refs/replace/x HEAD",
    "pin": "git update-ref refs/callboard/x HEAD",
    "redirect the worktree": "echo gitdir: /nowhere > .git",
    "read another's environment": "cat /proc/{runtime}/environ",
    "signal the runtime": "kill -0 {runtime}",
    "see the user's keys": "cat {user}/.ssh/id_test",
    "write the user's files": "touch {user}/x",
    "write the system": "touch /etc/callboard-test",
}


NOT_BY_LANDLOCK = {"plant alternates", "plant a graph", "redirect the worktree"}
"""What lies in a directory that the program writes cannot be kept from it by Landlock."""


def test_what_is_not_its_own_is_out_of_reach_and_its_work_lands(
    fence: str,
    acting: Acting,
    repo: Path,
) -> None:
    user = Path.home()
    places = {
        "home": acting.home.path,
        "repo": repo,
        "user": user,
        "runtime": acting.call("runtime.info")["pid"],
    }
    lines = [
        f"$ if {attack.format_map(places)} >/dev/null 2>&1; then echo '{name}'; fi >> broken.txt"
        for name, attack in ATTACKS.items()
        if fence == sandbox.BUBBLEWRAP or name not in NOT_BY_LANDLOCK
    ]
    lines += ["$ echo work > a.txt", "$ git add -A && git commit -qm 'a #done'"]
    plan = plan_text(
        repo,
        {
            "a": [coder("\n".join(lines))],
            "b": [coder("$ echo b > b; git add -A; git commit -qm 'b #done'")],
        },
        head='test = ["true"]',
        tail='[defaults]\nsandbox = "worktree"\n',
    )
    acting.begin(plan)
    row = acting.status("completed")
    assert [t["fenced"] for task in row["tasks"] for t in task["terminals"]] == [True, True]
    named = "" if fence == sandbox.BUBBLEWRAP else " (Landlock)"
    assert acting.home.ok("ps", "demo").count(f"in a sandbox{named} ") == 2
    assert (repo / "broken.txt").read_text() == ""
    assert (repo / "a.txt").read_text() == "work\n"
    assert git(repo, "config", "user.name") == "A U Thor"
    assert not Path("/etc/callboard-test").exists()


@pytest.mark.usefixtures("fence")
def test_amending_and_signals_work_inside(acting: Acting, repo: Path) -> None:
    script = (
        "$ echo one > a.txt; git add -A; git commit -qm one\n"
        "$ echo two > a.txt; git commit -qa --amend -m two\n"
        "$ sh -c 'kill -TERM $$'; echo $? > code.txt; git add -A; git commit -qm 'done #done'\n"
    )
    acting.begin(
        plan_text(
            repo,
            {"a": [coder(script, sandbox="worktree")]},
            head='test = ["true"]',
        )
    )
    acting.status("completed")
    assert (repo / "code.txt").read_text() == "143\n"


def test_defaults_hold_where_a_terminal_says_nothing(acting: Acting, repo: Path) -> None:
    plan = plan_text(
        repo,
        {"a": [{"instruction": "x"}], "b": [{"instruction": "y", "sandbox": "off"}]},
        tail='[defaults]\ncli = "scripted"\nsandbox = "worktree"\n',
    )
    assert acting.call("plan.check", plan=plan, base="/")["launch_order"] == ["a/1", "b/1"]


@pytest.mark.parametrize("key", ["sandbx", "command"])
def test_an_unknown_default_is_refused(acting: Acting, repo: Path, key: str) -> None:
    plan = plan_text(repo, {"a": [coder("x")]}, tail=f'[defaults]\n{key} = "x"\n')
    with pytest.raises(Exception, match=key):
        acting.call("plan.check", plan=plan, base="/")
    assert json.dumps(key)


@pytest.mark.parametrize("fence", [sandbox.LANDLOCK], indirect=True)
@pytest.mark.usefixtures("fence")
def test_the_check_says_what_landlock_lacks_and_refuses_what_needs_more(
    acting: Acting, repo: Path
) -> None:
    def checked(tail: str = "", head: str = "", **terminal: str) -> dict[str, Any]:
        plan = plan_text(repo, {"a": [coder("x", **terminal)]}, head=head, tail=tail)
        found: dict[str, Any] = acting.call("plan.check", plan=plan, base="/")
        return found

    found = checked(sandbox="worktree", network="off")
    assert found["programs"][0]["fence"] == "Landlock"
    assert f"Landlock and not bubblewrap: {sandbox.LESS['Landlock']}" in "\n".join(
        found["warnings"]
    )
    for given in ({"sandbox": "off"}, {}):
        (one,) = checked("in_sandbox = true\n", **given)["programs"]
        assert (one["sandbox"], one["fence"]) == ("off", "")
    assert "bubblewrap (`bwrap`) is not installed" in one["unfenced"]
    home = '[cli.scripted.home]\nprivate = ["~/x"]\n'
    for terminal, tail, path in (
        ({"network": "model"}, "", "network"),
        ({"sandbox": "worktree"}, home, "sandbox"),
    ):
        with pytest.raises(Refused, match="bubblewrap") as refused:
            checked(tail, **terminal)
        assert refused.value.body.path == f"task[0].terminal[0].{path}"
    with pytest.raises(Refused, match='"gpg-agent" needs bubblewrap'):
        checked(head='sandbox_allow = ["gpg-agent"]', sandbox="worktree")
    assert "sandbox: Landlock" in acting.home.ok("doctor")
    plan = acting.home.path.parent / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder("x", sandbox="worktree")]}))
    assert "in a sandbox (Landlock)" in acting.home.ok("check", str(plan))


REACH = {
    "read the database": "cat {home}/callboard.db",
    "write the user's checkout": "touch {repo}/x",
    "change the shared configuration": "git -C {repo} config user.name Robot",
    "move the target": "git --git-dir={repo}/.git update-ref refs/heads/feat/b main",
    "see the user's keys": "cat {user}/.ssh/id_test",
    "write another worktree": "touch {home}/worktrees/demo/b/x",
    "signal the runtime": "kill -0 {runtime}",
}


def broken_by(acting: Acting, repo: Path, out: str) -> str:
    """A shell script that writes the names of the attacks that worked into a file."""
    places = {
        "home": acting.home.path,
        "repo": repo,
        "user": Path.home(),
        "runtime": acting.call("runtime.info")["pid"],
    }
    lines = [
        f"if {attack.format_map(places)} >/dev/null 2>&1; then echo '{name}' >> {out}; fi"
        for name, attack in REACH.items()
    ]
    return "\n".join([f": > {out}", *lines])


@pytest.mark.usefixtures("fence")
def test_setup_and_tests_run_in_a_sandbox_too(acting: Acting, repo: Path) -> None:
    """What an agent wrote is run by both: they are fenced as the agent is."""
    (repo / "attack.sh").write_text(
        broken_by(acting, repo, "$1") + "\ntouch $TMPDIR/own || exit 9\n"
    )
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "attack")
    told = "sh attack.sh at-test; test ! -s at-test && test ! -s at-setup && test -e at-setup"
    head = f'setup = ["sh", "attack.sh", "at-setup"]\ntest = ["sh", "-c", {json.dumps(told)}]'
    script = "$ test ! -s at-setup && cp at-setup seen && rm at-setup\n$ echo x > a\n"
    script += "$ git add a seen; git commit -qm 'a #done'\n"
    plan = plan_text(
        repo, {"a": [coder(script)]}, head=head, tail='[defaults]\nsandbox = "worktree"\n'
    )
    acting.begin(plan)
    row = acting.status("completed", "failed")
    assert row["status"] == "completed", acting.facts("merge.tested")
    assert git(repo, "config", "user.name") == "A U Thor"
    assert (repo / "seen").read_text() == ""


def test_a_directory_of_the_users_that_a_cli_writes_is_its_own_inside(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    users = tmp_path / "conf"
    (users / "plugins").mkdir(parents=True)
    (users / "settings").write_text("the user's\n")
    script = (
        f"$ cat {users}/settings > seen; echo mine > {users}/settings; touch {users}/new\n"
        f"$ cat {users}/settings >> seen; touch {users}/plugins/x || echo kept >> seen\n"
        "$ git add -A; git commit -qm 'a #done'\n"
    )
    plan = plan_text(
        repo,
        {"a": [coder(script, sandbox="worktree")]},
        head='test = ["true"]\nsetup = ["true"]',
        tail=f"[cli.scripted.home]\nprivate = [{json.dumps(str(users))}]\n",
    )
    acting.begin(plan)
    acting.status("completed")
    assert (repo / "seen").read_text() == "the user's\nmine\nkept\n"
    assert (users / "settings").read_text() == "the user's\n"
    assert sorted(path.name for path in users.rglob("*")) == ["plugins", "settings"]


CONNECT = "import socket; socket.create_connection(('127.0.0.1', {port}), 5).close()"


@pytest.mark.usefixtures("fence")
def test_without_network_nothing_outside_is_reached(acting: Acting, repo: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = CONNECT.format(port=server.getsockname()[1])
        script = f'$ if python3 -c "{words}"; then echo reached > net; else echo none > net; fi\n'
        script += "$ git add -A; git commit -qm 'a #done'\n"
        test = ["sh", "-c", f'! python3 -c "{words}"']
        tasks = {
            "a": [coder(script, sandbox="worktree", network="off")],
            "b": [coder(script.replace("> net", "> open"), sandbox="worktree")],
        }
        head = f'test_network = "off"\ntest = {json.dumps(test)}'
        acting.begin(plan_text(repo, tasks, head=head))
        row = acting.status("completed")
    assert [task["terminals"][0]["fenced"] for task in row["tasks"]] == [True, True]
    assert (repo / "net").read_text() == "none\n"
    assert (repo / "open").read_text() == "reached\n"


@pytest.mark.parametrize(
    ("terminal", "head", "path"),
    [
        ({"network": "off", "sandbox": "off"}, "", "task[0].terminal[0].network"),
        ({"network": "model", "sandbox": "worktree"}, "", "task[0].terminal[0].network"),
        ({}, 'test_network = "off"', "test_network"),
    ],
)
def test_a_fence_without_a_sandbox_is_refused(
    acting: Acting, repo: Path, terminal: dict[str, str], head: str, path: str
) -> None:
    with pytest.raises(Refused) as refused:
        acting.call(
            "plan.check", plan=plan_text(repo, {"a": [coder("x", **terminal)]}, head), base="/"
        )
    assert (refused.value.body.code, refused.value.body.path) == (422, path)
