"""Each setting of the user's that could change a result is honoured, pinned, or said."""

import re
import subprocess
from pathlib import Path

import pytest

from actors.git.landing.land import Landed
from actors.git.reading.identity import CALLBOARD, Identity, identity, of_text
from actors.git.running.command import PINNED, git
from actors.git.trees.worktrees import add
from actors.git.users.repository import survey
from actors.git.users.settings import FOR_AGENTS, SAID, for_agents
from tests.actors.git.git_repos import land_next
from tests.repositories import Repo

PAGE = (Path(__file__).parents[3] / "docs" / "git-settings.md").read_text()
ON = {"branch.{target}.mergeoptions": "--squash"}


@pytest.mark.parametrize("key", PINNED)
def test_what_is_pinned_is_so_whatever_the_user_has_set(repo: Repo, key: str) -> None:
    repo.git("config", key, "elsewise")
    assert git("config", key, at=str(repo.path)).decode().strip() == PINNED[key]


@pytest.mark.parametrize("key", SAID)
def test_what_is_said_is_said_where_it_is_set(repo: Repo, key: str) -> None:
    assert survey(str(repo.path), "main").notes == ()
    name = key.format(target="main")
    repo.git("config", name, ON.get(key, "true"))
    (note,) = survey(str(repo.path), "main").notes
    assert name in note
    if key not in ON:
        repo.git("config", name, "false")
        assert survey(str(repo.path), "main").notes == ()


def test_a_repository_is_used_though_bare_ones_must_be_named(
    repo: Repo, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our git works in the git directory, which git takes for a bare repository."""
    own = tmp_path / "gitconfig"
    own.write_text("[safe]\n\tbareRepository = explicit\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(own))
    assert survey(str(repo.path), "main").notes == ()
    base, path = repo.oid("main"), home / "task"
    add(repo.git_dir, str(home), str(path), branch="task", base=base, owner="demo")
    repo.git("update-ref", "refs/heads/next", repo.commit("next", {"a.txt": "a2\n"}, at=path))
    assert isinstance(land_next(repo), Landed)
    assert (repo.path / "a.txt").read_text() == "a2\n"


def test_the_page_has_every_setting() -> None:
    words = {word.lower() for word in re.findall(r"`([\w.{}]+)`", PAGE)}
    named = [*PINNED, *FOR_AGENTS, *(key.replace("{target}", "target") for key in SAID)]
    assert [key for key in named if key.lower() not in words] == []


def test_submodules_are_left_alone_and_the_merge_lands(repo: Repo, tmp_path: Path) -> None:
    sub = tmp_path / "sub"
    subprocess.run(["git", "init", "-q", sub], check=True)
    for words in (["config", "user.name", "A"], ["config", "user.email", "a@b"]):
        repo.git(*words, at=sub)
    repo.git("commit", "-q", "--allow-empty", "-m", "s", at=sub)
    repo.git("-c", "protocol.file.allow=always", "submodule", "-q", "add", sub, "sub")
    repo.commit("Submodule")
    repo.git("config", "submodule.recurse", "true")
    repo.branch("next", {"a.txt": "next\n"})
    assert isinstance(land_next(repo), Landed)
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize("cleanup", ["strip", "whitespace", "default", "scissors"])
@pytest.mark.parametrize("how", ["message", "editor"])
def test_a_word_at_the_start_of_a_line_is_no_comment_for_agents(
    repo: Repo, cleanup: str, how: str, tmp_path: Path
) -> None:
    repo.git("config", "commit.cleanup", cleanup)
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nprintf "Write it\\n\\n#done\\n" > "$1"\n')
    script.chmod(0o755)
    words = ["-m", "Write it\n\n#done"] if how == "message" else []
    command = ["git", "-C", str(repo.path), "commit", "-q", "--allow-empty", *words]
    variables = {**for_agents(), "GIT_EDITOR": str(script)}
    subprocess.run(
        ["env", *(f"{key}={value}" for key, value in variables.items()), *command], check=True
    )
    assert repo.git("log", "-1", "--format=%B") == "Write it\n\n#done"


def test_who_commits_is_asked_of_git(repo: Repo, tmp_path: Path) -> None:
    """A conditional include that libgit2 does not know sets the name."""
    include = tmp_path / "work.inc"
    include.write_text("[user]\n\tname = At Work\n\temail = at@work.example\n")
    repo.git("config", "remote.origin.url", "https://work.example/x.git")
    condition = "includeIf.hasconfig:remote.*.url:https://work.example/**.path"
    repo.git("config", condition, str(include))
    repo.git("config", "--unset", "user.name")
    repo.git("config", "--unset", "user.email")
    found = identity(str(repo.path))
    assert found == Identity("At Work", "at@work.example")
    assert survey(str(repo.path), "main").author == "At Work <at@work.example>"
    assert of_text(str(found)) == found


@pytest.mark.parametrize("raw", [b"Ren\xe9", "René 中文".encode(), b"x" * 5_000])
def test_a_name_of_any_bytes_is_text(repo: Repo, raw: bytes) -> None:
    config = repo.path / ".git" / "config"
    config.write_bytes(config.read_bytes() + b"[user]\n\tname = " + raw + b"\n")
    found = identity(str(repo.path))
    assert found.name == raw.decode("utf-8", "replace")
    assert found.name.encode()


def test_nobody_is_callboard(repo: Repo) -> None:
    repo.git("config", "--unset", "user.email")
    assert identity(str(repo.path)) == CALLBOARD
    assert of_text("") is None
