"""For every test, and for every process that a test starts."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.doors.acting import Acting
from tests.doors.kit import Home, shell_plan
from tests.repositories import make_repo

# The program is started a thousand times. Where nothing compiled may be kept, as in many
# containers, each start would compile all of it: three times the work of the start itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says how busy the machine is.
settings.register_profile("callboard", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("callboard")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit on `main`."""
    return make_repo(tmp_path / "repo")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home whose terminals are ended with the test."""
    home = Home(tmp_path / "home")
    yield home
    home.close()


@pytest.fixture
def acting(home: Home) -> Acting:
    """A home with a runtime that serves it."""
    home.serve()
    return Acting(home)


@pytest.fixture
def shell(home: Home, repo: Path, tmp_path: Path) -> Acting:
    """A workflow whose one terminal is a shell that has been told nothing yet."""
    home.serve()
    acting = Acting(home)
    acting.call("plan.submit", plan=shell_plan(repo), base=str(tmp_path))
    acting.call("workflow.prepare", workflow="demo")
    acting.status("ready")
    return acting
