"""`send`: a person's text becomes the next instruction of a terminal that works."""

import os
from pathlib import Path

from tests.doors.acting import Acting, say, terminal
from tests.doors.kit import coder, plan_text


def test_an_idle_terminal_goes_on_with_what_is_sent(acting: Acting, repo: Path) -> None:
    head = "idle_after = 1\nnudges = 0"
    acting.begin(plan_text(repo, {"a": [coder("nothing to do\n")]}, head=head))
    acting.until(lambda row: terminal(row, "a/1")["idle"])
    assert "send demo/a/1 TEXT" in acting.home.ok("ps")
    odd = acting.home.run("send", "demo/a/1", os.fsdecode(b"\xff"))
    assert (odd.returncode, odd.stderr.count("\n")) == (2, 1), odd.stderr
    nothing = acting.home.run("send", "demo/a/1", " ")
    assert nothing.returncode == 2
    acting.home.ok("send", "demo/a/1", say("at last #done"))
    acting.status("completed")
    late = acting.home.run("send", "demo/a/1", "again")
    assert late.returncode == 4
