import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.clis.profile import find_version, version_is_verified
from tests.cli_desk import COMMIT, PROFILES, Desk
from tests.cli_install import Missing, cli_path
from tests.real_cli import Island


@pytest.fixture
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    name: str = request.param
    try:
        path = cli_path(name)
    except Missing as error:
        pytest.skip(str(error))
    profile = PROFILES[name]
    shown = subprocess.run(
        [profile.command[0], *profile.version.args],
        env={"PATH": path, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    version = find_version(profile, shown.stdout)
    if not version_is_verified(profile, version):
        pytest.skip(f"{name} {version} is not a version the profile was verified with")
    with Island(COMMIT, delay=0.5) as island:
        yield Desk(tmp_path, profile, path, island)
