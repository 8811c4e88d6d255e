from collections.abc import Callable
from pathlib import Path

import pytest

from actors.command_line.commands import main
from tests.doors.kit import Call, Home, Said
from tests.doors.working import Working


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """`run.py WORDS`: exit code, output, errors."""

    def call(*words: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(list(words), prog_name="run.py")
        said = capsys.readouterr()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return code, said.out, said.err

    return call


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without profiles and a home that must not come to be."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("CALLBOARD_HOME", str(tmp_path / "no-home"))
    return tmp_path / "no-home"


@pytest.fixture
def plan(tmp_path: Path) -> Callable[[str | bytes], str]:
    """A plan file of this text."""

    def plan(text: str | bytes) -> str:
        path = tmp_path / "plan.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return plan


@pytest.fixture
def working(home: Home, repo: Path, tmp_path: Path) -> Working:
    return Working(home, repo, tmp_path)
