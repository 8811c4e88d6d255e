from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.served import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "home")
    yield served
    served.close()
