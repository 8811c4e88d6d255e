"""The attackers work at the doors: the same homes and repositories as there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors.acting import Acting
from tests.doors.kit import Home, make_repo


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    yield home
    home.close()


@pytest.fixture
def acting(home: Home) -> Acting:
    """A home with a runtime that serves it."""
    home.serve()
    return Acting(home)
