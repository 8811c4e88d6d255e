"""The main job with real CLIs: parallel tasks, each CLI with its own provider, to landed.

The fake model, `run.py`, the runtime and the programs live in one network namespace that has
only `lo`; the doors are Unix sockets, so that the tests speak to them from outside of it.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from kit import Home, git, moves, plan_text, types
from real_cli import Island, cli_path

pytestmark = pytest.mark.timeout(400)

THREE = ["claude", "codex", "gemini"]
ALL = [*THREE, "qwen", "opencode", "aider"]
# aider has no tools: it writes the file its model gives it, and commits by itself.
MADE = {"aider": ("made.txt", "made by the fake model\n")}


def plan_for(repo: Path, names: list[str], url: str, **more: Any) -> str:
    """One task for each CLI; its provider's address, key and model are named after it."""
    tasks, tables = {}, []
    for name in names:
        command = f"echo {name} > {name}.txt && git add {name}.txt && git commit -qm '{name} #done'"
        wanted = f"Add {name}.txt, please.\nThen commit it. RUN: {command}"
        tasks[name] = [{"cli": name, "instruction": wanted, "provider": f"at-{name}", **more}]
        table = {
            "base_url": f"{url}/at-{name}",
            "model": f"model-{name}",
            "api_key_env": f"KEY_OF_{name.upper()}",
        }
        tables.append(f"[provider.at-{name}]")
        tables += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return plan_text(repo, tasks, head="max_terminals = 6", tail="\n".join(tables))


def user(tmp_path: Path, names: list[str], paths: list[str]) -> dict[str, str]:
    """A user with an empty home, a name for git, and the providers' keys."""
    home = tmp_path / "user"
    home.mkdir(exist_ok=True)
    (home / ".gitconfig").write_text("[user]\nname = T\nemail = t@example.org\n")
    keys = {f"KEY_OF_{name.upper()}": f"key-{name}" for name in names}
    path = ":".join(dict.fromkeys(":".join(paths).split(":")))
    return {"PATH": path, "HOME": str(home), "USER": "tester", "SHELL": "/bin/sh", **keys}


def of(island: Island, name: str) -> list[dict[str, Any]]:
    return [r for r in island.requests if r["path"].startswith(f"/at-{name}/")]


def lands(tmp_path: Path, repo: Path, names: list[str], **more: Any) -> list[dict[str, Any]]:
    """The facts of a plan with one task for each CLI, which lands."""
    paths = {name: cli_path(name) for name in names}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        pytest.skip(f"not installed (PATH, $CALLBOARD_TEST_CLIS, npm): {', '.join(missing)}")
    with Island("true", delay=0.5) as island:
        env = user(tmp_path, names, [path for path in paths.values() if path])
        plan = tmp_path / "plan.toml"
        plan.write_text(plan_for(repo, names, island.url, **more))
        home = Home(tmp_path / "home", island.prefix, env)
        try:
            ran = home.run("up", str(plan), timeout=330)
            shown = ran.stdout + ran.stderr
            facts = home.facts()
            assert ran.returncode == 0, shown + json.dumps(facts[-12:], indent=1)
        finally:
            home.close()
        for name in names:
            file, text = MADE.get(name, (f"{name}.txt", f"{name}\n"))
            assert (repo / file).read_text() == text
            asked = [r for r in of(island, name) if r.get("texts")]
            texts = [text for r in asked for text in r["texts"]]
            assert any(f"Add {name}.txt, please.\nThen commit it." in text for text in texts)
            assert {(r["key"], r["model"]) for r in asked} == {(f"key-{name}", f"model-{name}")}
        strays = [r for r in island.requests if r.get("texts") and not r["path"].startswith("/at-")]
        assert strays == []
        assert moves(facts, "demo/")[-1] == "completed"
        assert types(facts).count("instruction.delivered") == len(names)
        assert "instruction.unconfirmed" not in types(facts)
        assert git(repo, "status", "--porcelain") == ""
        return facts


def test_one_real_cli_lands(tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, ["codex"])


def test_three_real_clis_with_three_providers_land(tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, THREE)


@pytest.mark.long
def test_a_real_cli_lands_with_its_own_files_switched_and_put_back(
    tmp_path: Path, repo: Path
) -> None:
    settings = tmp_path / "user/.qwen/settings.json"
    settings.parent.mkdir(parents=True)
    mine = '{"model": {"name": "my-model"}, "ui": {"hideTips": true}}\n'
    settings.write_text(mine)
    lands(tmp_path, repo, ["qwen"], switch="global")
    after = json.loads(settings.read_text())
    assert after["model"] == {"name": "my-model"}
    assert after["ui"] == {"hideTips": True}
    assert "security" not in after


@pytest.mark.long
def test_three_real_clis_that_ask_are_answered_by_label(tmp_path: Path, repo: Path) -> None:
    facts = lands(tmp_path, repo, THREE, auto_confirm="known")
    answered = [f for f in facts if f["type"] == "terminal.answered"]
    assert {f["address"] for f in answered} == {f"demo/{name}/1/" for name in THREE}
    assert {f["by"] for f in answered} == {"policy"}
    assert "terminal.blocked" not in types(facts)


@pytest.mark.long
def test_aider_lands(tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, ["aider"])


@pytest.mark.long
def test_all_real_clis_land(tmp_path: Path, repo: Path) -> None:
    lands(tmp_path, repo, ALL)
