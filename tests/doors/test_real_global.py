"""`switch = "global"` with real CLIs and the runtime.

The work is done with the terminal's own provider, and the user's files are as they were, also when
the runtime is killed meanwhile.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests import users_things
from tests.doors.acting import Acting
from tests.doors.kit import Home
from tests.doors.real_plans import check_landed, found, lands, plan_for, user
from tests.real_cli import Island

pytestmark = [pytest.mark.timeout(400), pytest.mark.long]

CLIS = ["claude", "gemini", "qwen", "opencode"]


class Own:
    """The files of a user with a provider of their own."""

    def __init__(self, name: str, tmp_path: Path, repo: Path) -> None:
        self.name, self.home, self.repo = name, tmp_path / "user", repo
        self.settings: dict[str, Any] = {}

    def write(self, url: str) -> None:
        files = users_things.own_provider(self.name, f"{url}/mine", self.repo)
        users_things.write(files, self.home)
        self.path = self.home / next(iter(files))
        self.settings = self.now()

    def now(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found

    @property
    def is_mine(self) -> bool:
        """Every key is as it was; the program itself may have added some."""
        return self.now().items() >= self.settings.items() and "callboard" not in str(self.now())


@pytest.mark.parametrize("name", CLIS)
def test_a_real_cli_lands_with_its_own_files_switched_and_put_back(
    name: str, tmp_path: Path, repo: Path
) -> None:
    own = Own(name, tmp_path, repo)
    lands(tmp_path, repo, [name], own.write, switch="global")
    assert own.is_mine


@pytest.mark.parametrize("name", CLIS)
def test_killed_while_switched_the_next_runtime_ends_it_well(
    name: str, tmp_path: Path, repo: Path
) -> None:
    own, paths = Own(name, tmp_path, repo), found([name])
    host = tmp_path / f"home/terminals/demo/{name}/1/1/host.json"
    with Island("true", delay=0.5) as island:
        env = user(tmp_path, [name], paths)
        own.write(island.url)
        home = Home(tmp_path / "home", island.prefix, env)
        try:
            home.serve()
            acting = Acting(home)
            plan = plan_for(repo, [name], island.url, switch="global")
            acting.call("plan.submit", plan=plan, base=str(tmp_path))
            acting.call("workflow.prepare", workflow="demo")
            acting.until(lambda _: host.exists())
            home.kill()
            assert not own.is_mine
            assert list((tmp_path / "home/switched").rglob("*.switch.json"))
            home.serve()
            acting.status("ready")
            notes = tmp_path / "home/switched"  # put back in the moment after it is ready
            # Not `rglob`, which fails where a directory goes while it looks.
            acting.until(lambda _: own.is_mine and not any(files for *_, files in os.walk(notes)))
            acting.call("workflow.start", workflow="demo")
            acting.status("completed", timeout=120)
            check_landed(island, repo, [name], acting.facts())
        finally:
            home.close()
    assert own.is_mine
