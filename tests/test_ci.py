"""What a reader is told to run is what runs for everybody."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_readme_ci_and_contributing_run_the_tests_with_the_same_command() -> None:
    said = (ROOT / "README.md").read_text().splitlines()
    (command,) = [line for line in said if "pip install" in line and "pytest" in line]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()
    tests = command.rpartition(" && ")[2]
    assert f"| `{tests}` |" in (ROOT / "CONTRIBUTING.md").read_text()
