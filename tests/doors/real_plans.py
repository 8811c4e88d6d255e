"""Plans for real CLIs, each with its own provider at the fake model, and what must come of them.

The fake model, `run.py`, the runtime and the programs live in one network namespace that has
only `lo`; the doors are Unix sockets, so that the tests speak to them from outside of it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.clis.keys import harmless
from tests.cli_install import Missing, cli_path
from tests.doors.kit import Home, moves, plan_text, types
from tests.doors.working import until
from tests.real_cli import Island
from tests.repositories import git

Fact = dict[str, Any]

# aider has no tools: it writes the file its model gives it, and commits by itself.
MADE = {"aider": ("made.txt", "made by the model server\n")}


def plan_for(
    repo: Path,
    names: list[str],
    url: str,
    tail: str = "",
    body: str = "",
    also: str = "true",
    **more: Any,
) -> str:
    """One task for each CLI; its provider's address, key and model are named after it.

    `tail` is added to the plan, `body` to each instruction, `also` to what is run; `more` to each
    terminal.
    """
    tasks, tables = {}, []
    for name in names:
        wanted = f"Add {name}.txt, please.\n{body}Then commit it. RUN: {_works(name, also)}"
        tasks[name] = [{"cli": name, "instruction": wanted, "provider": f"at-{name}", **more}]
        table = {
            "base_url": f"{url}/at-{name}",
            "model": f"model-{name}",
            "api_key_env": f"KEY_OF_{name.upper()}",
        }
        tables.append(f"[provider.at-{name}]")
        tables += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return plan_text(repo, tasks, head="max_terminals = 6", tail="\n".join([*tables, tail]))


def _works(name: str, also: str) -> str:
    """The command of a CLI's turn. continue is told it in a file, which the model cannot read."""
    made = f"echo {name} > {name}.txt && git add {name}.txt && git commit -qm '{name} #done'"
    return f"{also}; {made}"


def user(tmp_path: Path, names: list[str], paths: list[str]) -> dict[str, str]:
    """A user with an empty home, a name for git, and the providers' keys."""
    home = tmp_path / "user"
    home.mkdir(exist_ok=True)
    (home / ".gitconfig").write_text("[user]\nname = T\nemail = t@example.org\n")
    keys = {f"KEY_OF_{name.upper()}": f"key-{name}" for name in names}
    path = ":".join(dict.fromkeys(":".join(paths).split(":")))
    return {"PATH": path, "HOME": str(home), "USER": "tester", "SHELL": "/bin/sh", **keys}


def of(island: Island, name: str) -> list[Fact]:
    return [r for r in island.requests if r["path"].startswith(f"/at-{name}/")]


def lands(
    tmp_path: Path,
    repo: Path,
    names: list[str],
    before: Callable[[str], None] = lambda _: None,
    **more: Any,
) -> list[Fact]:
    """The facts of a plan with one task for each CLI, which lands.

    `before` is called with the fake model's address, `more` is for `plan_for`.
    """
    paths = found(names)
    with Island(_works(names[0], more.get("also", "true")), delay=0.5) as island:
        env = user(tmp_path, names, paths)
        before(island.url)
        plan = tmp_path / "plan.toml"
        plan.write_text(plan_for(repo, names, island.url, **more))
        home = Home(tmp_path / "home", island.prefix, env)
        try:
            ran = home.run("up", str(plan), timeout=330)
            shown = ran.stdout + ran.stderr
            facts = home.facts()
            assert ran.returncode == 0, shown + json.dumps(facts[-12:], indent=1)
            counted = {f["address"] for f in facts if f["type"] == "usage.counted"}
            told = set(names) & {"claude", "codex", "gemini", "pi", "qwen"}
            assert counted >= {f"demo/{name}/1/" for name in told}, shown
            kept = tmp_path / "home/terminals"
            homes = [kept / f"demo/{name}/1/1/home" for name in names]
            until(lambda: not any(map(Path.exists, homes)), "the config homes are removed")
        finally:
            home.close()
        check_landed(island, repo, names, facts, more.get("body", ""))
        return facts


def found(names: list[str]) -> list[str]:
    """PATHs with these CLIs on them; skips the test where one is missing."""
    places, missing = [], []
    for name in names:
        try:
            places.append(cli_path(name))
        except Missing as error:
            missing.append(str(error))
    if missing:
        pytest.skip("; ".join(missing))
    return places


def check_landed(
    island: Island, repo: Path, names: list[str], facts: list[Fact], body: str = ""
) -> None:
    """Each CLI's work is in the repository, told to it once, and made with its own provider."""
    for name in names:
        file, text = MADE.get(name, (f"{name}.txt", f"{name}\n"))
        assert (repo / file).read_text() == text
        asked = [r for r in of(island, name) if r.get("texts")]
        texts = [text for r in asked for text in r["texts"]]
        wanted = harmless(f"Add {name}.txt, please.\n{body}Then commit it.")
        by_file = name == "continue" and "Read the file" in "".join(texts)
        assert by_file or any(wanted in text for text in texts)
        assert {(r["key"], r["model"]) for r in asked} == {(f"key-{name}", f"model-{name}")}
    strays = [r for r in island.requests if r.get("texts") and not r["path"].startswith("/at-")]
    assert strays == []
    assert moves(facts, "demo/")[-1] == "completed"
    assert types(facts).count("instruction.delivered") == len(names)
    assert "instruction.unconfirmed" not in types(facts)
    assert git(repo, "status", "--porcelain") == ""
