"""A provider switched in the user's own files (`switch = "global"`), with the real CLIs.

What arrives is of the terminal's provider, also after the files were put back and changed again.
"""

import json
from pathlib import Path

import pytest

from actors.clis.placeholders import placeholders
from actors.clis.providers import provider
from actors.clis.switch import Switched, switch_off, switch_on
from tests import users_things
from tests.cli_desk import Desk

LONG = pytest.mark.long
CLIS = [pytest.param(n, marks=LONG) for n in ("claude", "gemini", "qwen", "opencode")]

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("desk", CLIS, indirect=True)
def test_a_running_one_keeps_its_provider_when_the_files_change(desk: Desk) -> None:
    home, name = Path(desk.env["HOME"]), desk.profile.name
    files = users_things.own_provider(name, f"{desk.island.url}/mine", desk.repo)
    users_things.write(files, home)
    settings = home / next(iter(files))
    mine = json.loads(settings.read_text())
    switched: list[Switched] = []
    launch = desk.launch("one", bypass=True, path="/one", isolated=False)

    def switch(name: str) -> None:
        table = {"base_url": f"{desk.island.url}/{name}", "model": f"model-{name}"}
        made = provider(name, {**table, "api_key_env": "K"})
        known = placeholders(made, f"key-{name}", settings.parent, desk.worktree, desk.repo)
        journal = desk.root / f"journal-{name}"
        switched.append(switch_on(desk.profile, made, known, desk.env, journal))

    switch("one")
    with desk.start(launch) as program:
        program.wait(desk.ready)
        switch_off(switched.pop())
        assert json.loads(settings.read_text()).items() >= mine.items()
        desk.deliver(program, "The first. RUN: true")
        desk.island.wait_for(lambda r: r.get("step") == "closing")
        program.wait(desk.idle, quiet=2.5)  # claude follows its files within about a second
        switch("two")
        program.wait(desk.idle, quiet=2.5)
        desk.deliver(program, "The second. RUN: true")
        desk.island.wait_for(lambda r: any("The second." in t for t in r.get("texts", [])))
        program.wait(desk.idle, quiet=1)
    asked = [r for r in desk.island.requests if r.get("texts")]
    assert {(r["path"].split("/")[1], r["key"], r["model"]) for r in asked} == {
        ("one", "key-one", "model-one")
    }
