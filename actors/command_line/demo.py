"""Run the demo: a sample plan on a sample repository, with scripted agents in real terminals.

Two tasks run in parallel: `greet` with a coder and a reviewer, `farewell` with a coder. Their
branches are merged, the sample's tests run on the merge, and the merge lands on `main`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from shlex import quote

import click

from actors.command_line.client.daemon import down
from actors.command_line.output.printing import say
from actors.command_line.output.program import command
from actors.command_line.up import run_plan
from bus import connection
from bus.client import Client, NoAnswer
from bus.connection import NoRuntime, home_from, is_held
from bus.requests import WorkflowList
from bus.status import FINAL_WORKFLOW

_AGENT = Path(__file__).resolve().parents[2] / "examples" / "scripted_agent.py"

_FILES = {
    "hello.py": '''"""A small library that grows in the demo."""


def hello(name: str) -> str:
    return f"Hello, {name}!"
''',
    "test_hello.py": """import unittest

from hello import hello


class HelloTest(unittest.TestCase):
    def test_hello(self) -> None:
        self.assertEqual(hello("Ada"), "Hello, Ada!")
""",
    ".gitignore": "__pycache__/\n",
}

_PLAN = """\
name = "demo"
repo = {repo}
target = "main"
test = [{python}, "-m", "unittest", "-v"]

[cli.scripted]
command = [{python}, {agent}]
ready = '^> $'
busy = 'esc to interrupt'

[[task]]
id = "greet"
name = "Greet in many languages"
branch = "feat/greet"

[[task.terminal]]
cli = "scripted"
instruction = '''
Write greet.py with a function greet(name, language), and its tests.
$<< cat > greet.py
WORDS = {{"en": "Hello", "de": "Hallo", "fr": "Bonjour"}}


def greet(name: str, language: str = "en") -> str:
    return f"{{WORDS[language]}}, {{name}}!"
<<
$<< cat > test_greet.py
import unittest

from greet import greet


class GreetTest(unittest.TestCase):
    def test_german(self) -> None:
        self.assertEqual(greet("Ada", "de"), "Hallo, Ada!")
<<
$ git add -A && git commit -q -m "Greet in many languages #review"
'''

[[task.terminal]]
cli = "scripted"
role = "reviewer"
instruction = '''
Review the change: run its tests, and judge it.
$ {python_words} -m unittest -q test_greet
$ git commit -q --allow-empty -m "Reviewed: correct and tested #done"
'''

[[task]]
id = "farewell"
name = "Say goodbye"
branch = "feat/farewell"

[[task.terminal]]
cli = "scripted"
instruction = '''
Write farewell.py with a function farewell(name), and its tests.
$<< cat > farewell.py
def farewell(name: str) -> str:
    return f"Goodbye, {{name}}!"
<<
$<< cat > test_farewell.py
import unittest

from farewell import farewell


class FarewellTest(unittest.TestCase):
    def test_farewell(self) -> None:
        self.assertEqual(farewell("Ada"), "Goodbye, Ada!")
<<
$ git add -A && git commit -q -m "Say goodbye #done"
'''
"""


def run_demo(home: str | None, directory: str | None) -> int:
    """Make the sample, run it and print what to look at.

    Return the exit code, 0 only if the workflow landed.
    """
    place = Path(directory or tempfile.mkdtemp(prefix="callboard-demo-")).resolve()
    repo = place / "sample"
    if repo.exists():
        say(f"error: {repo} is there already; name another --dir", err=True)
        return 2
    make_sample(repo)
    plan = place / "plan.toml"
    plan.write_text(plan_text(repo))
    where = home_from(home) if home else place / "home"
    was_serving = is_held(where)
    click.get_current_context().find_root().obj = str(where)  # for the commands that are printed
    say(f"sample repository: {repo}\nplan: {plan}\nhome: {where}\n")
    try:
        code = run_plan(where, {"plan": plan.read_text(), "base": str(place)}, as_json=False)
    finally:
        if not was_serving and _is_over(where):
            _end(where)
    if code == 0:
        say(
            f"the demo landed; look at it:\n"
            f"  git -C {quote(str(repo))} log --oneline --graph\n"
            f"  cat {quote(str(plan))}\n"
            f"  {command('serve')}   # then: ps, events, why demo"
        )
    return code


def _is_over(home: Path) -> bool:
    """Return whether nothing goes on, as it does after the person has left the view."""
    try:
        with Client(connection.read(home).requests) as client:
            return all(row.status in FINAL_WORKFLOW for row in client.ask(WorkflowList()))
    except (NoRuntime, NoAnswer):
        return True


def _end(home: Path) -> None:
    """End the runtime that the demo started, and its terminals."""
    try:
        down(home, terminals=True)
    except NoRuntime as gone:
        say(f"note: {gone}", err=True)


def plan_text(repo: Path) -> str:
    """Return the demo's plan as TOML."""
    import json

    return _PLAN.format(
        repo=json.dumps(str(repo)),
        python=json.dumps(sys.executable),
        agent=json.dumps(str(_AGENT)),
        python_words=sys.executable,
    )


def make_sample(repo: Path) -> None:
    """Make a git repository with a test suite and one commit on `main`."""
    repo.mkdir(parents=True)
    for name, text in _FILES.items():
        (repo / name).write_text(text)
    _git(repo, "init", "-q", "-b", "main")
    _git(repo, "config", "user.name", "Callboard Demo")
    _git(repo, "config", "user.email", "demo@example.org")
    _git(repo, "add", "-A")
    _git(repo, "commit", "-q", "-m", "A small library")


def _git(repo: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=repo, check=True)
