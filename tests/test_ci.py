"""What a reader is told to run is what CI runs, and what a commit hook runs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CI = (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_readme_ci_and_contributing_run_the_tests_with_the_same_command() -> None:
    said = (ROOT / "README.md").read_text().splitlines()
    (command,) = [line for line in said if "pip install" in line and "pytest" in line]
    assert f"{command} --cov" in CI
    tests = command.rpartition(" && ")[2]
    assert f"| `{tests}` |" in (ROOT / "CONTRIBUTING.md").read_text()


def test_a_commit_hook_runs_nothing_but_what_ci_runs() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    entries = re.findall(r"^ +entry: (.*)$", hooks, re.MULTILINE)
    assert len(entries) == 4
    assert [entry for entry in entries if not any(line.endswith(entry) for line in CI)] == []


def test_an_entry_of_the_changelog_has_at_most_three_lines() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    entries = re.findall(r"^- .*(?:\n  .*)*", text, re.MULTILINE)
    assert len(entries) > 10
    assert [entry for entry in entries if entry.count("\n") > 2] == []
    assert [entry for entry in entries if len(entry) > 360] == []


def test_every_page_of_the_documentation_is_linked_from_its_index() -> None:
    docs = ROOT / "docs"
    linked = set(re.findall(r"\]\(([\w/-]+\.md)\)", (docs / "index.md").read_text()))
    pages = {str(path.relative_to(docs)) for path in docs.rglob("*.md")} - {"index.md"}
    assert pages == linked
