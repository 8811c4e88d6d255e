"""What a person sees: what waits for him, and what led there."""

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from actors.command_line.output.facts import said
from actors.command_line.output.printing import print_rich
from actors.command_line.views import tables
from actors.command_line.views.waiting import waits
from bus import facts
from bus.action import Action, Do
from bus.facts import AnyFact
from bus.kinds import Ending, MergeRefusal, Role
from bus.questions import Question
from bus.results import Chain, Finding, Report
from bus.rows import Forecast, Merge, Task, Terminal, Workflow
from bus.status import MergeStage, QuestionStage, TaskStatus, TerminalStatus, WorkflowStatus

_LEFT = Question(
    number=3,
    stage=QuestionStage.OVER,
    proposal={
        "action": "escalate",
        "text": "Which port?",
        "choices": ["80", "port 81", "--yes"],
    },
)
_MERGE = Merge(stage=MergeStage.CONFLICT, worktree="/home/w/.merge-1")


def _terminal(**values: Any) -> Terminal:
    row = {"address": "demo/a/1/", "task": "demo/a/", "position": 1, "role": "coder", "cli": "x"}
    return Terminal(**{**row, "status": TerminalStatus.RUNNING, "shall_run": True, **values})


def _workflow(status: str, *terminals: Terminal, **values: Any) -> Workflow:
    task = Task(
        address="demo/a/",
        id="a",
        name="A",
        position=0,
        branch="feat/a",
        status=TaskStatus.RUNNING,
        terminals=list(terminals),
    )
    row = {"id": "demo", "address": "demo/", "name": "demo", "repo": "/r", "git_dir": "/r/.git"}
    where = {"target": "main", "status": WorkflowStatus(status), "reason": "because"}
    return Workflow(**{**row, **where, "tasks": [task], **values})


def _text(shown: Any) -> str:
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


@pytest.mark.parametrize(
    ("workflow", "commands"),
    [
        (_workflow("created"), "prepare demo"),
        (_workflow("ready"), "start demo"),
        (_workflow("paused"), "resume demo"),
        (_workflow("failed"), "why demo"),
        (_workflow("running", _terminal(blocked="Go on?")), "attach demo/a/1, retry demo/a/1"),
        (_workflow("running", _terminal(stalled=True)), "attach demo/a/1, retry demo/a/1"),
        (
            _workflow("starting", _terminal(status=TerminalStatus.STARTING, waits="disk")),
            "why demo/a/1, clean --dry-run",
        ),
        (
            _workflow("running", _terminal(idle="No commit counts.")),
            "why demo/a/1, send demo/a/1 TEXT, attach demo/a/1, retry demo/a/1, stop demo/a",
        ),
        (
            _workflow("running", _terminal(idle="It waits for keys: password. Nothing changed.")),
            "why demo/a/1, attach demo/a/1, retry demo/a/1, stop demo/a",
        ),
        (_workflow("merging", merge=_MERGE), "merge demo --continue, repair demo"),
        (
            _workflow("running", questions=[_LEFT]),
            "ask demo 80, ask demo 'port 81', why demo, ask demo --accept 3",
        ),
        (
            _workflow(
                "merging",
                merge_terminal=_terminal(address="demo/merge/", task="", blocked="Go?"),
            ),
            "attach demo/merge",
        ),
    ],
)
def test_what_waits_for_a_person_has_its_commands(workflow: Workflow, commands: str) -> None:
    (wait,) = waits(workflow)
    assert wait.commands == [f"python run.py {words}" for words in commands.split(", ")]
    told = [wait for _, wait in tables.waiting([_workflow("running", _terminal()), workflow])]
    assert told == [wait]
    assert _text(tables.ps([workflow], told)).splitlines()[0] == "waits for you"


@pytest.mark.parametrize(
    ("statuses", "commands"),
    [
        (["failed", "pending"], ["retry demo/0"]),
        (["pending", "pending"], ["prepare demo"]),
        (["cancelled", "pending"], ["prepare demo"]),
        (["completed", "cancelled"], ["merge demo --continue"]),
        (["completed", "cancelled", "pending"], ["retry demo/2", "stop demo/2"]),
    ],
)
def test_a_failed_workflow_names_what_goes_on(statuses: list[str], commands: list[str]) -> None:
    tasks = [
        Task(
            address=f"demo/{n}/",
            id=str(n),
            name="",
            position=n,
            branch=f"b/{n}",
            status=TaskStatus(status),
            after=["1"] if n == 2 else [],
        )
        for n, status in enumerate(statuses)
    ]
    (wait,) = waits(_workflow("failed", tasks=tasks))
    assert wait.commands == [f"python run.py {words}" for words in [*commands, "why demo"]]


@pytest.mark.parametrize(
    "workflow",
    [
        _workflow("running", _terminal()),
        _workflow("running", _terminal(blocked="Go on?", shall_run=False)),
        _workflow("starting", _terminal(status=TerminalStatus.STARTING, waits="place")),
        _workflow("merging"),
        _workflow("merging", merge=_MERGE, merge_terminal=_terminal(address="demo/merge/")),
        _workflow("completed"),
        _workflow("completed", questions=[_LEFT]),
    ],
)
def test_what_goes_on_by_itself_waits_for_nobody(workflow: Workflow) -> None:
    assert waits(workflow) == []
    assert tables.waiting([workflow]) == []
    assert "waits for you" not in _text(tables.ps([workflow]))


def test_lines_below_others_have_guides_and_each_takes_one_line() -> None:
    workflow = _workflow("running", _terminal(), _terminal(cli="[x] :bug:"))
    workflow.tasks.append(msgspec.structs.replace(workflow.tasks[0], branch="feat/\nb"))
    lines = _text(tables.ps([workflow])).splitlines()
    guides = [line.partition("demo")[0] for line in lines]
    task, own = ["├── ", "└── "], ["├── ", "└── "]
    first = [task[0], *(f"│   {guide}" for guide in own)]
    assert guides == ["", *first, task[1], *(f"    {guide}" for guide in own)]
    assert lines[-1].endswith(" [x] :bug:")


def test_a_forecast_is_shown_while_tasks_run() -> None:
    pair = Forecast(branches=["feat/a", "feat/b"], files=["x", "y"])
    foreseen = "feat/a and feat/b would conflict in x, y"
    for status, shown in (("running", True), ("paused", True), ("merging", False)):
        assert (foreseen in _text(tables.ps([_workflow(status, forecast=[pair])]))) == shown


def test_why_shows_what_each_fact_carries() -> None:
    where = "demo/a/1/"
    told: list[AnyFact] = [
        facts.TerminalExited(
            address=where, incarnation=1, kind=Ending.EXITED, status=3, screen="oops"
        ),
        facts.TerminalBlocked(
            address=where, incarnation=1, prompt="trust", choices=["Yes", "No"], text="Trust it?"
        ),
        facts.ResolutionJudged(address="demo/", commit="c" * 40, problems=["x:1 has a marker"]),
        facts.MergeTested(
            address="demo/", commit="c" * 40, passed=False, command=["make", "test"], status=2,
            output="/home/t/out", tail="it broke",
        ),
        facts.MergeRefused(
            address="demo/", reason=MergeRefusal.REF_REFUSED, message="a hook\nsaid no"
        ),
    ]  # fmt: skip
    chain = Chain(address=where, status="failed", reason="exited [3]", facts=told)
    idle = Terminal(
        address=where,
        task="demo/a/",
        position=1,
        role=Role.CODER,
        cli="x",
        status=TerminalStatus.RUNNING,
        gone=False,
        idle="Nothing was changed.",
    )
    waits = Chain(address=where, status="running", facts=told, terminal=idle)
    assert _text(tables.why(waits)).splitlines()[0] == "demo/a/1/ running idle"
    shown = _text(tables.why(chain))
    assert shown.splitlines()[0] == "demo/a/1/ failed: exited [3]"
    for part in (
        "exit status 3", "oops", "asks (trust): Yes | No", "Trust it?", "x:1 has a marker",
        "red (status 2)", "make test", "cat /home/t/out/*", "it broke", "said no",
    ):  # fmt: skip
        assert part in shown, shown


def test_an_offer_is_shown_as_commands_also_where_the_first_version_wrote_them_as_text() -> None:
    offer = facts.RepairOffered(address="demo/", failed=[], evidence="")
    offer.actions = [Action(Do.RETRY, "demo/a/")]
    assert said(offer) == "python run.py retry demo/a"
    offer.actions, offer.commands = [], ["python run.py why demo"]
    assert said(offer) == "python run.py why demo"


def test_what_ended_long_ago_is_counted_and_named_with_its_command() -> None:
    shown = _text(tables.ps([_workflow("running", _terminal())], [], 3))
    assert shown.splitlines()[-1] == "3 that ended before are not shown: python run.py ps --all"
    assert "no workflow yet" not in _text(tables.ps([], [], 1))


def test_a_path_in_a_table_is_wrapped_and_not_cut() -> None:
    long = "/home/" + "x" * 90
    report = Report(ok=True, items=[Finding(what=f"home {long}", help=f"mkdir {long}")])
    out = io.StringIO()
    Console(file=out, width=60).print(tables.doctor(report))
    lines = out.getvalue().splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert "".join(lines).count("x") == 180


def test_in_a_pipe_a_table_is_as_wide_as_it_needs_to_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    long = "/home/" + "x" * 90
    made = {"name": "a", "base_url": long, "model": long, "problem": "", "key": "KEY"}
    print_rich(tables.providers([made]))
    _, line = capsys.readouterr().out.splitlines()
    assert line.split() == ["a", long, long, "KEY"]


def test_red_tests_end_with_their_output_and_the_way_on() -> None:
    row = _workflow("failed", reason="the tests ended with status 1")
    for task in row.tasks:
        task.status = TaskStatus.COMPLETED
    output = "\n".join(f"line {n}" for n in range(99))
    row.merge = Merge(commit="c", runs=1, problem=f"{row.reason}\nmake test: all of it\n{output}")
    lines = tables.outcome(row).splitlines()
    assert lines[0] == "demo/ failed: the tests ended with status 1"
    assert lines[1:3] == ["    make test: all of it", "    …"]
    assert "    line 98" in lines
    assert "    line 50" not in lines
    assert [line.strip() for line in lines[-3:]] == [
        "python run.py repair demo",
        "python run.py merge demo --continue",
        "python run.py why demo",
    ]


def test_a_conflict_says_what_to_do_and_where() -> None:
    merge = Merge(stage=MergeStage.CONFLICT, worktree="/home/w/.merge-1", files=["a.py", "b.py"])
    (wait,) = waits(_workflow("merging", merge=merge))
    assert wait.what == (
        "demo has a conflict in a.py, b.py: resolve it and commit in /home/w/.merge-1, then go on"
    )
    commands = ["python run.py merge demo --continue", "python run.py repair demo"]
    assert wait.commands == commands


def test_a_large_workflow_is_folded_unless_it_is_asked_for() -> None:
    """What runs and what failed stays; what is over or has not begun is counted."""
    workflow = _workflow("running")
    (model,) = workflow.tasks
    by_number = [*[TaskStatus.COMPLETED] * 30, *[TaskStatus.PENDING] * 28, TaskStatus.FAILED]
    workflow.tasks = [model] + [
        msgspec.structs.replace(model, address=f"demo/t{number}/", status=status)
        for number, status in enumerate(by_number)
    ]
    folded = _text(tables.ps([workflow], whole=False))
    assert "30 completed, 28 pending: python run.py ps demo" in folded
    assert [word for word in folded.split() if word.startswith("demo/")][-3:] == [
        *("demo/", "demo/a/", "demo/t58/"),
    ]
    assert _text(tables.ps([workflow])).count("demo/t") == 59
