"""A merge whose driver or filter hangs: the others go on, and it ends in a state that can be
read."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kit import done, git, make_repo, plan_text
from served import Served, submit, until

from actors import own_worker
from actors.terminals import family


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


def merge_workers() -> Iterator[int]:
    """The worker processes of this runtime that carry out merges."""
    me = str(os.getpid())
    for pid in [pid for pid, fields in family.living().items() if fields[1] == me]:
        with suppress(FileNotFoundError):
            if b"\0merge of " in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield pid


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
        assert list(merge_workers())
    finally:
        gate.touch()
    served.until_status(first, "completed")
    until(lambda: not list(merge_workers()))
