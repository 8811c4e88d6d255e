"""F1c, F2c: an agent changes the configuration, hooks or attributes that all worktrees share.

Each attack is made by an agent without a sandbox. What it changed is told, nothing lands until a
person has looked, and no other agent's git obeys it meanwhile.
"""

import json
import os
from pathlib import Path

import pytest

from bus.errors import Refused
from tests.doors.acting import Acting, say, task
from tests.doors.kit import coder, done, plan_text
from tests.doors.working import until
from tests.repositories import Repo, git

FILTER = "git config filter.x.smudge evil"
HOOK = """sed -i "s/#fail/#done/" "$1" """
PLANT = f"printf '#!/bin/sh\\n%s\\n' '{HOOK}' > {{git}}/hooks/commit-msg; chmod +x {{git}}/hooks/*"
CHANGES = {
    "a filter": (FILTER, "config filter.x.smudge"),
    "another directory of hooks": ("git config core.hooksPath /tmp/x", "config core.hookspath"),
    "a hook": (PLANT, "hooks/commit-msg"),
    "attributes": ("echo '* filter=x' > {git}/info/attributes", "info/attributes"),
    "alternates": ("echo /tmp > {git}/objects/info/alternates", "objects/info/alternates"),
    "a FIFO as a hook": ("mkfifo {git}/hooks/pre-push", "hooks/pre-push"),
    "an include": ("git config include.path /tmp/evil", "config include.path"),
}
QUIET = (
    "git config branch.feat/a.merge refs/heads/x",
    "git config gc.auto 0",
    "git config remote.origin.gh-resolved base",
    "git config lfs.https://example.org/x.git/info/lfs.access basic",
)


def plan(repo: Path, attack: str) -> str:
    line = f"$ {attack.format(git=repo / '.git')}\n$ echo x > a\n" + say("a #done")
    return plan_text(repo, {"a": [coder(line)]}, head='test = ["true"]')


def test_nothing_lands_until_a_person_has_put_it_back(acting: Acting, repo: Path) -> None:
    attack = "; ".join(attack for attack, _ in CHANGES.values())
    names = {name for _, name in CHANGES.values()}
    before = (repo / ".git/config").read_bytes()
    tip = git(repo, "rev-parse", "main")
    acting.begin(plan(repo, attack))
    told = acting.fact("repository.changed")
    assert told["held"]
    assert told["at_work"] == ["demo/a/1/"]
    acting.until(lambda row: row["status"] == "merging")
    told = acting.facts("repository.changed")[-1]
    assert set(told["files"]) == names
    assert "+evil" in told["diff"]
    assert acting.facts("repair.offered")[-1]["actions"][0]["do"] == "config.restore"
    assert acting.home.command("config", "restore", "demo") in acting.home.ok("ps", "demo")
    assert (repo / ".git/HEAD").read_text() == "ref: refs/heads/main\n"
    put_back = acting.home.ok("config", "restore", "demo")
    assert all(name in put_back for name in names)
    acting.status("completed")
    settled = acting.fact("repository.settled")
    assert (settled["how"], settled["by"]) == ("restored", "person")
    assert (repo / ".git/config").read_bytes().split() == before.split()
    assert not (repo / ".git/hooks/commit-msg").exists()
    assert not (repo / ".git/hooks/pre-push").exists()
    assert not (repo / ".git/objects/info/alternates").exists()
    assert git(repo, "rev-parse", "main") != tip


def test_a_merge_driver_of_an_agent_is_told_and_not_run(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Hazard 74."""
    ran = tmp_path / "ran"
    attributes = {".gitattributes": "f merge=own\n", "f": "0\n"}
    Repo(repo).commit("Attributes", attributes)
    git(repo, "config", "merge.own.driver", "true")
    attack = f"$ git config merge.own.driver 'touch {ran}'\n$ echo a > f\n" + say("a #done")
    acting.begin(plan_text(repo, {"a": [coder(attack)], "b": [done("f", "b")]}, 'test = ["true"]'))
    acting.until(lambda row: row["held"] and row["status"] == "merging")
    assert acting.fact("repository.changed")["files"] == ["config merge.own.driver"]
    with pytest.raises(Refused) as refused:
        acting.call("merge.preview", workflow="demo")
    assert refused.value.body.reason == "changed"
    acting.home.ok("config", "restore", "demo")
    acting.status("completed")
    assert not ran.exists()


def filtering(git_dir: Path, key: str, ran: Path) -> str:
    """An attack: a filter for every file of every worktree, which says that it ran."""
    attributes = f"echo '* filter=x' > {git_dir}/info/attributes"
    return f"git config filter.x.{key} 'touch {ran}; cat'; {attributes}"


def test_a_filter_of_an_agent_is_run_by_our_git_only_once_a_person_has_accepted_it(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Hazard 59. The worktree of each task is made when the one before has ended."""
    ran, go = tmp_path / "ran", tmp_path / "go"
    attack = filtering(repo / ".git", "smudge", ran)
    waits = f"$ while [ ! -e {go} ]; do sleep 0.05; done\n{say('b #done')}"
    tasks = {"a": [coder(f"$ {attack}\n{say('a #done')}")], "b": [coder(waits)], "c": [done("c")]}
    acting.begin(plan_text(repo, tasks, "max_terminals = 1"))
    acting.until(lambda row: task(row, "b")["status"] == "running" and row["held"])
    assert not ran.exists()
    acting.home.ok("config", "accept", "demo")
    go.touch()
    acting.until(lambda row: task(row, "c")["status"] == "completed")
    assert ran.exists()


def test_a_completion_that_a_filter_of_an_agent_decides_waits_for_a_person(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Hazard 59. The last commit is made without a look at the files, so ours is the first."""
    ran = tmp_path / "ran"
    lines = (
        f"$ git config filter.x.clean 'touch {ran}; tr a-z A-Z'; "
        f"echo 'a filter=x' > {repo}/.git/info/attributes\n"
        "$ echo mine > a; git add a; git commit -q -m work\n"
        f"$ touch -d 2001-01-01 a; rm {ran}\n"
        "$ git update-ref HEAD $(git commit-tree HEAD^{tree} -p HEAD -m 'a #done')\n"
    )
    acting.begin(plan_text(repo, {"a": [coder(lines)]}))
    assert "until a person accepts it: x" in acting.fact("commit.waits")["reason"]
    assert not ran.exists()
    acting.until(lambda row: row["held"])
    acting.home.ok("config", "accept", "demo")
    acting.until(lambda row: task(row, "a")["status"] == "completed")
    assert ran.exists()
    assert not acting.facts("commit.rejected")


def test_what_is_kept_of_a_stopped_workflow_runs_no_filter_of_an_agent(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Hazard 59."""
    ran, ready = tmp_path / "ran", tmp_path / "ready"
    attack = f"echo x > new; {filtering(repo / '.git', 'clean', ran)}; touch {ready}"
    forever = "while :; do sleep 0.2; done"  # the turn never ends, so nothing is looked for
    acting.begin(plan_text(repo, {"a": [coder(f"$ {attack}; {forever}")]}))
    until(ready.exists, "it is configured")
    acting.home.ok("stop", "demo")
    acting.until(lambda row: row["tidied"])
    assert git(repo, "show", "refs/callboard/demo/a:new") == "x"
    acting.home.ok("clean", "demo")
    assert not ran.exists()


def test_what_the_tests_change_is_found_before_it_lands(acting: Acting, repo: Path) -> None:
    tip = git(repo, "rev-parse", "main")
    test = f"echo '[' >> {repo}/.git/config"
    text = plan(repo, "true").replace('["true"]', f'["sh", "-c", {json.dumps(test)}]')
    acting.begin(text)
    acting.until(lambda row: row["held"] and row["status"] == "merging")
    assert "\n[\n" in (repo / ".git/config").read_text()
    assert (repo / ".git/refs/heads/main").read_text().strip() == tip
    acting.home.ok("config", "restore", "demo")
    acting.status("completed")
    assert git(repo, "rev-parse", "main") != tip


def test_a_coders_hook_does_not_speak_for_the_reviewer(acting: Acting, repo: Path) -> None:
    plants = f"$ {PLANT.format(git=repo / '.git')}\n$ echo x > a\n" + say("work #review")
    judges = coder(say("bad work #fail"), role="reviewer")
    acting.begin(plan_text(repo, {"a": [coder(plants), judges]}, head='test = ["true"]'))
    acting.until(lambda row: task(row, "a")["rounds"])
    said = [fact["subject"] for fact in acting.facts("commit.seen")]
    assert "bad work #fail" in said
    assert "bad work #done" not in said


def test_the_users_own_hooks_run_for_agents(acting: Acting, repo: Path) -> None:
    hook = repo / ".git/hooks/commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\necho "Hooked: $0" >> "$1"\n')
    hook.chmod(0o755)
    acting.begin(plan(repo, "true"))
    acting.status("completed")
    body = git(repo, "log", "-1", "--format=%B", "main^2")
    assert f"Hooked: {acting.home.path}" in body


def test_a_person_may_take_a_change_as_it_is(acting: Acting, repo: Path) -> None:
    acting.begin(plan(repo, "git config core.editor mine"))
    acting.fact("repository.changed")
    git(repo, "config", "core.editor", "another")
    acting.fact("repository.changed", 2)
    assert "core.editor" in acting.home.ok("config", "accept", "demo")
    acting.status("completed")
    assert git(repo, "config", "core.editor") == "another"
    assert acting.fact("repository.settled")["how"] == "accepted"


def test_an_agent_may_not_accept_its_own_change(acting: Acting, repo: Path) -> None:
    words = acting.home.command("config", "accept", "demo")
    acting.begin(plan(repo, f"git config core.editor mine; {words} > said 2>&1; true"))
    acting.fact("repository.changed")
    acting.until(lambda row: task(row, "a")["status"] == "completed")
    assert acting.row()["held"]
    assert "refused" in git(repo, "show", "feat/a:said")
    assert not acting.facts("repository.settled")


def test_what_git_writes_by_itself_raises_no_alarm(acting: Acting, repo: Path) -> None:
    acting.begin(plan(repo, "; ".join(QUIET)))
    acting.status("completed")
    assert not acting.facts("repository.changed", "repair.offered")


def test_a_name_of_an_author_is_told_and_lands(acting: Acting, repo: Path) -> None:
    acting.begin(plan(repo, "git config user.name Robot; echo '*.o' > .git/x || true"))
    acting.status("completed")
    told = acting.fact("repository.changed")
    assert (told["files"], told["held"]) == (["config user.name"], False)


def test_a_change_that_the_user_takes_back_lands(acting: Acting, repo: Path) -> None:
    acting.begin(plan(repo, FILTER))
    acting.fact("repository.changed")
    git(repo, "config", "--unset", "filter.x.smudge")
    acting.status("completed")
    assert acting.fact("repository.settled")["how"] == "as_before"


def test_a_change_while_no_runtime_served_is_found(acting: Acting, repo: Path) -> None:
    acting.begin(plan(repo, "true"))
    acting.home.kill()
    git(repo, "config", "filter.x.smudge", "evil")
    acting.home.serve()
    assert acting.fact("repository.changed")["files"] == ["config filter.x.smudge"]


def test_a_copy_that_somebody_changed_proves_nothing(acting: Acting, repo: Path) -> None:
    kept = acting.home.path / "repositories" / "demo" / "kept"
    acting.begin(plan(repo, f"{FILTER}; echo x >> {kept}"))
    acting.until(lambda row: row["status"] == "merging")
    with pytest.raises(Refused) as refused:
        acting.call("config.restore", workflow="demo")
    assert refused.value.body.reason == "no_copy"
    assert "copy" in acting.row()["held"]
    assert os.fsencode("filter") in (repo / ".git/config").read_bytes()


def test_names_that_are_no_text_are_kept_told_and_put_back(acting: Acting, repo: Path) -> None:
    """Hazard 73. They stopped the watcher of every workflow in the repository."""
    own = repo / ".git/hooks/own-caf\udce9"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    odd = (
        r"""n=$(printf 'caf\351'); cp {git}/hooks/own-* "{git}/hooks/$n"; rm {git}/hooks/own-*; """
    )
    acting.begin(plan(repo, odd + 'git config "remote.$n.url" "$n"'))
    acting.until(lambda row: row["status"] == "merging")
    acting.until(lambda row: row["held"])
    told = acting.facts("repository.changed")[-1]
    names = [r"config remote.caf\xe9.url", r"hooks/caf\xe9", r"hooks/own-caf\xe9"]
    assert told["files"] == names
    put_back = acting.home.ok("config", "restore", "demo")
    assert all(name in put_back for name in names)
    acting.status("completed")
    assert own.read_text() == "#!/bin/sh\n"
    assert not (repo / ".git/hooks/caf\udce9").exists()
