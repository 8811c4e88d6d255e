import shutil
from pathlib import Path

import pytest

from actors.git.landing.resolution import (
    Checked,
    Materialized,
    check_resolution,
    check_worktree,
    materialize,
)
from actors.git.merging.merge import MergeResult, merge_branches, plan_merge
from actors.git.reading.identity import CALLBOARD
from actors.git.running.errors import RepositoryError, Rule
from tests.repositories import Repo

BASE = "import a\n\n\ndef one():\n    return 1\n\n\ndef two():\n    return 2\n"
ONTO = BASE.replace("import a", "import a, b").replace("return 1", "return 10")
TIP = BASE.replace("import a", "import a, c").replace("return 1", "return 100") + "\nlast = 1\n"
GOOD = (
    "import a, b, c\n\n\ndef one():\n    return max(10, 100)\n\n\ndef two():\n    return 2\n"
    "\nlast = 1\n"
)


class Case:
    """A merge of branch `tip` into branch `onto`, laid out under the home."""

    def __init__(self, repo: Repo, home: Path) -> None:
        self.repo, self.home = repo, home
        self.path = home / "merge"
        self.onto, self.tip = repo.oid("onto"), repo.oid("tip")

    def lay_out(self) -> Materialized:
        return materialize(
            self.repo.git_dir,
            str(self.home),
            str(self.path),
            onto=self.onto,
            tip=self.tip,
            message="Merge tip",
            author=CALLBOARD,
        )

    def resolve(self, files: dict[str, str], message: str = "Merge #done") -> Checked:
        self.repo.commit(message, files, at=self.path)
        return self.check()

    def check(self) -> Checked:
        return check_worktree(self.repo.git_dir, str(self.path), onto=self.onto, tip=self.tip)


@pytest.fixture
def case(repo: Repo, home: Path) -> Case:
    repo.commit("Code", {"m.py": BASE})
    repo.branch("onto", {"m.py": ONTO, "onto.py": "onto = 1\n"})
    repo.branch("tip", {"m.py": TIP, "tip.py": "tip = 1\n"})
    case = Case(repo, home)
    assert case.lay_out() == Materialized(str(case.path), None)
    return case


def waits_for_commit(case: Case) -> bool:
    """Whether a merge that was laid out is not committed yet."""
    return Path(case.repo.git_dir, "worktrees", case.path.name, "MERGE_HEAD").exists()


def kinds(checked: Checked) -> list[tuple[str, str]]:
    return [(problem.kind, problem.path) for problem in checked.problems]


def test_a_conflict_is_laid_out_with_markers_and_merge_head(case: Case) -> None:
    text = (case.path / "m.py").read_text()
    assert "<<<<<<<" in text
    assert case.repo.oid("MERGE_HEAD", at=case.path) == case.tip
    assert waits_for_commit(case)
    case.repo.write({"m.py": "half done\n"}, at=case.path)
    assert case.lay_out().resolved is None
    assert (case.path / "m.py").read_text() == "half done\n"


def test_a_resolution_that_somebody_recorded_is_not_laid_out(case: Case, tmp_path: Path) -> None:
    """Hazard 91."""
    other = Repo.made(tmp_path / "other")
    other.git("config", "rerere.enabled", "true")
    other.git("pull", "-q", case.repo.path, "onto")
    other.git("pull", "-q", "--no-rebase", case.repo.path, "tip", check=False)
    other.commit("Recorded", {"m.py": GOOD + "planted = 1\n"})
    shutil.copytree(f"{other.git_dir}/rr-cache", f"{case.repo.git_dir}/rr-cache")
    case.repo.git("worktree", "remove", "--force", case.path)
    case.lay_out()
    text = (case.path / "m.py").read_text()
    assert "<<<<<<<" in text
    assert "planted" not in text


def test_an_unfinished_layout_is_made_anew(case: Case) -> None:
    name = case.path.name
    (Path(case.repo.git_dir) / "worktrees" / name / "callboard").write_text("scratch\n")
    case.repo.git("merge", "--abort", at=case.path)
    case.lay_out()
    assert waits_for_commit(case)


def test_another_merge_in_the_same_place_is_refused(case: Case) -> None:
    case.tip = case.repo.branch("other", {"m.py": BASE + "other\n"})
    with pytest.raises(RepositoryError) as error:
        case.lay_out()
    assert error.value.rule is Rule.PATH_IN_THE_WAY


def test_a_good_resolution_has_no_problems_and_the_merge_goes_on_from_it(case: Case) -> None:
    checked = case.resolve({"m.py": GOOD})
    assert checked.problems == ()
    assert case.lay_out().resolved == checked.head
    assert not waits_for_commit(case)
    case.repo.branch("third", {"third.py": "3\n"})
    branches = [(name, "") for name in ("onto", "tip", "third")]
    request = plan_merge(case.repo.git_dir, "main", branches, time=1, base=checked.head)
    outcome = merge_branches(request)
    assert isinstance(outcome, MergeResult)
    assert [step.commit is None for step in outcome.steps] == [True, True, False]


def test_nothing_resolved_yet(case: Case) -> None:
    checked = case.check()
    assert kinds(checked) == [("uncommitted", ""), ("not_merged", "")]


def test_hazard_50_conflict_markers_are_found(case: Case) -> None:
    """Hazard 50."""
    checked = case.resolve({})
    assert ("markers", "m.py") in kinds(checked)


def test_a_file_that_always_had_markers_is_no_problem(repo: Repo, home: Path) -> None:
    sample = "<<<<<<< HEAD\nsample = 1\n=======\nsample = 2\n>>>>>>> other\n"
    repo.commit("Sample", {"m.py": sample + BASE})
    repo.branch("onto", {"m.py": sample + ONTO})
    repo.branch("tip", {"m.py": sample + TIP})
    case = Case(repo, home)
    case.lay_out()
    assert case.resolve({"m.py": sample + GOOD}).problems == ()


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        (ONTO, ["+import a, c", "+last = 1"]),
        (TIP, ["+import a, b", "+return 10"]),
        (GOOD.replace("\nlast = 1\n", ""), ["+last = 1"]),
        (GOOD + "import a\n", ["-import a"]),
    ],
)
def test_hazard_50_lost_hunks_are_named(case: Case, text: str, lost: list[str]) -> None:
    """Hazard 50."""
    checked = case.resolve({"m.py": text})
    told = "\n".join(problem.text for problem in checked.problems)
    for line in lost:
        assert line in told
    assert {problem.kind for problem in checked.problems} == {"missing"}


@pytest.mark.parametrize("end", ["\x0c", "\x85", "\u2028", "\r"])
def test_a_lost_line_that_holds_an_end_which_is_none_for_git_is_named(
    repo: Repo, home: Path, end: str
) -> None:
    """Python ends a line at more characters than git does. Hazard 50."""
    repo.commit("Code", {"m.py": BASE})
    repo.branch("onto", {"m.py": ONTO})
    repo.branch("tip", {"m.py": TIP + f"odd = '{end}' + 'kept'\n"})
    case = Case(repo, home)
    case.lay_out()
    checked = case.resolve({"m.py": GOOD})
    assert kinds(checked) == [("missing", "m.py")]
    assert case.resolve({"m.py": GOOD + f"odd = '{end}' + 'kept'\n"}).problems == ()


def test_hazard_50_work_dropped_outside_the_conflict_is_found(case: Case) -> None:
    """Hazard 50."""
    case.repo.write({"m.py": GOOD, "onto.py": "onto = 2\n"}, at=case.path)
    (case.path / "tip.py").unlink()
    checked = case.resolve({})
    assert set(kinds(checked)) == {("missing", "onto.py"), ("missing", "tip.py")}


def test_hazard_50_a_hunk_may_be_dropped_by_name(case: Case) -> None:
    lost = case.resolve({"m.py": TIP}).problems
    assert lost
    waivers = "\n\n".join(f"Dropped: m.py:{problem.line}: superseded" for problem in lost)
    assert case.resolve({}, waivers).problems == ()


@pytest.mark.parametrize(
    ("waiver", "counts"),
    [
        ("Dropped: m.py", True),
        ("Dropped: m.py: not needed", True),
        ("Dropped: m.py not needed", True),
        ("Dropped: m.py:999: elsewhere", False),
        ("Dropped: m.pyx: another file", False),
        ("dropped m.py", False),
    ],
)
def test_only_an_exact_waiver_counts(case: Case, waiver: str, counts: bool) -> None:
    assert (case.resolve({"m.py": TIP}, f"Merge\n\n{waiver}").problems == ()) is counts


def test_hazard_50_a_merge_that_forgot_its_second_parent_is_found(case: Case) -> None:
    case.repo.git("merge", "--abort", at=case.path)
    assert kinds(case.resolve({"m.py": GOOD})) == [("not_merged", "")]


def test_modified_here_and_deleted_there_must_be_decided_by_name(repo: Repo, home: Path) -> None:
    repo.branch("onto", {"a.txt": "changed\n"})
    side = repo.path.parent / "side"
    repo.git("worktree", "add", "-q", "-b", "tip", side, "main")
    repo.git("rm", "-q", "a.txt", at=side)
    repo.commit("Delete", at=side)
    case = Case(repo, home)
    case.lay_out()
    assert kinds(case.resolve({"a.txt": "changed\n"})) == [("missing", "a.txt")]
    (case.path / "a.txt").unlink()
    assert kinds(case.resolve({}, "Delete after all")) == [("missing", "a.txt")]
    assert case.resolve({}, "Decide\n\nDropped: a.txt: not used any more").problems == ()


def test_binary_files_are_one_or_the_other_by_name(repo: Repo, home: Path) -> None:
    repo.commit("Binary", {"x.bin": "\0base"})
    repo.branch("onto", {"x.bin": "\0onto"})
    repo.branch("tip", {"x.bin": "\0tip"})
    case = Case(repo, home)
    case.lay_out()
    assert kinds(case.resolve({"x.bin": "\0tip"})) == [("missing", "x.bin")]
    assert case.resolve({}, "Choose\n\nDropped: x.bin: the tip's is newer").problems == ()


def test_a_file_renamed_on_one_side_is_found_under_its_new_name(repo: Repo, home: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(40))
    repo.commit("Long", {"long.txt": text})
    side = repo.path.parent / "side"
    repo.git("worktree", "add", "-q", "-b", "onto", side, "main")
    repo.git("mv", "long.txt", "moved.txt", at=side)
    repo.commit("Rename", {"moved.txt": text.replace("line 5\n", "line five\n")}, at=side)
    repo.branch("tip", {"long.txt": text.replace("line 5\n", "line V\n")})
    case = Case(repo, home)
    case.lay_out()
    both = text.replace("line 5\n", "line five or line V\n")
    assert case.resolve({"moved.txt": both}).problems == ()
    one = text.replace("line 5\n", "line five\n")
    assert kinds(case.resolve({"moved.txt": one})) == [("missing", "long.txt")]


def test_what_git_merges_alone_needs_nobody(repo: Repo, home: Path) -> None:
    repo.branch("onto", {"x": "1\n"})
    repo.branch("tip", {"y": "1\n"})
    case = Case(repo, home)
    found = case.lay_out()
    assert found.resolved == repo.oid("HEAD", at=case.path)
    assert repo.git("log", "-1", "--format=%s %an", at=case.path) == "Merge tip Callboard"
    assert case.check().problems == ()


def test_an_automatic_merge_is_always_a_good_resolution(repo: Repo) -> None:
    repo.commit("Code", {"m.py": BASE})
    repo.branch("onto", {"m.py": BASE.replace("import a", "import b")})
    repo.branch("tip", {"m.py": BASE + "last = 1\n"})
    request = plan_merge(repo.git_dir, "onto", [("tip", "")], time=1)
    outcome = merge_branches(request)
    assert isinstance(outcome, MergeResult)
    onto, tip = repo.oid("onto"), repo.oid("tip")
    assert check_resolution(repo.git_dir, onto=onto, tip=tip, head=outcome.result) == ()


@pytest.mark.parametrize("size", [3, 7, 32])
@pytest.mark.parametrize("style", ["merge", "diff3"])
def test_markers_of_the_size_that_the_attributes_say_are_found(
    repo: Repo, home: Path, size: int, style: str
) -> None:
    """Hazard 50."""
    attributes = f"m.py conflict-marker-size={size}\n"
    repo.commit("Code", {"sub/m.py": BASE, "sub/.gitattributes": attributes})
    repo.git("config", "merge.conflictStyle", style)
    repo.branch("onto", {"sub/m.py": ONTO})
    repo.branch("tip", {"sub/m.py": TIP})
    case = Case(repo, home)
    case.lay_out()
    laid_out = (case.path / "sub" / "m.py").read_text()
    assert laid_out.startswith(f"{chr(60) * size} ")
    assert "markers" in {problem.kind for problem in case.resolve({"sub/m.py": laid_out}).problems}
    assert case.resolve({"sub/m.py": GOOD}).problems == ()


def test_a_name_that_is_no_text_is_waived_as_it_is_shown(repo: Repo, home: Path) -> None:
    name = "caf\udce9.py"
    repo.commit("Code", {name: BASE})
    repo.branch("onto", {name: ONTO})
    repo.branch("tip", {name: TIP})
    case = Case(repo, home)
    case.lay_out()
    (found,) = {problem.path for problem in case.resolve({name: ONTO}).problems}
    assert found == r"caf\xe9.py"
    assert case.resolve({}, f"Merge #done\n\nDropped: {found}: not wanted").problems == ()


def test_what_cannot_be_examined_is_not_a_resolution(case: Case) -> None:
    case.resolve({"m.py": GOOD})
    assert case.check().problems == ()
    index = Path(case.repo.git("rev-parse", "--absolute-git-dir", at=case.path)) / "index"
    index.write_bytes(b"no index")
    (problem,) = check_worktree(
        case.repo.git_dir, str(case.path), onto=case.onto, tip=case.tip
    ).problems
    assert problem.kind == "uncommitted"
    assert "cannot be examined" in problem.text
