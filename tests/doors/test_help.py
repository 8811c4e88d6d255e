"""What a start imports: `--help` only the texts of commands, an idle runtime no libgit2."""

import json
import subprocess
from pathlib import Path

from tests.doors.kit import PYTHON, ROOT

LOADED = """
import json, sys
{command}
try:
    main(["--help"])
except SystemExit:
    print("\\n" + json.dumps(sorted(sys.modules)))
"""
BARE = "import click; main = click.Group('any', commands=[click.Command('one', help='About it.')])"


def loaded(command: str) -> set[str]:
    said = subprocess.run(
        [PYTHON, "-c", LOADED.format(command=command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(said.stdout.splitlines()[-1]))


def test_help_loads_click_and_the_commands_and_nothing_else() -> None:
    ours = loaded("from actors.command_line.commands import main")
    assert "actors.command_line.commands" in ours
    assert {name for name in ours - loaded(BARE) if not name.startswith("actors")} == set()
    ends = ("commands", "entry", "exits", "options", "output", "printing", "program", "streams")
    inside = {name for name in ours if name.count(".") >= 2}
    assert all(name.endswith(ends) for name in inside), inside


def test_a_runtime_without_a_plan_has_not_loaded_libgit2(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from actors.runtime.runtime import Runtime
runtime = Runtime(Path({str(tmp_path / "home")!r}))
runtime.start()
print(sorted(name for name in sys.modules if name.startswith("pygit2")))
runtime.stop()
from actors.git.running.library import pygit2
print(pygit2.GitError.__module__)
"""
    ran = subprocess.run(
        [PYTHON, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["[]", "_pygit2"]
