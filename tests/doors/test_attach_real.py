"""A real CLI through `attach`: it is seen, typed into, left running, and entered again."""

from pathlib import Path

import pytest

from tests.actors.command_line.test_attach import Person
from tests.doors.acting import Acting
from tests.doors.kit import PYTHON, ROOT, Home
from tests.doors.real_plans import found, plan_for, user
from tests.real_cli import Island

pytestmark = pytest.mark.timeout(400)

WORDS = (b"first-visit", b"second-visit")


@pytest.mark.long
@pytest.mark.parametrize("name", ["codex", "claude", "gemini"])
def test_a_real_cli_is_entered_and_left(tmp_path: Path, repo: Path, name: str) -> None:
    paths = found([name])
    with Island("true") as island:
        home = Home(tmp_path / "home", island.prefix, user(tmp_path, [name], paths))
        home.serve()
        acting = Acting(home)
        acting.call("plan.submit", plan=plan_for(repo, [name], island.url), base=str(tmp_path))
        acting.call("workflow.prepare", workflow="demo")
        acting.status("ready")
        attach = [PYTHON, str(ROOT / "run.py"), "attach", f"demo/{name}/1", "--home"]
        for word in WORDS:
            person = Person(home, command=[*attach, str(home.path)], size=(40, 120))
            person.until(b"\x1b[?2004h")  # it is inside, and the program's modes are set again
            person.type(word)
            person.until(word)
            before = len(person.seen)
            person.leave()
            left = person.seen[before:]
            assert b"\x1b[?2004l" in left  # the modes that the program had set are ended
            assert person.restored
            person.close()
        screen = acting.call("terminal.screen", terminal=f"demo/{name}/1")["text"]
        assert all(word.decode() in screen for word in WORDS)
        home.close()
