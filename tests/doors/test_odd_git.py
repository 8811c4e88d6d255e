"""What real repositories and users' settings hold, through a whole plan: it lands, or is told."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doors.kit import Home, coder, plan_text
from tests.repositories import git

LINES = "".join(f"line {number}\n" for number in range(30))
ODD = "caf\udce9.txt"


def plan(repo: Path, place: Path, scripts: dict[str, str]) -> str:
    path = place / "plan.toml"
    tasks = {id: [coder(script)] for id, script in scripts.items()}
    path.write_text(plan_text(repo, tasks, head='test = ["true"]'))
    return str(path)


def edit(line: int, text: str, file: str = "long") -> str:
    return f"$ sed -i 's/^line {line}$/{text}/' {file} && git commit -qam '{text} #done'\n"


def with_long(repo: Path) -> None:
    (repo / "long").write_text(LINES)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "long")


def robot(repo: Path) -> dict[str, str]:
    """An agent writes itself into the configuration that all worktrees share."""
    with_long(repo)
    set_it = "$ git config user.name Robot && git config user.email robot@example.org\n"
    return {"a": set_it + edit(3, "three"), "b": edit(20, "twenty")}


def split_index(repo: Path) -> dict[str, str]:
    with_long(repo)
    git(repo, "config", "core.splitIndex", "true")
    git(repo, "update-index", "--split-index")
    return {"a": edit(3, "three"), "b": edit(20, "twenty")}


def far_future(_repo: Path) -> dict[str, str]:
    """A rewritten commit of the year 10000, after one whose subject is Latin-1."""
    script = (
        "$ printf 'caf\\351' > /tmp/subject.$$ && git -c i18n.commitEncoding=latin1 commit -q"
        " --allow-empty -F /tmp/subject.$$; rm /tmp/subject.$$; sleep 0.5\n"
        "$ echo x > x && git add x && git commit -q --amend --date=@253402300800 -m 'late #done'\n"
    )
    return {"a": script}


def odd_names(repo: Path) -> dict[str, str]:
    (repo / ODD).write_text("x\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "odd")
    (repo / ODD).write_text("changed by the user\n")
    return {"a": "$ echo a > a && git add a && git commit -qm 'a #done'\n"}


def merge_driver(repo: Path) -> dict[str, str]:
    with_long(repo)
    (repo / ".gitattributes").write_text("lock merge=mine\n")
    (repo / "lock").write_text("0\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "attributes")
    git(repo, "config", "merge.mine.driver", "true")
    both = "$ echo {0} > lock && git commit -qam '{0} #done'\n"
    return {"a": both.format("a"), "b": both.format("b")}


def signatures(repo: Path) -> dict[str, str]:
    with_long(repo)
    git(repo, "config", "merge.verifySignatures", "true")
    return {"a": edit(3, "three"), "b": edit(20, "twenty")}


@pytest.mark.parametrize(
    "case", [robot, split_index, far_future, odd_names, merge_driver, signatures]
)
def test_it_lands(
    home: Home, repo: Path, tmp_path: Path, case: Callable[[Path], dict[str, str]]
) -> None:
    path = plan(repo, tmp_path, case(repo))
    json.loads(home.ok("check", path, "--json"))
    home.ok("up", path)
    merges = git(repo, "log", "--merges", "--format=%an <%ae> %cn", "main").splitlines()
    assert set(merges) == {"A U Thor <author@example.com> A U Thor"}
    assert not [f for f in home.facts() if f["type"] == "actor.failed"]


def test_a_conflict_in_a_name_that_is_no_text_is_told(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """Hazard 73."""
    with_long(repo)
    (repo / "long").rename(repo / ODD)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "odd")
    scripts = {id: edit(3, id, "caf*.txt") for id in ("a", "b")}
    done = home.run("up", plan(repo, tmp_path, scripts))
    assert done.returncode == 1
    (conflict,) = [f for f in home.facts() if f["type"] == "merge.conflict"]
    assert conflict["files"] == [r"caf\xe9.txt"]
    assert not [f for f in home.facts() if f["type"] == "actor.failed"]
    home.ok("merge", "demo", "--abort")
