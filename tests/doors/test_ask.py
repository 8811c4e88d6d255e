"""`ask`: a person asks the orchestrator's model, and has the last word on what it proposes."""

from pathlib import Path
from typing import Any

import pytest

from bus.errors import Refused
from tests.doors.acting import Acting, terminal
from tests.doors.kit import coder, commit, done, plan_text
from tests.doors.minded import decision, fitting, minded, table
from tests.doors.terminal_kit import Window
from tests.doors.test_notices import Phone, until_told
from tests.doors.test_orchestrator import TURNS, becomes_idle
from tests.repositories import make_repo
from tests.scripted_model import Asked, Said, refusal

WORDS = "who is late?"
RIGHT = commit("file", "x", "write #done")


def script(asked: Asked) -> Said:
    """Nothing of its own; for the person the instruction that ends the work."""
    if f"A person asks you:\n> {WORDS}" not in asked.question:
        return fitting(asked, decision("nothing"))
    said = decision("instruct", terminal="demo/a/1/", text=RIGHT, reason="a is late")
    return fitting(asked, said)


def has_stopped(acting: Acting, tmp_path: Path, model_table: str) -> None:
    """The plan's one program has ended its turn, and the model was asked about that."""
    acting.begin(becomes_idle(model_table, make_repo(tmp_path / "repo")))
    acting.until(lambda row: [q["stage"] for q in row["questions"]] in (["over"], ["unanswered"]))


def test_nothing_is_carried_out_before_the_person_says_so(tmp_path: Path) -> None:
    with minded(tmp_path / "home", script) as (acting, model):
        has_stopped(acting, tmp_path, table(model))
        step = terminal(acting.row(), "a/1")["step"]
        window = Window(acting.home, "ask", "demo", WORDS)
        while b"carry it out?" not in window.written:
            assert window.read()
        window.type("n\n")
        assert window.end() == 0
        assert acting.row()["questions"][1]["proposal"]["action"] == "instruct"

        out = acting.home.ok("ask", "demo", WORDS)
        accept = acting.home.command("ask", "demo", "--accept", "3")
        assert out.startswith("a is late\nit proposes: instruct\n  terminal: demo/a/1/\n")
        assert out.endswith(f"not carried out; to do it: {accept}\n")
        assert terminal(acting.row(), "a/1")["step"] == step
        assert WORDS in acting.fact("orchestrator.asked", 3)["causes"][0]

        acting.home.ok("ask", "demo", "--accept", "3")
        acting.status("completed")
        acted = acting.facts("orchestrator.acted")[-1]
        assert (acted["question"], acted["by"], acted["accepted"]) == (3, "person", True)
        with pytest.raises(Refused) as refused:
            acting.call("orchestrator.accept", workflow="demo", question=3)
        assert refused.value.body.code == 400


def test_without_a_model_or_an_answer_the_reason_is_told(tmp_path: Path) -> None:
    with minded(tmp_path / "home", lambda _: refusal(401, "no")) as (acting, model):
        has_stopped(acting, tmp_path, table(model))
        failed = acting.home.run("ask", "demo", WORDS)
        assert (failed.returncode, failed.stdout) == (1, "question 2 has no answer\n")
        assert "error: no answer: " in failed.stderr
        for words in (["demo"], ["demo", WORDS, "--accept", "1"]):
            assert acting.home.run("ask", *words).returncode == 2
        plain = plan_text(make_repo(tmp_path / "plain"), {"a": [done("f")]})
        acting.call("plan.submit", plan=plain.replace('name = "demo"', 'name = "plain"'))
        refused = acting.home.run("ask", "plain", WORDS)
        assert refused.returncode == 4
        assert "has no [orchestrator]" in refused.stderr


def test_what_the_model_leaves_to_a_person_waits_is_told_and_is_answered_to_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "phone").mkdir()
    phone = Phone(tmp_path / "phone")

    def leaves(asked: Asked) -> Said:
        if "A person asks you:" in asked.question:
            return fitting(asked, decision("nothing"))
        said = decision("escalate", text="Which port?", choices=["80", "--yes"])
        return fitting(asked, said)

    with minded(tmp_path / "home", leaves) as (acting, model):
        has_stopped(acting, tmp_path, table(model) + phone.table())
        sent = acting.fact("orchestrator.acted")
        until_told(acting, sent["seq"])
        told = "\n".join(notice["text"] for notice in phone.told())
        assert "demo/ needs a decision: Which port? 80, --yes" in told
        shown = acting.home.ok("ps")
        answer = acting.home.command("ask", "demo", "80")
        assert f"demo needs a decision: Which port? (80, --yes)\n    {answer}\n" in shown
        assert acting.home.command("ask", "demo", "--accept", "1") in shown
        acting.home.ok("ask", "demo", "80")
        assert "Which port?" in model.asked[-1].question
        assert "needs a decision" not in acting.home.ok("ps")


def test_a_proposal_that_a_person_accepts_answers_no_dangerous_prompt(tmp_path: Path) -> None:
    def answers(asked: Asked) -> dict[str, Any]:
        return fitting(asked, decision("answer", terminal="demo/a/1/", choice="81"))

    asks = (
        "@ ask Erase the disk? | 80 | 81\n$ echo $ANSWER > it; git add -A; git commit -qm '#done'"
    )
    rule = (
        "[[cli.scripted.prompts]]\nname = 'erase'\npattern = 'Erase the disk'\n"
        "answer = '81'\ndangerous = true\n"
    )
    with minded(tmp_path / "home", answers) as (acting, model):
        repo = make_repo(tmp_path / "repo")
        acting.begin(plan_text(repo, {"a": [coder(asks)]}, tail=rule + TURNS + table(model)))
        acting.until(lambda row: terminal(row, "a/1")["blocked"])
        found = acting.home.json("ask", "demo", WORDS, "--yes")
        assert (found["question"], found["carried_out"], found["waits"]) == (1, True, False)
        acting.call("terminal.answer", terminal="demo/a/1/", choice="80")
        acting.fact("terminal.answered")
        (answered,) = acting.facts("terminal.answered")
        assert (answered["choice"], answered["by"]) == ("80", "person")
        assert acting.fact("orchestrator.acted")["by"] == "person"
