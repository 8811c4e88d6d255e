"""A merge whose driver or filter hangs.

The others go on, and it ends in a state that can be read.
"""

from pathlib import Path

import pytest

from actors.merger import actor as merger
from actors.system import own_worker
from tests.actors.served import Served, facts, submit, until, workers
from tests.doors.kit import done, plan_text
from tests.repositories import git, make_repo


def conflicting(repo: Path, driver: str) -> str:
    """A plan with two branches that only this merge driver can merge."""
    make_repo(repo, {"f": "1\n", ".gitattributes": "f merge=own\n"})
    git(repo, "config", "merge.own.driver", driver)
    return plan_text(repo, {"a": [done("f", "a")], "b": [done("f", "b")]})


def start(served: Served, plan: str) -> str:
    name = submit(served, plan)
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    return name


def test_another_workflow_lands_while_a_driver_hangs_and_no_worker_stays(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_worker, "REST_SECONDS", 0.5)
    gate, begun = tmp_path / "gate", tmp_path / "begun"
    slow = f"touch {begun}; while [ ! -e {gate} ]; do sleep 0.05; done"
    first = start(served, conflicting(tmp_path / "slow", slow))
    until(begun.exists)
    try:
        second = start(served, conflicting(tmp_path / "quick", "true"))
        served.until_status(second, "completed")
        assert served.client.call("workflow.get", workflow=first)["status"] == "merging"
        assert workers("merge of ")
    finally:
        gate.touch()
    served.until_status(first, "completed")
    until(lambda: not workers("merge of "))


@pytest.mark.parametrize("how", ["hangs", "fails"])
def test_a_filter_that_hangs_after_the_target_moved_is_said_once_and_a_person_goes_on(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(merger, "MERGE_SECONDS", 4.0)
    repo = make_repo(tmp_path / "repo", {"f": "1\n", ".gitattributes": "f filter=own\n"})
    smudge = f"[ $PWD != {repo} ] || exec {'sleep 99' if how == 'hangs' else 'false'}; cat"
    git(repo, "config", "filter.own.smudge", smudge)
    git(repo, "config", "filter.own.required", "true")
    git(repo, "config", "filter.own.clean", "cat")
    name = start(served, plan_text(repo, {"a": [done("f", "landed")]}))
    served.until(name, lambda row: row["merge"]["stage"] == "checkout")
    (behind,) = facts(served, "merge.behind")
    assert behind["checkouts"] == [str(repo)]
    assert ("a filter may be hanging" in behind["message"]) == (how == "hangs")
    assert git(repo, "show", "main:f") == "landed"
    assert (repo / "f").read_text() == "1\n"
    (offer,) = facts(served, "repair.offered")
    assert str(repo) in offer["evidence"]
    assert offer["actions"][0] == {"do": "merge.continue", "address": f"{name}/"}
    assert facts(served, "actor.failed") == []
    git(repo, "config", "filter.own.smudge", "cat")
    served.client.call("merge.continue", workflow=name)
    served.until_status(name, "completed")
    assert (repo / "f").read_text() == "landed\n"
    assert git(repo, "status", "--porcelain") == ""
