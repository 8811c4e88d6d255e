"""What README and the documentation tell a reader to type is run, as a newcomer would.

The blocks of a page are run in their order, in a small project and a home of their own. A scripted
agent stands for the AI CLI.
"""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from actors.clis import profile, rules
from actors.command_line.commands import main
from bus import plan
from tests.doors.kit import AGENT, PYTHON, ROOT
from tests.repositories import make_repo

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_RUN = {
    "pip install": "installs from an index: .ci/run and tests/test_install.py do it",
    "pipx install": "installs from an index; by hand, as docs/decisions.md says",
}

PYTHON_PROJECT = {
    "pyproject.toml": '[project]\nname = "greetings"\nversion = "1"\n',
    "greetings.py": 'def hello(name):\n    return f"Hello, {name}!"\n',
    "test_greetings.py": "from greetings import hello\n\n\ndef test_hello():\n"
    '    assert hello("Ada") == "Hello, Ada!"\n',
    ".gitignore": "__pycache__/\n.pytest_cache/\n",
}
JAVASCRIPT_PROJECT = {
    "package.json": '{"name":"w","version":"1.0.0","type":"module",'
    '"scripts":{"test":"node --test"}}',
    "package-lock.json": '{"name":"w","version":"1.0.0","lockfileVersion":3,"requires":true,'
    '"packages":{"":{"name":"w","version":"1.0.0"}}}',
    "whisper.js": "export const whisper = (text) => text.toLowerCase();\n",
    "whisper.test.js": 'import test from "node:test";\nimport assert from "node:assert";\n'
    'import { whisper } from "./whisper.js";\n'
    'test("whisper", () => assert.equal(whisper("A"), "a"));\n',
    ".gitignore": "node_modules/\n",
}
WORK = (
    "$ git branch --show-current | tr / - | xargs touch && git add -A && "
    "git commit -q --allow-empty -m 'Do what was said #done'"
)


class Block(NamedTuple):
    """A fenced block: its language and its text."""

    kind: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in re.findall(r"```(\w+)\n(.*?)```", page.read_text(), re.S)]


def is_run(text: str) -> bool:
    return not any(words in text for words in NOT_RUN)


WITH_COMMANDS = [
    page for page in PAGES if any(b.kind == "sh" and is_run(b.text) for b in blocks(page))
]


class Newcomer:
    """Somebody with a project, a home directory and the command `callboard`."""

    def __init__(self, place: Path, files: dict[str, str]) -> None:
        self.project = make_repo(place / "project", files)
        user = place / "user"
        (user / ".config" / "callboard").mkdir(parents=True)
        command = json.dumps([PYTHON, str(AGENT), "--do", WORK])
        (user / ".config" / "callboard" / "profiles.toml").write_text(
            f"[claude]\ncommand = {command}\nbypass_args = []\nready = '^> $'\n"
            "busy = 'esc to interrupt'\nsubmit = { evidence = '' }\nversion = { verified = [] }\n"
        )
        (user / ".gitconfig").write_text("[user]\nname = New\nemail = new@example.org\n")
        (user / ".npmrc").write_text("offline=true\naudit=false\nupdate-notifier=false\n")
        programs = place / "bin"
        programs.mkdir()
        for name, words in {
            "callboard": f'"{PYTHON}" "{ROOT / "run.py"}"',
            "python": f'"{PYTHON}"',
        }.items():
            (programs / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            (programs / name).chmod(0o755)
        self.env = {
            "HOME": str(user),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
        }

    def type(self, text: str) -> str:
        done = subprocess.run(
            ["sh", "-eu", "-c", text],
            cwd=self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        return done.stdout


@pytest.fixture
def newcomer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Newcomer]:
    page: Path = request.param
    if "javascript" in page.name and shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    files = JAVASCRIPT_PROJECT if "javascript" in page.name else PYTHON_PROJECT
    made = Newcomer(tmp_path, files)
    yield made
    made.type("callboard down --terminals || true")


@pytest.mark.parametrize(
    ("page", "newcomer"),
    [(page, page) for page in WITH_COMMANDS],
    ids=[page.name for page in WITH_COMMANDS],
    indirect=["newcomer"],
)
def test_every_block_of_commands_runs(page: Path, newcomer: Newcomer) -> None:
    said = ""
    for block in blocks(page):
        if block.kind == "toml" and block.text.startswith("# plan.toml\n"):
            (newcomer.project / "plan.toml").write_text(block.text)
        if block.kind == "sh" and is_run(block.text):
            said += newcomer.type(block.text)
    assert "completed" in said


def test_the_pages_for_newcomers_have_commands() -> None:
    names = {page.name for page in WITH_COMMANDS}
    assert {"README.md", "guide-python.md", "guide-javascript.md"} <= names


def test_what_is_not_run_is_still_there() -> None:
    every = "\n".join(block.text for page in PAGES for block in blocks(page))
    assert [words for words in NOT_RUN if words not in every] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_toml_block_is_what_it_says(page: Path) -> None:
    for block in blocks(page):
        if block.kind != "toml":
            continue
        table = tomllib.loads(block.text)
        if "task" in table:
            plan.decode(block.text)
        elif set(table) <= set(plan.Plan.__struct_fields__):
            task = '[[task]]\nid = "a"\nbranch = "a"\n[[task.terminal]]\ncli = "c"\n'
            whole = f'name = "n"\nrepo = "."\n{block.text}\n{task}instruction = "i"\n'
            plan.decode(whole)
        profile.load(None, table.get("cli", {}))


def test_every_command_that_is_named_is_there() -> None:
    for page in PAGES:
        for name in re.findall(r"`callboard ([a-z]+)", page.read_text()):
            assert name in main.commands, f"{page.name}: {name}"


# ---- [cli.NAME], key by key ------------------------------------------------------------------

TABLES: dict[str, type[msgspec.Struct]] = {
    "## `[cli.NAME]`": profile.Profile,
    "## `[[cli.NAME.prompts]]`": profile.PromptRule,
    "## `[[cli.NAME.limits]]`": rules.LimitRule,
    "## `[cli.NAME.usage]`": rules.UsageRule,
    "## `[cli.NAME.session]`": rules.SessionRule,
    "## `[cli.NAME.submit]`": profile.Submit,
    "## `[cli.NAME.home]`": profile.Home,
    "## `[cli.NAME.seed]`": profile.Seed,
    "An entry of `elsewhere`:": profile.Source,
    "An entry of `set`, here and in `provider`:": profile.SetKeys,
    "## `[cli.NAME.provider]`": profile.ProviderKeys,
    "An entry of `drop`:": profile.Drop,
    "## `[cli.NAME.exit]`": profile.Exit,
    "## `[cli.NAME.version]`": profile.Version,
}


@pytest.mark.parametrize("head", TABLES)
def test_every_key_of_a_profile_stands_in_its_table_with_its_default(head: str) -> None:
    page = (ROOT / "docs" / "profiles.md").read_text()
    body = page.split(f"\n{head}\n")[1].split("|---|---|---|\n")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]
    documented = {key.strip("`"): default.strip("`") for key, default, _ in rows}
    fields = {f.name: f for f in msgspec.structs.fields(TABLES[head])}
    if TABLES[head] is profile.Profile:
        del fields["name"]
    assert set(documented) == set(fields)
    for name, field in fields.items():
        if name != "pattern" and (default := spelled(field)):
            assert documented[name] == default, name


def spelled(field: msgspec.structs.FieldInfo) -> str:
    """A default as TOML; "" for none, for an empty text and for a table of its own."""
    value = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    if isinstance(value, tuple):
        value = list(value)
    plain = isinstance(value, bool | int | float | str | list | dict)
    return json.dumps(value, ensure_ascii=False) if plain and value != "" else ""
