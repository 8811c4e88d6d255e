"""What a set-up made is put into other trees only if it is the same, whole and ours."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.git.trees import kept
from actors.git.trees.kept import Recipe, fill, keep
from actors.git.trees.worktrees import add
from tests.repositories import Repo


@pytest.fixture
def lock(repo: Repo) -> Repo:
    repo.commit("Lock", {"lock": "1\n", ".gitignore": "made/\n", "web/lock": "w\n"})
    return repo


def recipe(repo: Repo, home: Path, /, **more: object) -> Recipe:
    values: dict[str, object] = {
        "store": str(home / "setups"), "secret": "s", "git_dir": repo.git_dir,
        "repo": str(repo.path), "target": "main", "setup": ["sh", "x"], "inputs": ["lock"],
        "copied": [], "path": os.environ["PATH"], **more,
    }  # fmt: skip
    return Recipe(**values)  # type: ignore[arg-type]


def tree(repo: Repo, home: Path, name: str) -> Path:
    base = repo.oid("main")
    path = home / name
    add(repo.git_dir, str(home), str(path), branch=name, base=base, owner="demo")
    return path


def set_up(path: Path) -> None:
    deep = path / "made" / "deep"
    deep.mkdir(parents=True)
    (deep / "file").write_text("made\n")
    (deep / "run").write_text("#!/bin/sh\n")
    (deep / "run").chmod(0o755)
    (path / "made" / "link").symlink_to("deep/file")
    (path / "made" / "empty").mkdir(mode=0o555)
    (path / "other").write_text("untracked\n")


@pytest.mark.parametrize("links", [False, True])
def test_another_tree_gets_the_same(lock: Repo, home: Path, links: bool) -> None:
    """Hazard 61."""
    wanted = recipe(lock, home)
    one, two = tree(lock, home, "one"), tree(lock, home, "two")
    assert not fill(wanted, str(two))
    set_up(one)
    assert keep(wanted, str(one))
    assert fill(wanted, str(two), links=links)
    assert (two / "made/link").read_text() == "made\n"
    assert os.readlink(two / "made/link") == "deep/file"  # noqa: PTH115
    assert os.access(two / "made/deep/run", os.X_OK)
    assert (two / "made/empty").stat().st_mode & 0o777 == 0o555
    assert (two / "other").read_text() == "untracked\n"
    assert lock.git("status", "--porcelain", at=two) == "?? other"
    shared = (two / "made/deep/file").stat().st_nlink > 1  # if there are no copies-on-write
    assert shared <= links
    (two / "made/deep/file").write_text("an agent's\n")
    assert (one / "made/deep/file").read_text() == "made\n"
    third = tree(lock, home, "three")
    assert fill(wanted, str(third)) != shared
    assert (third / "made").exists() != shared


@pytest.mark.parametrize(
    "other",
    [
        lambda repo, home: recipe(repo, home, setup=["sh", "y"]),
        lambda repo, home: recipe(repo, home, path="/bin"),
        lambda repo, home: recipe(repo, home, secret="t"),
        lambda repo, home: recipe(repo, home, inputs=["a.txt", "lock"]),
        lambda repo, home: recipe(repo, home, inputs=["lock", "none*"]),
        lambda repo, home: recipe(repo, home, repo=str(repo.path / "web")),
    ],
    ids=["command", "PATH", "another home", "inputs", "an input that is not there", "place"],
)
def test_what_depends_on_something_else_is_not_taken(
    lock: Repo, home: Path, other: Callable[[Repo, Path], Recipe]
) -> None:
    one, two = tree(lock, home, "one"), tree(lock, home, "two")
    set_up(one)
    assert keep(recipe(lock, home), str(one))
    assert not fill(other(lock, home), str(two))
    assert not (two / "made").exists()


def test_another_input_needs_a_run_of_its_own(lock: Repo, home: Path) -> None:
    one, two = tree(lock, home, "one"), tree(lock, home, "two")
    set_up(one)
    assert keep(recipe(lock, home), str(one))
    (two / "lock").write_text("2\n")
    assert not fill(recipe(lock, home), str(two))


def tamper_content(kept_at: Path) -> None:
    (kept_at / "files/made/deep/file").write_text("evil\n")


def tamper_mode(kept_at: Path) -> None:
    (kept_at / "files/made/deep/file").chmod(0o777)


def tamper_record(kept_at: Path) -> None:
    data = (kept_at / "record").read_bytes()
    (kept_at / "record").write_bytes(data.replace(b"made/deep/file", b"made/deep/evil"))


@pytest.mark.parametrize("tamper", [tamper_content, tamper_mode, tamper_record])
@pytest.mark.parametrize("links", [False, True])
def test_a_result_that_somebody_changed_is_thrown_away(
    lock: Repo, home: Path, tamper: Callable[[Path], None], links: bool
) -> None:
    """Hazard 56."""
    wanted = recipe(lock, home)
    one, two = tree(lock, home, "one"), tree(lock, home, "two")
    set_up(one)
    assert keep(wanted, str(one))
    (at,) = (home / "setups").iterdir()
    tamper(at)
    assert not fill(wanted, str(two), links=links)
    assert lock.git("status", "--porcelain", "--ignored", at=two) == ""
    assert list((home / "setups").iterdir()) == []


def test_nothing_is_kept_from_a_tree_in_which_an_agent_has_worked(lock: Repo, home: Path) -> None:
    wanted = recipe(lock, home)
    one = tree(lock, home, "one")
    set_up(one)
    (one / "a.txt").write_text("changed\n")
    assert not keep(wanted, str(one))
    lock.git("commit", "-qam", "an agent's", at=one)
    assert not keep(wanted, str(one))
    lock.git("update-ref", "refs/heads/main", "one")  # it has landed
    assert keep(wanted, str(one))


@pytest.mark.parametrize("how", ["text", "link"])
def test_a_result_that_names_its_directory_stays_there(lock: Repo, home: Path, how: str) -> None:
    """As a Python environment does; in another tree it would run the first one's code."""
    wanted = recipe(lock, home)
    one, two = tree(lock, home, "one"), tree(lock, home, "two")
    set_up(one)
    if how == "text":
        (one / "made/python").write_text(f"#!{one}/made/bin/python\n")
    else:
        (one / "made/python").symlink_to(one / "made/deep/run")
    assert keep(wanted, str(one))
    assert not fill(wanted, str(two))
    lock.git("clean", "-qfdx", at=one)
    assert fill(wanted, str(one))
    assert (one / "made/deep/run").exists()


def test_copied_files_are_in_no_result_and_what_is_there_stays(lock: Repo, home: Path) -> None:
    (lock.path / "made").mkdir()
    (lock.path / "made/.env").write_text("secret\n")
    wanted = recipe(lock, home, copied=["made/.env"])
    one, two = tree(lock, home, "one"), tree(lock, home, "two")
    set_up(one)
    (one / "made/.env").write_text("secret\n")
    (two / "other").write_text("mine\n")
    assert keep(wanted, str(one))
    assert fill(wanted, str(two))
    assert not (two / "made/.env").exists()
    assert (two / "other").read_text() == "mine\n"


@pytest.mark.parametrize("top", ["made", "web"])
def test_a_link_of_the_repository_is_not_written_through(
    lock: Repo, home: Path, tmp_path: Path, top: str
) -> None:
    wanted = recipe(lock, home)
    one, two = tree(lock, home, "one"), tree(lock, home, "two")
    set_up(one)
    (one / "web" / "built").write_text("x\n")
    assert keep(wanted, str(one))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    lock.git("rm", "-rq", "--cached", "web", at=two)
    if (two / top).exists():
        (two / top).rename(two / "aside")
    (two / top).symlink_to(elsewhere)
    assert not fill(wanted, str(two))
    assert list(elsewhere.iterdir()) == []
    assert not (two / "other").exists()


@pytest.mark.parametrize("odd", ["fifo", "name"])
def test_what_cannot_be_kept_is_not(lock: Repo, home: Path, odd: str) -> None:
    one = tree(lock, home, "one")
    set_up(one)
    if odd == "fifo":
        os.mkfifo(one / "made/fifo")
    else:
        Path(os.fsdecode(os.fsencode(one / "made") + b"/caf\xe9")).touch()
    assert not keep(recipe(lock, home), str(one))
    assert list((home / "setups").iterdir()) == []


def test_only_the_newest_results_stay(lock: Repo, home: Path) -> None:
    one = tree(lock, home, "one")
    set_up(one)
    for number in range(kept.NEWEST + 2):
        assert keep(recipe(lock, home, setup=["sh", str(number)]), str(one))
    assert len(list((home / "setups").iterdir())) == kept.NEWEST
