"""The parts of a terminal's actor: none reaches another, and each observation is fenced."""

import ast
from pathlib import Path

from actors.clis.judging import Judgement
from actors.terminal.actor import TerminalActor
from actors.terminal.ground import Ground
from actors.terminal.looks import Looks
from bus.facts import TerminalUnverified, TimedOut
from tests.actors.served import Served, facts, submit
from tests.doors.kit import coder, plan_text
from tests.repositories import make_repo

ROOM = Path(__file__).parents[3] / "actors" / "terminal"
PARTS = {
    "delivery", "exit", "freeze", "launch", "looks", "prompts", "setup", "silence", "timeout",
    "turn",
}  # fmt: skip
WIRING = {"actor", "ground"}


def _imports(part: str) -> set[str]:
    tree = ast.parse((ROOM / f"{part}.py").read_text())
    named = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    return {name.rpartition(".")[2] for name in named if name.startswith("actors.terminal.")}


def test_no_part_imports_another_part_or_the_actor() -> None:
    assert {part: _imports(part) & (PARTS | WIRING) for part in PARTS} == {
        part: set() for part in PARTS
    }
    assert _imports("actor") >= PARTS


def test_a_fact_of_an_incarnation_that_is_over_is_not_stored(
    served: Served, tmp_path: Path
) -> None:
    """Hazard 9. Also a fact with which no column is set."""
    plan = plan_text(make_repo(tmp_path / "repo"), {"a": [coder("$ true\n")]})
    name = submit(served, plan)
    served.until_status(name, "ready")
    at = f"{name}/a/1/"
    late = TerminalActor(served.runtime._stage, at)  # noqa: SLF001
    Ground.on_start(late)
    assert late.observe(TimedOut(address=at, incarnation=1, seconds=1.0))
    served.sql(f"UPDATE terminal SET incarnation = 2 WHERE address = '{at}'")
    assert late.row.incarnation == 1
    assert not late.observe(TimedOut(address=at, incarnation=1, seconds=2.0))
    assert late.row.incarnation == 2
    late.row.incarnation = 1
    fact = TerminalUnverified(address=at, incarnation=1, cli="x", version="1", verified=[])
    assert not late.observe(fact)
    assert [fact["seconds"] for fact in facts(served, "terminal.timeout")] == [1.0]
    assert facts(served, "terminal.unverified") == []


class Counting(TerminalActor):
    """An actor that counts how often it has its screen rendered."""

    rendered = 0

    def judge(self, before: int | None = None) -> Judgement:
        self.rendered += 1
        return super().judge(before)


def test_a_screen_without_new_output_is_not_rendered_again(served: Served, tmp_path: Path) -> None:
    plan = plan_text(make_repo(tmp_path / "repo"), {"a": [coder("$ true\n")]})
    name = submit(served, plan)
    served.until_status(name, "ready")
    actor = Counting(served.runtime._stage, f"{name}/a/1/")  # noqa: SLF001
    Ground.on_start(actor)
    looks = Looks(actor)
    seen, _ = looks.judge(None, 0)
    assert seen.ready
    assert looks.judge(None, 5000)[0] == seen
    assert actor.rendered == 1
    segment = max((actor.directory / "out").iterdir())
    segment.write_bytes(segment.read_bytes() + b"more")
    assert looks.judge(None, 0)[0].text.endswith("> more")
    assert actor.rendered == 2
    actor.size = (50, 100)
    looks.judge(None, 0)
    assert actor.rendered == 3
    looks.judge(seen.end, 0)
    assert actor.rendered == 4
