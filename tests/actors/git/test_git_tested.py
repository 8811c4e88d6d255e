"""The directory of the tests has exactly a commit's files, whatever the shared repository says."""

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.git.landing.land import Damaged, Landed, land
from actors.git.landing.tested import Differs, Tree, checkout_tree, clear
from actors.git.reading.identity import Identity
from actors.git.running.converting import converting
from actors.git.trees.worktrees import add
from tests.repositories import Repo


def make(repo: Repo, home: Path, **more: object) -> Tree | Differs:
    options: dict[str, object] = {"settings": converting(repo.git_dir), **more}
    path = str(home / "tested")
    return checkout_tree(repo.git_dir, str(home), path, repo.oid("main"), **options)  # type: ignore[arg-type]


def test_hazard_45_the_scratch_tree_is_exactly_the_commit(repo: Repo, home: Path) -> None:
    """Hazard 45."""
    (repo.path / "link").symlink_to("a.txt")
    (repo.path / "run.sh").write_text("#!/bin/sh\n")
    (repo.path / "run.sh").chmod(0o755)
    repo.commit("More", {"dir/caf\u00e9": "x\n", "deep/er/and/er": "x\n"})
    repo.git("tag", "-a", "-m", "one", "v1")
    path = home / "tested"
    for _ in range(2):
        assert make(repo, home) == Tree(repo.oid("main^{tree}"))
        assert repo.oid("HEAD", at=path) == repo.oid("main")
        assert repo.git("status", "--porcelain", "--ignored", at=path) == ""
        assert repo.git("symbolic-ref", "-q", "HEAD", at=path, check=False) == ""
        assert repo.git("describe", at=path) == "v1"
        assert repo.git("log", "--oneline", "main", at=path) == repo.git("log", "--oneline", "main")
        repo.write({"left/over": "x", "a.txt": "changed"}, at=path)
    clear(repo.git_dir, str(home), str(path))
    assert not path.exists()
    assert len(repo.git("worktree", "list").splitlines()) == 1


def test_what_tests_do_to_their_repository_stays_there(repo: Repo, home: Path) -> None:
    make(repo, home, author=Identity("Tess", "tess@example.org"))
    path = home / "tested"
    before = (repo.git("for-each-ref"), Path(repo.git_dir, "config").read_text())
    repo.git("config", "core.hooksPath", "/evil", at=path)
    repo.commit("by a test", {"new": "x"}, at=path)
    repo.git("branch", "-f", "main", "HEAD", at=path)
    assert repo.git("log", "-1", "--format=%an", at=path) == "Tess"
    assert (repo.git("for-each-ref"), Path(repo.git_dir, "config").read_text()) == before


def plant_filter(repo: Repo) -> None:
    repo.git("config", "filter.evil.smudge", "echo good; cat >/dev/null")
    repo.git("config", "filter.evil.clean", "cat")
    Path(repo.git_dir, "info").mkdir(exist_ok=True)
    Path(repo.git_dir, "info", "attributes").write_text("* filter=evil\n")


def plant_replacement(repo: Repo) -> None:
    (repo.path / "other").write_text("good\n")
    repo.git("replace", repo.oid("main:a.txt"), repo.git("hash-object", "-w", "other"))


def plant_hook(repo: Repo) -> None:
    hook = Path(repo.git_dir, "hooks", "post-checkout")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho good > a.txt\n")
    hook.chmod(0o755)


def plant_settings(repo: Repo) -> None:
    repo.git("config", "core.worktree", repo.path.parent)
    repo.git("config", "core.bare", "true")
    repo.git("config", "core.autocrlf", "true")
    repo.git("config", "core.sparseCheckout", "true")
    Path(repo.git_dir, "info").mkdir(exist_ok=True)
    Path(repo.git_dir, "info", "sparse-checkout").write_text("/b.txt\n")


@pytest.mark.parametrize("plant", [plant_filter, plant_replacement, plant_hook, plant_settings])
def test_nothing_in_the_shared_repository_changes_what_the_tests_see(
    repo: Repo, home: Path, plant: Callable[[Repo], None]
) -> None:
    """Hazard 60."""
    settings, tree = converting(repo.git_dir), repo.oid("main^{tree}")
    plant(repo)
    assert make(repo, home, settings=settings) == Tree(tree)
    assert (home / "tested" / "a.txt").read_text() == "a\n"


@pytest.mark.parametrize("where", ["shared", "user"])
def test_a_filter_of_the_target_goes_on_working_as_it_was_at_the_submission(
    repo: Repo, home: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git-crypt configures it (in the repository), or LFS (for the user)."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    scope = "--local" if where == "shared" else "--global"
    repo.git("config", scope, "filter.case.clean", "tr A-Z a-z")
    repo.git("config", scope, "filter.case.smudge", "tr a-z A-Z")
    repo.commit("Filtered", {".gitattributes": "*.up filter=case\n", "x.up": "words\n"})
    settings = converting(repo.git_dir)
    repo.git("config", scope, "filter.case.smudge", "echo evil; cat")
    repo.git("config", scope, "filter.later.smudge", "echo evil; cat")
    repo.commit("Evil", {".gitattributes": "*.up filter=case\na.txt filter=later\n"})
    found = make(repo, home, settings=settings)
    assert found == Tree(repo.oid("main^{tree}"), ("x.up",), ("case",))
    assert (home / "tested" / "x.up").read_text() == "WORDS\n"
    assert (home / "tested" / "a.txt").read_text() == "a\n"
    assert repo.git("status", "--porcelain", at=home / "tested") == ""


def test_line_ends_of_the_commit_are_converted_as_everywhere(repo: Repo, home: Path) -> None:
    repo.commit("Ends", {".gitattributes": "*.bat eol=crlf\n", "x.bat": "one\n"})
    assert make(repo, home) == Tree(repo.oid("main^{tree}"), ("x.bat",))
    assert (home / "tested" / "x.bat").read_bytes() == b"one\r\n"


@pytest.mark.parametrize("change", ["changed", "converted", "added", "removed", "kind"])
def test_a_directory_that_somebody_else_changes_is_refused(
    repo: Repo, home: Path, change: str
) -> None:
    """Hazard 60. A filter of the user stands for whoever writes there while git does."""
    tested = home / "tested"
    repo.git("config", "filter.slow.smudge", str(home / "meddle"))
    deeds = {
        "changed": f"echo good > {tested}/a.txt",
        "converted": f"echo good > {tested}/c.bat",
        "added": f"touch {tested}/dir/conftest.py",
        "removed": f"rm {tested}/a.txt",
        "kind": f"rm {tested}/a.txt; ln -s /etc/passwd {tested}/a.txt",
    }
    (home / "meddle").write_text(f"#!/bin/sh\n{deeds[change]}\ncat\n")
    (home / "meddle").chmod(0o755)
    attributes = "z filter=slow\n*.bat eol=crlf\n"
    repo.commit("Slow", {".gitattributes": attributes, "z": "z\n", "c.bat": "c\n"})
    named = {"added": "dir/conftest.py", "converted": "c.bat"}.get(change, "a.txt")
    assert make(repo, home) == Differs((named,))


@pytest.mark.parametrize("there", ["link", "task", "registered", "file tree"])
def test_what_lies_in_its_place_is_removed(
    repo: Repo, home: Path, tmp_path: Path, there: str
) -> None:
    tested, elsewhere = home / "tested", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()
    if there == "link":
        tested.symlink_to(elsewhere)
    elif there == "task":
        base = repo.oid("main")
        add(repo.git_dir, str(home), str(tested), branch="task", base=base, owner="demo")
    elif there == "registered":
        admin = Path(repo.git_dir, "worktrees", "evil")
        admin.mkdir(parents=True)
        (admin / "gitdir").write_text(f"{tested}/.git\n")
        (admin / "callboard").write_text("demo\n")
        repo.write({"tested/conftest.py": "evil", "tested/.git": f"gitdir: {admin}\n"}, at=home)
    else:
        repo.write({"tested/conftest.py": "evil"}, at=home)
    assert make(repo, home) == Tree(repo.oid("main^{tree}"))
    assert (elsewhere / "mine").exists()


def swap(repo: Repo, oid: str, text: bytes) -> None:
    """Put other bytes under the name of an object, as a program can that owns the files."""
    path = Path(repo.git_dir, "objects", oid[:2], oid[2:])
    path.chmod(0o644)
    path.write_bytes(zlib.compress(b"blob %d\0" % len(text) + text))


def test_an_object_that_is_not_what_its_name_says_is_neither_tested_nor_landed(
    repo: Repo, home: Path
) -> None:
    """Hazard 60. Git shows the bytes without a word; a clone over the network fails."""
    old = repo.oid("main")
    new = repo.branch("next", {"a.txt": "evil\n"})
    blob = repo.oid("next:a.txt")
    swap(repo, blob, b"good\n")
    assert repo.git("cat-file", "-p", blob) == "good"
    path = str(home / "tested")
    assert checkout_tree(repo.git_dir, str(home), path, new) == Differs(("a.txt",))
    found = land(repo.git_dir, "main", old=old, new=new, message="x")
    assert isinstance(found, Damaged)
    assert blob in found.what
    assert repo.oid("main") == old
    swap(repo, blob, b"evil\n")
    assert isinstance(land(repo.git_dir, "main", old=old, new=new, message="x"), Landed)


def test_a_missing_object_is_not_landed(repo: Repo) -> None:
    old = repo.oid("main")
    new = repo.branch("next", {"a.txt": "new\n"})
    blob = repo.oid("next:a.txt")
    Path(repo.git_dir, "objects", blob[:2], blob[2:]).unlink()
    found = land(repo.git_dir, "main", old=old, new=new, message="x")
    assert isinstance(found, Damaged)
    assert repo.oid("main") == old
