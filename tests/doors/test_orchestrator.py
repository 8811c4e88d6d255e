"""The orchestrator, from the plan to the terminals: a scripted model, and everything else real."""

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from bus.errors import Refused
from tests.doors.acting import Acting, helper, terminal
from tests.doors.kit import coder, commit, done, plan_text
from tests.doors.minded import VARIABLE, decision, fitting, minded, table, wants_summary
from tests.repositories import git, make_repo
from tests.scripted_model import KEY, Asked, Said, refusal

TURNS = "[cli.scripted.submit]\nevidence = '● Done'\n"
"""The agent of these plans is so quick that its turn may be over before anybody has looked."""
STOPS = "nudges = 0\nidle_after = 0.5"


def data(question: str, source: str) -> str:
    """What the report says below a source."""
    found = re.search(
        rf'<data (\w+) source="{re.escape(source)}">\n(.*?)\n</data \1>', question, re.DOTALL
    )
    return found[2] if found else ""


def becomes_idle(model_table: str, repo: Path, **keys: Any) -> str:
    """A plan whose one terminal ends its turn without a commit."""
    return plan_text(repo, {"a": [coder("$ true\n")]}, head=STOPS, tail=TURNS + model_table, **keys)


def acted(acting: Acting, number: int = 1) -> dict[str, Any]:
    return acting.fact("orchestrator.acted", number)


# ---- three scenarios ---------------------------------------------------------------------


def test_a_coder_that_was_rejected_twice_gets_a_better_instruction_and_passes(
    tmp_path: Path,
) -> None:
    better = commit("work", "right", "work #review")

    def script(asked: Asked) -> Said:
        if "rejected: demo/a/" not in asked.question:
            return fitting(asked, decision("nothing"))
        assert "still wrong" in data(asked.question, "rejected demo/a/")
        return fitting(asked, decision("instruct", terminal="demo/a/1/", text=better))

    flag, runs = tmp_path / "answered", tmp_path / "runs"
    count = f"n=$(cat {runs} 2>/dev/null || echo 0); echo $((n + 1)) > {runs}"
    wrong = "echo $n > work; git add -A; git commit -q -m 'work #review'"
    waits = f"while ! test -e {flag}; do sleep 0.1; done"
    steps = {
        "a": [
            coder(f"$ {count}; if test $n -lt 2; then {wrong}; else {waits}; fi\n"),
            coder(
                "$ if grep -q right work; then w='good #done'; else w='still wrong #fail'; fi; "
                'git commit -q --allow-empty -m "$w"\n',
                role="reviewer",
            ),
        ]
    }
    with minded(tmp_path / "home", script) as (acting, model):
        head = "max_review_rounds = 4\nidle_after = 60"
        repo = make_repo(tmp_path / "repo")
        acting.begin(plan_text(repo, steps, head=head, tail=TURNS + table(model)))
        found = acted(acting)
        assert (found["action"], found["accepted"]) == ("instruct", True), found
        flag.touch()
        acting.status("completed", timeout=90)
        assert git(repo, "show", "main:work") == "right"
        about = [each for each in model.asked if "rejected: demo/a/" in each.question]
        assert len(about) == 1  # a coder that stands still for long may be asked about, too


def test_red_tests_are_traced_to_the_branch_that_broke_them(tmp_path: Path) -> None:
    def script(asked: Asked) -> Said:
        broken = re.findall(r"BROKEN: (\w+)", data(asked.question, "tests and git"))
        guilty = [
            id
            for id in ("a", "b", "c")
            if any(f"{name} +1" in data(asked.question, f"files changed by feat/{id}")
                   for name in broken)
        ]  # fmt: skip
        (id,) = guilty
        return fitting(asked, decision("blame", task=f"demo/{id}/", text=f"{broken[0]} is broken"))

    flag = tmp_path / "once"
    broken = f"if test -e {flag}; then echo fine; else touch {flag}; echo broken; fi > second"
    steps = {
        "a": [done("first")],
        "b": [coder(f"$ {broken}; git add -A; git commit -q -m 'write second #done'\n")],
        "c": [done("third")],
    }
    check = "for f in *; do if grep -q broken $f; then echo BROKEN: $f; exit 1; fi; done"
    with minded(tmp_path / "home", script) as (acting, model):
        head = f'test = ["sh", "-c", {json.dumps(check)}]'
        repo = make_repo(tmp_path / "repo")
        acting.begin(plan_text(repo, steps, head=head, tail=table(model)))
        row = acting.status("completed", timeout=90)
        assert acted(acting)["about"] == "demo/b/"
        assert [t["terminals"][0]["incarnation"] for t in row["tasks"]] == [1, 2, 1]
        assert git(repo, "show", "main:second") == "fine"
        assert [f["passed"] for f in acting.facts("merge.tested")] == [False, True]


def test_a_forecast_conflict_leads_to_one_added_task(tmp_path: Path) -> None:
    note = commit("NOTES", "both sides stay", "write down how same is merged #done")

    def script(asked: Asked) -> Said:
        if "overlap: demo/" not in asked.question or "task demo/notes/" in asked.question:
            return fitting(asked, decision("nothing"))
        said = decision("add_task", task="notes", text=note, terminal="demo/a/1/")
        return fitting(asked, said)

    flag = tmp_path / "added"
    waits = f"while ! test -e {flag}; do sleep 0.1; done"
    steps = {
        id: [
            coder(
                f"$ echo {id} > same; git add -A; git commit -q -m 'begin'\n$ {waits}\n"
                f"$ echo {id} > {id}; git add -A; git commit -q -m 'end #done'\n"
            )
        ]
        for id in ("a", "b")
    }
    resolves = "$ printf 'a\\nb\\n' > same; git add -A; git commit -q -m 'both #done'"
    with minded(tmp_path / "home", script) as (acting, model):
        repo = make_repo(tmp_path / "repo")
        head = "idle_after = 60\nstall_after = 600"
        tail = table(model) + helper("merge", resolves)
        acting.begin(plan_text(repo, steps, head=head, tail=tail))
        acting.fact("task.added")
        flag.touch()
        acting.status("completed", timeout=90)
        assert git(repo, "show", "main:NOTES") == "both sides stay"
        (added,) = acting.facts("task.added")
        assert (added["address"], added["by"]) == ("demo/notes/", "orchestrator")


# ---- the other actions -------------------------------------------------------------------


def test_a_question_on_a_screen_is_answered_and_a_dangerous_one_is_not(tmp_path: Path) -> None:
    def script(asked: Asked) -> Said:
        assert "81" in data(asked.question, "choices of demo/a/1/")
        return fitting(asked, decision("answer", terminal="demo/a/1/", choice="81"))

    asks = "@ ask {} | 80 | 81\n$ echo $ANSWER > port; git add -A; git commit -q -m 'port #done'\n"
    rule = (
        "[[cli.careful.prompts]]\nname = 'erase'\npattern = 'Erase the disk'\n"
        "answer = '81'\ndangerous = true\n"
    )
    with minded(tmp_path / "home", script) as (acting, model):
        repo = make_repo(tmp_path / "repo")
        careful = {**coder(asks.format("Erase the disk?")), "cli": "careful"}
        steps = {"a": [coder(asks.format("Which port?"))], "b": [careful]}
        plan = plan_text(repo, steps, tail=table(model))
        own = plan[plan.index("[cli.scripted]") : plan.index("[orchestrator]")]
        plan = plan.replace("[[task]]", own.replace("scripted]", "careful]") + rule + "[[task]]", 1)
        acting.begin(plan)
        acting.until(lambda row: row["tasks"][0]["status"] == "completed")
        acting.until(lambda row: terminal(row, "b/1")["blocked"])
        (answered,) = acting.facts("terminal.answered")
        assert (answered["by"], answered["choice"]) == ("orchestrator", "81")
        assert len(model.asked) == 1
        blocked = [f for f in acting.facts("terminal.blocked") if f["address"] == "demo/b/1/"]
        assert blocked[-1]["dangerous"]


def test_what_this_machine_cannot_do_is_refused_and_told_with_the_next_question(
    tmp_path: Path,
) -> None:
    def script(asked: Asked) -> Said:
        first = decision("add_task", task="taken", text="x")
        return fitting(asked, first if len(model.asked) == 1 else decision("nothing"))

    with minded(tmp_path / "home", script) as (acting, model):
        repo = make_repo(tmp_path / "repo")
        git(repo, "branch", "callboard/taken")
        steps = {"a": [coder("$ true\n")], "b": [coder("$ true\n")]}
        acting.begin(plan_text(repo, steps, head=STOPS, tail=TURNS + table(model)))
        first = acted(acting)
        assert (first["action"], first["accepted"]) == ("add_task", False)
        assert "callboard/taken" in first["said"]
        acted(acting, 2)
        assert "callboard/taken" in data(model.asked[1].question, "refusal")


# ---- failures ----------------------------------------------------------------------------


def test_every_call_fails_and_the_plan_lands_all_the_same(tmp_path: Path) -> None:
    with minded(tmp_path / "home", lambda _asked: refusal(401, "no")) as (acting, model):
        repo = make_repo(tmp_path / "repo")
        acting.begin(becomes_idle(table(model), repo))
        answered = acting.fact("orchestrator.answered")
        assert answered["error"]
        assert answered["proposal"] == {}
        assert KEY not in json.dumps(acting.facts())
        text = commit("file", "x", "write #done")
        acting.call("terminal.send", terminal="demo/a/1/", text=text)
        acting.status("completed")


def test_an_answer_that_is_stored_is_not_asked_for_again_and_a_cut_call_is_spent(
    tmp_path: Path,
) -> None:
    hold = threading.Event()

    def script(asked: Asked) -> Said:
        if not hold.is_set():
            hold.wait(60)
        text = commit("file", "x", "write #done")
        return fitting(asked, decision("instruct", terminal="demo/a/1/", text=text))

    with minded(tmp_path / "home", script) as (acting, model):
        repo = make_repo(tmp_path / "repo")
        acting.begin(becomes_idle(table(model), repo))
        model.wait_for(1)
        acting.again()
        hold.set()
        acting.status("completed")
        acting.again()
        assert len([asked for asked in model.asked if not wants_summary(asked)]) == 2
        first, second = acting.facts("orchestrator.answered")[:2]
        assert (first["cut"], second["cut"]) == (True, False)
        tokens = [q["tokens"] for q in acting.row()["questions"]]
        assert tokens[0] == 40_000
        assert 0 < tokens[1] < 40_000
        asked = [fact["causes"] for fact in acting.facts("orchestrator.asked")]
        assert len([causes for causes in asked if causes != ["summary demo/"]]) == 2


def test_without_its_key_a_workflow_does_not_start(tmp_path: Path, acting: Acting) -> None:
    repo = make_repo(tmp_path / "keyless")
    settings = (
        '[orchestrator]\napi_type = "openai"\nmodel = "m"\n'
        f'api_key_env = "{VARIABLE}_THAT_IS_NOT_SET"\n'
    )
    acting.begin_later(plan_text(repo, {"a": [done("f")]}, tail=settings))
    acting.call("workflow.prepare", workflow="demo")
    acting.status("ready")
    with pytest.raises(Refused) as refused:
        acting.call("workflow.start", workflow="demo")
    assert refused.value.body.reason == "no_key"
    assert f"{VARIABLE}_THAT_IS_NOT_SET" in refused.value.body.message


# ---- the end ------------------------------------------------------------------------------


def test_a_plan_without_trouble_asks_only_for_a_summary_when_it_has_landed(tmp_path: Path) -> None:
    """Hazard 54."""
    with minded(tmp_path / "home", lambda asked: fitting(asked, decision("nothing"))) as (
        acting,
        model,
    ):
        repo = make_repo(tmp_path / "repo")
        prices = table(model, price_input=1.0, price_output=2.0)
        acting.begin(plan_text(repo, {"a": [done("f")], "b": [done("g")]}, tail=prices))
        answered = acting.fact("orchestrator.answered")
        assert answered["proposal"]["reason"] == "all of it landed"
        (asked,) = acting.facts("orchestrator.asked")
        assert asked["causes"] == ["summary demo/"]
        over = [f["seq"] for f in acting.facts("workflow.status") if f["new"] == "completed"]
        assert over[0] < asked["seq"]
        assert [wants_summary(each) for each in model.asked] == [True]
        assert [q["stage"] for q in acting.row()["questions"]] == ["over"]
        assert acting.facts("orchestrator.acted") == []
        assert answered["seq"] in {f["seq"] for f in acting.call("why", address="demo/")["facts"]}
        assert _thought(acting) == {
            "account": "orchestrator",
            "input": answered["tokens_in"],
            "output": answered["tokens_out"],
            "requests": 1,
            "cost": answered["cost"],
        }


def _thought(acting: Acting) -> dict[str, Any]:
    """What `usage` says of the workflow's own model."""
    found = acting.call("usage", address="demo")
    (line,) = [each for each in found["used"] if each["terminal"] == "demo/"]
    assert "demo/" not in found["unknown"]
    return {name: line[name] for name in ("account", "input", "output", "requests", "cost")}


def test_a_summary_that_was_cut_is_not_asked_for_again_and_its_use_is_unknown(
    tmp_path: Path,
) -> None:
    hold = threading.Event()

    def sums_up(asked: Asked) -> Said:
        hold.wait(60)
        return fitting(asked, decision("nothing", reason="too late"))

    with minded(tmp_path / "home", lambda _asked: refusal(401, "no"), sums_up) as (acting, model):
        repo = make_repo(tmp_path / "repo")
        acting.begin(plan_text(repo, {"a": [done("f")]}, tail=table(model)))
        acting.status("completed")
        model.wait_for(1)
        acting.again()
        hold.set()
        answered = acting.fact("orchestrator.answered")
        assert answered["cut"]
        acting.again()
        acting.until(lambda row: row["tidied"])
        assert [q["stage"] for q in acting.row()["questions"]] == ["unanswered"]
        assert len(model.asked) == 1
        used = acting.call("usage", address="demo")
        assert [each for each in used["used"] if each["terminal"] == "demo/"] == []
        assert "demo/" in used["unknown"]


def test_a_plan_without_an_orchestrator_ends_as_it_says_and_asks_nobody(
    tmp_path: Path, acting: Acting
) -> None:
    repo = make_repo(tmp_path / "repo")
    acting.begin(plan_text(repo, {"a": [done("f")]}))
    acting.status("completed")
    assert acting.row()["questions"] == []
    assert [f["type"] for f in acting.facts() if f["type"].startswith("orchestrator.")] == []
