"""F4: what an agent makes of its worktree's `.git` and configuration moves no git of ours."""

import os
from pathlib import Path

import pytest

from actors.clis.home import prepare
from actors.clis.profile import Profile
from actors.git.landing.land import Landed, land
from actors.git.landing.resolution import Materialized, check_worktree, materialize
from actors.git.merging.attributes import Attributes
from actors.git.merging.room import room
from actors.git.reading.branch_diff import branch_diff
from actors.git.reading.changes import changed
from actors.git.reading.examination import Clean, Examination, Unknown
from actors.git.reading.identity import CALLBOARD
from actors.git.running.converting import as_submitted, converting
from actors.git.running.errors import RepositoryError, Rule
from actors.git.running.library import opened
from actors.git.running.places import Within
from actors.git.trees import kept, reach, torn, worktrees
from actors.git.trees.pins import pin
from actors.git.users.repository import is_dirty
from actors.merger.scratch import bring
from actors.platform import disk, sandbox
from actors.terminal.missing import Place, missing
from tests.doors.acting import Acting
from tests.doors.kit import coder, commit, plan_text
from tests.repositories import Repo, git

fenced_only = pytest.mark.skipif(bool(sandbox.trouble()), reason="no sandbox can be made here")


class Scene:
    """A worktree of a task, and a program that says when it was run."""

    def __init__(self, tmp_path: Path) -> None:
        self.repo = Repo.made(tmp_path / "repo")
        self.base = self.repo.commit("first", {"a": "a\n"})
        self.tree = tmp_path / "worktrees" / "a"
        worktrees.make(self.repo.git_dir, str(self.tree), self.base, mark="x", detach=True)
        self.ran = tmp_path / "ran"
        self.filter = f"touch {self.ran}; cat"
        self.within = Within(str(Path(self.repo.git_dir).resolve()))
        self.home = str(tmp_path)
        self.at = (self.repo.git_dir, str(self.tree))

    def plant(self, where: Path) -> None:
        """A repository of the agent, with a filter for every file, at the worktree's files."""
        git(where, "init", "-q", str(where / "evil"))
        evil = where / "evil"
        git(evil, "config", "filter.x.clean", self.filter)
        git(evil, "config", "core.worktree", str(self.tree))
        git(evil, "config", "user.name", "x")
        git(evil, "config", "user.email", "x@example.com")
        git(evil, "add", "-A")
        git(evil, "commit", "-qm", "all of it")
        (self.tree / ".gitattributes").write_text("* filter=x\n")
        (self.tree / ".git").unlink()
        (self.tree / ".git").write_text(f"gitdir: {evil}/.git\n")
        os.utime(self.tree / "a", (1, 1))  # only what it holds says whether it has changed
        self.ran.unlink(missing_ok=True)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_redirected_git_file_is_not_followed(scene: Scene, tmp_path: Path) -> None:
    (scene.tree / "a").write_text("changed, and of another length\n")
    scene.plant(tmp_path)
    tree = str(scene.tree)
    assert list(changed(tree, within=scene.within)) == ["a"]
    looks = Examination(tree, scene.within)
    assert isinstance(looks.look(0.0), Unknown)  # it is dirty, and looked at again
    diff = branch_diff(scene.repo.git_dir, tree, scene.base, scene.base, True, scene.within)
    assert [each.path for each in diff.files] == ["a"]
    place = Place(tree, "main", scene.base, "2026-01-01T00:00:00+00:00", within=scene.within)
    assert "not committed: a, .gitattributes" in missing(place)
    assert not scene.ran.exists()
    list(changed(tree))  # without it the agent's repository is followed, and its program runs
    assert scene.ran.exists()


def test_a_repository_in_place_of_the_git_file_is_not_believed(scene: Scene) -> None:
    (scene.tree / ".git").unlink()
    git(scene.tree, "init", "-q")
    assert Examination(str(scene.tree), scene.within).look(0.0) == Clean()


def test_a_worktree_that_the_repository_does_not_know_is_no_answer(
    scene: Scene, tmp_path: Path
) -> None:
    other = Within(Repo.made(tmp_path / "other").git_dir)
    found = Examination(str(scene.tree), other).look(0.0)
    assert isinstance(found, Unknown)
    assert found.failed


def test_no_filter_of_a_nested_repository_runs_when_a_turn_has_ended(scene: Scene) -> None:
    nested = Repo.made(scene.tree / "nested")
    nested.commit("inner", {"b": "b\n", ".gitattributes": "* filter=x\n"})
    nested.git("config", "filter.x.clean", scene.filter)
    git(scene.tree, "add", "nested")
    git(scene.tree, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "link")
    (nested.path / "b").write_text("another, and longer\n")
    scene.ran.unlink(missing_ok=True)
    missing(Place(str(scene.tree), "main", scene.base, "2026-01-01T00:00:00+00:00"))
    assert not scene.ran.exists()


FENCED = pytest.mark.parametrize("fenced", [False, pytest.param(True, marks=fenced_only)])


@pytest.fixture
def redirected(scene: Scene, tmp_path: Path) -> Scene:
    """The worktree, changed, and its `.git` names the agent's own repository."""
    (scene.tree / "a").write_text("changed, and of another length\n")
    scene.plant(tmp_path)
    return scene


def unseen(fenced: bool) -> reach.Unseen:
    return () if fenced else None


@FENCED
def test_a_pin_is_of_the_repository_s_own_worktree(redirected: Scene, fenced: bool) -> None:
    made = pin(*redirected.at, "w/a", unseen(fenced))
    assert redirected.repo.git("show", f"{made.ref}:a") == "changed, and of another length"
    assert redirected.repo.git("rev-parse", f"{made.ref}^") == redirected.base
    assert not redirected.ran.exists()


@FENCED
def test_a_worktree_is_kept_and_removed_by_what_the_repository_knows(
    redirected: Scene, fenced: bool
) -> None:
    git_dir, tree = redirected.at
    at, base, hidden = (git_dir, redirected.home, tree), redirected.base, unseen(fenced)
    assert is_dirty(tree, reach.for_reading(git_dir, tree, hidden))
    assert not worktrees.remove_merged(*at, merged_into=base, unseen=hidden)
    removed = worktrees.remove(*at, merged_into=base, pin_as="w/a", unseen=hidden)
    assert removed.pin is not None
    assert redirected.repo.git("show", f"{removed.pin.ref}:a") == "changed, and of another length"
    assert not redirected.tree.exists()
    assert not redirected.ran.exists()


def test_a_worktree_with_a_redirected_git_file_is_not_used_again(redirected: Scene) -> None:
    git_dir, tree = redirected.at
    with pytest.raises(RepositoryError, match="names another repository") as refused:
        worktrees.add(git_dir, redirected.home, tree, branch="w", base=redirected.base, owner="w")
    assert refused.value.rule == Rule.NOT_OURS
    redirected.repo.git("worktree", "repair", tree)  # what its help says
    worktrees.add(git_dir, redirected.home, tree, branch="w", base=redirected.base, owner="w")
    assert not redirected.ran.exists()


def test_a_torn_index_is_made_again_in_the_repository_s_own_worktree(redirected: Scene) -> None:
    admin = redirected.within.admin(str(redirected.tree))
    (admin / "index").write_bytes(b"")
    assert torn.mend_worktree(admin, str(redirected.tree), "main") == ["index"]
    assert (admin / "index").stat().st_size
    assert not redirected.ran.exists()


def recipe_of(
    scene: Scene,
    tmp_path: Path,
    hidden: reach.Unseen,
    settings: dict[str, str] | None = None,
) -> kept.Recipe:
    return kept.Recipe(
        store=str(tmp_path / "setups"),
        secret="s",
        git_dir=scene.repo.git_dir,
        repo=str(scene.repo.path),
        target="main",
        setup=["true"],
        inputs=["a"],
        copied=[],
        path="/usr/bin",
        unseen=hidden,
        settings=settings,
    )


@FENCED
def test_a_kept_setup_is_of_the_repository_s_own_worktree(
    redirected: Scene, fenced: bool, tmp_path: Path
) -> None:
    recipe = recipe_of(redirected, tmp_path, unseen(fenced))
    assert not kept.keep(recipe, str(redirected.tree))  # a file of the target is changed
    (redirected.tree / "a").write_text("a\n")
    assert kept.keep(recipe, str(redirected.tree))
    assert not redirected.ran.exists()


@FENCED
def test_a_conflict_is_laid_out_and_judged_in_the_repository_s_own_worktree(
    redirected: Scene, fenced: bool
) -> None:
    repo, base = redirected.repo, redirected.base
    git_dir, tree = redirected.at
    (redirected.tree / "a").write_text("a\n")
    ours = repo.commit("ours", {"a": "ours\n"})
    repo.git("checkout", "-q", "-b", "theirs", base)
    tip = repo.commit("theirs", {"a": "theirs\n"})
    hidden = unseen(fenced)
    assert bring(git_dir, redirected.tree, ours, hidden)
    assert (redirected.tree / "a").read_text() == "ours\n"
    laid = materialize(
        git_dir,
        redirected.home,
        tree,
        onto=ours,
        tip=tip,
        message="m",
        author=CALLBOARD,
        at_onto=True,
        unseen=hidden,
    )
    assert laid == Materialized(tree, None)
    assert ">>>>>>>" in (redirected.tree / "a").read_text()
    checked = check_worktree(git_dir, tree, onto=ours, tip=tip, unseen=hidden)
    assert checked.head == ours
    assert {problem.kind for problem in checked.problems} == {"uncommitted", "not_merged"}
    assert not redirected.ran.exists()


def test_an_agent_s_git_file_says_not_what_its_sandbox_opens(
    redirected: Scene, tmp_path: Path
) -> None:
    writable, _ = reach.of_branch(Path(redirected.repo.git_dir), redirected.tree, "feat/a")
    assert not any(path.is_relative_to(tmp_path / "evil") for path in writable)
    assert redirected.within.admin(str(redirected.tree)) in writable


@FENCED
@pytest.mark.parametrize("scope", ["--local", "--worktree"])
def test_a_filter_since_the_submission_converts_nothing_and_the_others_do(
    scene: Scene, fenced: bool, scope: str
) -> None:
    scene.repo.git("config", "extensions.worktreeConfig", "true")
    scene.repo.git("config", "filter.own.clean", "tr a-z A-Z")
    submitted = converting(scene.repo.git_dir)
    git(scene.tree, "config", scope, "filter.x.clean", "echo of the agent")
    (scene.tree / ".gitattributes").write_text("a filter=x\nb filter=own\n")
    (scene.tree / "a").write_text("mine\n")
    (scene.tree / "b").write_text("mine\n")
    (scene.tree / ".git").unlink()  # it is the agent's, and says nothing
    with as_submitted(scene.repo.git_dir, submitted, str(scene.tree)):
        made = pin(*scene.at, "w/a", unseen(fenced))
    assert scene.repo.git("show", f"{made.ref}:a", f"{made.ref}:b") == "mine\nMINE"
    made = pin(*scene.at, "w/b", unseen(fenced))
    assert scene.repo.git("show", f"{made.ref}:a") == "of the agent"


def test_what_is_read_of_a_worktree_runs_no_filter_since_the_submission(
    scene: Scene, tmp_path: Path
) -> None:
    """Hazard 59."""
    git_dir, tree = scene.at
    submitted = converting(git_dir)
    scene.repo.git("config", "filter.x.clean", scene.filter)
    (scene.tree / ".gitattributes").write_text("* filter=x\n")
    os.utime(scene.tree / "a", (1, 1))  # only what it holds says whether it has changed
    looks = Examination(tree, scene.within)
    assert looks.look(0.0, submitted) == Clean()
    (scene.tree / "a").write_text("changed, and of another length\n")
    found = looks.look(0.0, submitted)
    assert isinstance(found, Unknown)
    assert (found.failed, "until a person accepts it: x" in found.reason) == (True, True)
    diff = branch_diff(git_dir, tree, scene.base, scene.base, True, scene.within, submitted)
    assert [each.path for each in diff.files] == ["a"]
    since = "2026-01-01T00:00:00+00:00"
    place = Place(tree, "main", scene.base, since, within=scene.within, settings=submitted)
    assert "But the filter x was configured since" in missing(place)
    assert not kept.keep(recipe_of(scene, tmp_path, unseen(False), submitted), tree)
    assert not scene.ran.exists()
    (scene.tree / "a").write_text("a\n")
    os.utime(scene.tree / "a", (1, 1))
    assert looks.look(0.0, converting(git_dir)) == Clean()  # a person has accepted it
    assert scene.ran.exists()


def test_a_landing_into_an_agent_s_checkout_runs_no_filter_that_it_has_configured(
    scene: Scene,
) -> None:
    """An agent may check the target out in its own worktree, which the landing then updates."""
    scene.repo.git("config", "extensions.worktreeConfig", "true")
    scene.repo.git("checkout", "-q", "--detach")
    landed = scene.repo.commit("second", {".gitattributes": "* filter=x\n", "a": "b\n"})
    git(scene.tree, "checkout", "-q", "main")
    git(scene.tree, "config", "--worktree", "filter.x.smudge", scene.filter)
    git(scene.tree, "config", "--worktree", "filter.x.clean", scene.filter)
    found = land(
        scene.repo.git_dir, "main", old=scene.base, new=landed, message="land", settings={}
    )
    assert isinstance(found, Landed)
    assert str(scene.tree) in found.checkouts
    assert (scene.tree / "a").read_text() == "b\n"
    assert not scene.ran.exists()


def test_the_name_of_an_agent_s_commits_is_not_read_by_its_git_file(
    redirected: Scene, tmp_path: Path
) -> None:
    """Of a program that hides git's configuration from its tools: it gets the name in variables."""
    gets = Profile(name="x", command=("x",), git_identity=True)
    home, user = tmp_path / "launch", dict(os.environ)
    launch = prepare(gets, None, home, user, redirected.tree, redirected.repo.path)
    named = redirected.repo.git("config", "user.name").strip()
    assert launch.env["GIT_AUTHOR_NAME"] == named
    assert named != "x"


@pytest.mark.parametrize("kind", ["separate", "bare"])
def test_the_name_is_found_where_the_git_directory_is_elsewhere(tmp_path: Path, kind: str) -> None:
    git_dir, tree = tmp_path / "place" / "gd", tmp_path / "tree"
    git_dir.parent.mkdir()
    how = ["--bare", git_dir] if kind == "bare" else [f"--separate-git-dir={git_dir}", "user"]
    git(tmp_path, "init", "-q", *map(str, how))
    git(git_dir, "config", "user.name", "Own Name")
    empty = git(git_dir, "hash-object", "-t", "tree", "-w", "/dev/null").strip()
    commit = git(git_dir, "-c", "user.email=a@b", "commit-tree", "-m", "first", empty).strip()
    git(git_dir, "worktree", "add", "-q", "-b", "side", str(tree), commit)
    gets = Profile(name="x", command=("x",), git_identity=True)
    where = (tmp_path / "launch", dict(os.environ), tree, git_dir.parent)
    launch = prepare(gets, None, *where, git_dir=str(git_dir))
    assert launch.env["GIT_AUTHOR_NAME"] == "Own Name"


def test_a_worktree_that_is_no_more_known_is_refused_as_such(scene: Scene) -> None:
    disk.remove_tree(scene.within.admin(str(scene.tree)))
    with (
        as_submitted(scene.repo.git_dir, {}, str(scene.tree)),
        pytest.raises(RepositoryError) as refused,
    ):
        worktrees.remove(
            scene.repo.git_dir,
            scene.home,
            str(scene.tree),
            merged_into=scene.base,
            pin_as="w/a",
        )
    assert refused.value.rule is Rule.NOT_OURS


def test_an_unfinished_worktree_is_made_anew_without_a_filter_of_an_agent(scene: Scene) -> None:
    second = scene.repo.commit("second", {".gitattributes": "* filter=x\n"})
    scene.repo.git("config", "filter.x.smudge", scene.filter)
    (scene.within.admin(str(scene.tree)) / "HEAD").unlink()
    with as_submitted(scene.repo.git_dir, {}, str(scene.tree)):
        worktrees.throw_away(*scene.at, "a")
        worktrees.make(*scene.at, second, mark="x", detach=True)
    assert (scene.tree / "a").exists()
    assert not scene.ran.exists()


def test_settings_of_the_submission_and_of_a_merge_go_together(scene: Scene) -> None:
    scene.repo.git("config", "filter.x.clean", scene.filter)
    git_dir = scene.repo.git_dir
    of_merge = room(git_dir, Attributes(opened(git_dir)), scene.base)
    with as_submitted(git_dir, {}), of_merge as made:
        made.drivers = {"own": "true"}
        said = made.git("config", "--get-regexp", r"^(merge|filter)\..*\.(driver|clean)$")
    lines = os.fsdecode(said).splitlines()
    assert lines[-2:] == ["filter.x.clean ", "merge.own.driver true"]


@fenced_only
def test_our_git_in_a_fenced_worktree_runs_in_a_sandbox(scene: Scene, tmp_path: Path) -> None:
    """A filter of the user's that lies in the repository is the agent's program there."""
    hidden = tmp_path / "home"
    hidden.mkdir()
    scene.repo.git("config", "filter.own.clean", f"touch {scene.ran}; ls {hidden}; cat")
    (scene.tree / ".gitattributes").write_text("* filter=own\n")
    (hidden / "callboard.db").touch()
    (scene.tree / "a").write_text("b\n")
    fenced = reach.for_reading(scene.repo.git_dir, str(scene.tree), (str(hidden),))
    assert list(changed(str(scene.tree), within=fenced)) == ["a"]
    assert not scene.ran.exists()
    diff = branch_diff(scene.repo.git_dir, str(scene.tree), scene.base, scene.base, True, fenced)
    assert "callboard.db" not in diff.text
    list(changed(str(scene.tree), within=reach.for_reading(scene.repo.git_dir, "", None)))
    assert scene.ran.exists()


@fenced_only
def test_an_agent_in_a_sandbox_cannot_configure_its_worktree(acting: Acting, repo: Path) -> None:
    git(repo, "config", "extensions.worktreeConfig", "true")
    script = (
        "$ git config --worktree filter.x.clean false && echo set > said || echo refused > said\n"
        '$ (echo >> "$(git rev-parse --git-dir)/config.worktree") && echo written >> said\n'
    )
    script += commit("b", "b", "b #done")
    acting.begin(plan_text(repo, {"a": [coder(script, sandbox="worktree")]}, 'test = ["true"]'))
    acting.status("completed")
    assert git(repo, "show", "main:said") == "refused"
