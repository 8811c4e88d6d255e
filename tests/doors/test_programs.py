"""What a program gets.

Its environment, a worktree that is set up, its instruction as it was written, and a place where
nobody else works any more.
"""

import json
import os
import shlex
from pathlib import Path

import pytest

from actors.clis.keys import harmless
from tests.doors.acting import Acting, Row, cli, say, terminal
from tests.doors.kit import Home, coder, plan_text
from tests.repositories import git


def _work(row: Row) -> Row:
    return terminal(row, "a/1")


@pytest.fixture
def user() -> dict[str, str]:
    """A runtime's environment with things no program is to see."""
    return {
        **os.environ,
        "MY_TOKEN": "s3cret",
        "CLAUDECODE": "1",
        "CLAUDE_CONFIG_DIR": "/nowhere",
        "GIT_DIR": "/nowhere",
        "TMPDIR": "/tmp",
        "LC_ALL": "C",
    }


def test_a_program_gets_a_chosen_environment_and_a_private_home_that_goes_with_it(
    tmp_path: Path, repo: Path, user: dict[str, str]
) -> None:
    """Hazard 43."""
    seen = tmp_path / "seen"
    setup = f"""setup = ["sh", "-c", "env > '{seen}.setup'"]"""
    look = f"$ env -0 > {seen}.env; stty size < /dev/tty > {seen}.size\n"
    look += (
        f'$ stat -c "%a %n" "$TMPDIR" "$TMPDIR"/.. "$TMPDIR"/../.callboard-home > {seen}.modes\n'
    )
    home = Home(tmp_path / "home", env=user)
    acting = Acting(home)
    try:
        home.serve()
        acting.begin(plan_text(repo, {"a": [coder(look + say("a #done"))]}, head=setup))
        acting.status("completed")
        acting.until(lambda row: _work(row)["gone"])
    finally:
        home.close()
    env = dict(
        entry.split("=", 1) for entry in Path(f"{seen}.env").read_text().split("\0") if entry
    )
    assert {"MY_TOKEN", "CLAUDECODE", "CLAUDE_CONFIG_DIR", "GIT_DIR"}.isdisjoint(env)
    assert "s3cret" not in str(env)
    assert "GIT_DIR" not in Path(f"{seen}.setup").read_text()
    assert (env["TERM"], env["COLORTERM"]) == ("xterm-256color", "truecolor")
    assert env["LC_ALL"] == "C.UTF-8"
    assert Path(f"{seen}.size").read_text() == "40 120\n"
    tmp = Path(env["TMPDIR"])
    assert tmp.is_relative_to(tmp_path / "home")
    modes = [line.split()[0] for line in Path(f"{seen}.modes").read_text().splitlines()]
    assert modes == ["700", "700", "600"]
    assert not tmp.parent.exists()


def test_a_worktree_is_set_up_once_with_the_user_s_files(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    (repo / ".gitignore").write_text(".env\nconfig/*.local\nmade\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "ignore")
    (repo / "config").mkdir()
    (repo / ".env").write_text("KEY=1\n")
    (repo / "config/a.local").write_text("a\n")
    (repo / "README").write_text("changed, not committed\n")
    calls = tmp_path / "calls"
    head = 'copy = [".env", "config/*.local", "README"]\n'
    head += f"setup = {json.dumps(['sh', '-c', f'cat .env > made; echo x >> {calls}'])}"
    copied = f"$ cat made config/a.local README > {tmp_path}/copied; stat -c %a .env\n"
    tasks = {"a": [coder(copied + say("one #done")), coder(say("two #done"))]}
    acting.begin(plan_text(repo, tasks, head=head))
    row = acting.status("completed", "failed", "merging")
    assert (tmp_path / "copied").read_text() == "KEY=1\na\na sample\n", row
    assert calls.read_text() == "x\n"


def test_a_setup_that_fails_fails_the_launch_and_says_why(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    text = plan_text(
        repo, {"a": [coder(say("#done"))]}, head='setup = ["sh", "-c", "echo no npm; exit 3"]'
    )
    (tmp_path / "plan.toml").write_text(text)
    acting.home.ok("submit", str(tmp_path / "plan.toml"))
    assert acting.home.run("prepare", "demo").returncode == 1
    failed = acting.fact("terminal.launch_failed")
    assert "status 3" in failed["reason"]
    assert "no npm" in failed["reason"]


@pytest.mark.parametrize("pattern", ["/etc/passwd", "../*", ".git/config"])
def test_files_from_outside_the_repository_are_not_copied(
    home: Home, repo: Path, tmp_path: Path, pattern: str
) -> None:
    text = plan_text(repo, {"a": [coder("x")]}, head=f"copy = [{json.dumps(pattern)}]")
    (tmp_path / "plan.toml").write_text(text)
    refused = home.run("check", str(tmp_path / "plan.toml"))
    assert refused.returncode == 2
    assert "copy[0]" in refused.stderr


def test_a_copied_file_that_git_does_not_ignore_is_pointed_out(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    (repo / ".env").write_text("KEY=1\n")
    text = plan_text(repo, {"a": [coder("x")]}, head='copy = [".env"]')
    (tmp_path / "plan.toml").write_text(text)
    ran = home.run("check", str(tmp_path / "plan.toml"))
    assert ran.returncode == 0, ran.stderr
    assert ".env is not ignored by git" in ran.stdout + ran.stderr


def test_the_next_terminal_begins_when_the_last_descendant_of_the_one_before_is_gone(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """The daemon has a session of its own, no terminal, and ignores TERM. Hazard 36."""
    pid = tmp_path / "pid"
    daemon = f"trap '' TERM; echo $$ > {pid}; while :; do sleep 0.2; date +%s.%N > {pid}.beat; done"
    leave = f"$ setsid sh -c {shlex.quote(daemon)} > /dev/null 2>&1 < /dev/null &\n"
    leave += f"$ until test -s {pid}.beat; do sleep 0.1; done\n"
    look = f"$ if kill -0 $(cat {pid}); then echo alive; else echo gone; fi > found\n"
    tasks = {"a": [coder(leave + say("one #done")), coder(look + say("two #done"))]}
    acting.begin(plan_text(repo, tasks))
    acting.status("completed")
    assert (repo / "found").read_text() == "gone\n"
    facts = acting.facts()
    ended = next(f for f in facts if f["type"] == "terminal.exited")
    assert ended["address"] == "demo/a/1/"
    assert ended["leftovers"] >= 1
    sent = next(f for f in facts if f["type"] == "instruction.sent" and f["address"] == "demo/a/2/")
    assert ended["seq"] < sent["seq"]


HOSTILE = {
    "lines": "first\n\n  second\tindented\n- third",
    "long": "\n".join(f"line {n} of a long instruction, {'word ' * 6}." for n in range(500)),
    "cjk": "\n".join(f"第{n}行: 漢字とかな、한글 그리고 中文。" for n in range(200)),
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301 🎉" * 50,
    "escapes": "red \x1b[31m, clear \x1b[2J, bell \x07, interrupt \x03, end \x04, back \x08",
    "terminator": "before \x1b[201~\rrm -rf x\r\x1b[200~ after \x9b201~ end",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_instruction_arrives_as_it_was_written(
    acting: Acting, repo: Path, tmp_path: Path, name: str
) -> None:
    """Hazard 30."""
    told, text = tmp_path / "told", HOSTILE[name]
    assert name != "long" or len(text) > 20_000
    keeper = cli("keeper", f'$ printf %s "$INSTRUCTION" >> {told}\n' + say("kept #done"))
    tasks = {"a": [{"cli": "keeper", "instruction": text}]}
    acting.begin(plan_text(repo, tasks, tail=keeper))
    acting.status("completed")
    assert f"\n\n{harmless(text)}\n\nHow to report" in told.read_text()
    assert len(acting.facts("instruction.sent")) == 1
    assert len(acting.facts("instruction.delivered")) == 1
