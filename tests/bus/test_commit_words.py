# ruff: noqa: RUF001 (typographic quotes are meant)

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.commit_words import (
    LIMIT,
    Block,
    Duty,
    Malformed,
    Meaning,
    Spoken,
    Status,
    instructions,
    parse,
)

BLOCK = """\
---METADATA---
workflow_id: demo
task_id: login
terminal_id: 1
status: {status}
"""


def meaning(message: str) -> Meaning | None:
    verdict = parse(message)
    assert not isinstance(verdict, Malformed), verdict
    return verdict.meaning if verdict else None


@pytest.mark.parametrize(
    "message",
    [
        "#done",
        "Login page #done",
        "Login page\n\n#done",
        "Login page\r\n\r\n#done\r\n",
        "Login page\r\r#done\r",
        "#done.",
        "(#done)",
        "[#done]",
        "**#done**",
        "_#done_",
        "#done, all tests pass",
        "#done: all tests pass",
        "完成 #done。",
        "（#done）",
        "Login page\u00a0#done",
        "don't stop #done",
        "the users' pages #done, isn't it",
        "I can't; you can't #done",
        'a 5" screen #done and a 6" one',
        "an open ` tick #done",
        "'tis #done",
        "rock 'n' roll #done",
        "Merge branch 'main' into feat/login #done",
        "Add login #done\n\nSigned-off-by: A U Thor <a@example.com>",
        "> what about login?\n#done",
        "```\ncode\n```\n#done",
        "    deeply indented by a here document #done",
        r"Login page\n\n#done",
        r"Login page\n#done\n",
        "* Login form #done\n* Login page",
        "Quote 'never\n\nclosed #done",
    ],
)
def test_a_word_by_itself_counts(message: str) -> None:
    assert meaning(message) is Meaning.DONE


@pytest.mark.parametrize(
    "message",
    [
        "",
        "\n",
        "done",
        "#doneish",
        "#done-ish",
        "foo#done",
        "##done",
        "#Done",
        "#done#review",
        "#done/x",
        "http://x/#done",
        "http://x/(#done)",
        "see page.html#done",
        "'#done'",
        '"#done"',
        "`#done`",
        "``a ` #done``",
        "“#done”",
        "‘don’t #done’",
        "«#done»",
        "「#done」",
        "write 'don't #done' here",
        'Revert "Login page #done"',
        'a "quote over\ntwo lines #done" here',
        "Merge branch '#done'",
        "Merge branch 'x #done'",
        "> #done",
        ">#done\n> > #done",
        "```\n#done\n```",
        "~~~ text\n#done\n```\n#done\n~~~",
        "````\n```\n#done\n````",
        "```\n#done",
        "fixup! Login page #done",
        "squash! Login page #done",
        "Squashed commit of the following:\n\ncommit 0123456789abcdef\nAuthor: A <a@b>\n"
        "Date:   now\n\n    Login page #done\n\n    body #fail\n",
        "Merge branch 'feat/x'\n\n* feat/x:\n  Login page #done\n  Other #fail\n",
        "Merge branch 'feat/x'\n\n* feat/x: (2 commits)\n  Login page #done\n",
        r'print("a\n\n #done b") is wrong',
        '"#done',
        "#done\u200d",
        "＃done",
    ],
)
def test_a_word_that_is_part_of_another_or_quoted_does_not_count(message: str) -> None:
    assert parse(message) is None


def test_fail_beats_review_beats_done() -> None:
    assert meaning("#done #review") is Meaning.REVIEW
    assert meaning("#review\n\n#done\n#fail") is Meaning.FAIL
    assert meaning("#done\n\nnot '#fail'") is Meaning.DONE


def test_own_words_after_a_squash_log_count() -> None:
    log = "Squashed commit of the following:\n\ncommit 0123456789abcdef\n\n    Old #fail\n\n"
    assert meaning(log + "New words #done") is Meaning.DONE


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.COMPLETED, Meaning.DONE),
        (Status.REVIEW_PASS, Meaning.PASS),
        (Status.REVIEW_REJECT, Meaning.REJECT),
        (Status.FAILED, Meaning.FAIL),
        (Status.CHECKPOINT, Meaning.CHECKPOINT),
    ],
)
def test_a_block_says_its_status(status: Status, expected: Meaning) -> None:
    verdict = parse("Login\n\n" + BLOCK.format(status=status))
    block = Block(workflow_id="demo", task_id="login", terminal_id="1", status=status)
    assert verdict == Spoken(expected, block)


def test_hazard_4_absent_next_action_is_plain_completion() -> None:
    """Hazard 4."""
    assert meaning(BLOCK.format(status="completed")) is Meaning.DONE
    with_action = parse(BLOCK.format(status="completed") + "next_action: continue\n")
    assert isinstance(with_action, Spoken)
    assert with_action.meaning is Meaning.DONE
    assert with_action.block is not None
    assert with_action.block.next_action == "continue"


def test_the_block_wins_over_words() -> None:
    assert meaning("All #fail\n\n" + BLOCK.format(status="completed")) is Meaning.DONE
    assert isinstance(parse("All #done\n\n" + BLOCK.format(status="finished")), Malformed)


@pytest.mark.parametrize(
    "message",
    [
        BLOCK.format(status="completed") + "Signed-off-by: A <a@b>\n",
        BLOCK.format(status="completed") + "\n🤖 Generated with a tool\n\nCo-Authored-By: C <c@d>",
        BLOCK.format(status="completed").replace("\n", "\n\n"),
        BLOCK.format(status="completed").replace("\n", "\r\n"),
        BLOCK.format(status="completed").replace("\n", r"\n"),
        "Login" + r"\n\n" + BLOCK.format(status="completed").replace("\n", r"\n"),
        BLOCK.format(status="completed") + "---\nmore words",
        BLOCK.format(status="completed") + "summary: an unknown key\n",
        BLOCK.format(status="'completed'"),
    ],
)
def test_a_block_is_read_whatever_surrounds_it(message: str) -> None:
    assert meaning(message) is Meaning.DONE


def test_issues_may_be_a_list() -> None:
    verdict = parse(
        BLOCK.format(status="review_reject")
        + "severity: error\nissues:\n- a.py: no test\n- b.py: typo\n  and more\nnext_action: fix\n"
    )
    assert isinstance(verdict, Spoken)
    assert verdict.block is not None
    assert verdict.block.issues == "- a.py: no test\n- b.py: typo\nand more"
    assert verdict.block.severity == "error"
    assert verdict.block.next_action == "fix"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (BLOCK.format(status="finished"), "status: 'finished' is not one of"),
        (BLOCK.format(status=""), "status: missing"),
        ("---METADATA---", "workflow_id: missing"),
        (BLOCK.format(status="completed").replace("task_id: login\n", ""), "task_id: missing"),
        (BLOCK.format(status="completed") + "status: failed\n", "status: given twice"),
        (BLOCK.format(status="completed") + "all is well\n", "not a `key: value` line"),
        (BLOCK.format(status="completed") * 2, "more than one"),
        (BLOCK.format(status="completed").replace("demo", "de mo"), "workflow_id: must be one"),
        ("x" * (LIMIT + 1), "longer than"),
    ],
)
def test_a_malformed_block_is_an_error_and_not_a_guess(message: str, reason: str) -> None:
    verdict = parse(message)
    assert isinstance(verdict, Malformed)
    assert reason in verdict.reason


@pytest.mark.parametrize("form", ["```\n{}\n```", "> {}", "{}"])
def test_a_quoted_block_does_not_count(form: str) -> None:
    block = BLOCK.format(status="completed").strip()
    quoted = form.format(block.replace("\n", "\n> ") if form.startswith(">") else block)
    assert (parse(quoted) is None) == (form != "{}")


def commands(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith("    git commit")]


EXPECTED = {
    Duty.CODE: [Meaning.DONE, Meaning.FAIL],
    Duty.CODE_FOR_REVIEW: [Meaning.REVIEW, Meaning.FAIL],
    Duty.REVIEW: [Meaning.DONE, Meaning.FAIL],
    Duty.MERGE: [Meaning.DONE, Meaning.FAIL],
    Duty.REPAIR: [Meaning.DONE, Meaning.FAIL],
}


@pytest.mark.parametrize("duty", list(Duty))
def test_hazard_5_the_text_we_ask_for_is_the_text_we_parse(duty: Duty, tmp_path: Path) -> None:
    """Hazard 5."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    identity = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgSign=false"]
    for command, expected in zip(commands(instructions(duty)), EXPECTED[duty], strict=True):
        program, *rest = shlex.split(command)
        subprocess.run(
            [program, "-C", tmp_path, *identity, *rest, "--allow-empty", "-q"], check=True
        )
        shown = subprocess.run(
            ["git", "-C", tmp_path, "log", "-1", "--format=%B"],
            check=True,
            capture_output=True,
            text=True,
        )
        assert meaning(shown.stdout) is expected


@pytest.mark.parametrize("duty", list(Duty))
def test_the_instruction_itself_says_nothing(duty: Duty) -> None:
    assert parse(instructions(duty)) is None
    assert parse("Login page\n\n" + instructions(duty)) is None
    assert parse(instructions(duty).replace("\n", "\r\n")) is None
    assert "\\n" not in instructions(duty)


@given(st.text())
def test_any_text_is_read_without_an_exception(message: str) -> None:
    parse(message)
    parse("---METADATA---\n" + message)


@given(st.text(alphabet="#done`'\"> ~-:\\nrevwfail\n\r", max_size=200))
def test_line_ends_do_not_matter(message: str) -> None:
    unix = message.replace("\r\n", "\n").replace("\r", "\n")
    assert parse(unix) == parse(unix.replace("\n", "\r\n"))


PLAIN = st.text(st.characters(exclude_characters="#`'\"~>\\*", exclude_categories=["C", "P", "S"]))


@given(PLAIN, st.sampled_from(["done", "review", "fail"]), PLAIN)
def test_a_word_between_plain_words_counts(before: str, word: str, after: str) -> None:
    assert meaning(f"{before} #{word} {after}") is Meaning(word)


@given(PLAIN, st.sampled_from("'\"`"), PLAIN)
def test_a_word_in_a_code_fence_or_quotes_never_counts(before: str, quote: str, after: str) -> None:
    line = before.replace("\n", " ") + " " + quote + "#done" + quote + " " + after
    assert parse(line) is None
    assert parse(f"{before}\n```\n#done {after}\n```\n") is None


VALUE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1).filter(
    lambda text: text == text.strip("\"'`")
)


@given(VALUE, VALUE, VALUE, st.sampled_from(list(Status)), st.none() | VALUE)
def test_every_block_survives_the_round_trip(
    workflow: str, task: str, terminal: str, status: Status, action: str | None
) -> None:
    text = f"Title\n\n---METADATA---\nworkflow_id: {workflow}\ntask_id: {task}\n"
    text += f"terminal_id: {terminal}\nstatus: {status}\n"
    text += f"next_action: {action}\n" if action else ""
    verdict = parse(text)
    assert isinstance(verdict, Spoken), verdict
    assert verdict.block == Block(
        workflow_id=workflow,
        task_id=task,
        terminal_id=terminal,
        status=status,
        next_action=action,
    )
