"""docs/security.md names a test for each threat, and it is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_threat_has_a_test_that_is_there() -> None:
    rows = [line for line in PAGE.split("## Threats")[1].splitlines() if re.match(r"\| D?\d", line)]
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[^`]+)::([^`]+)`", row)
        assert named, row
        for path, name in named:
            tree = ast.parse((ROOT / path).read_text())
            there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            assert name in there | stored, f"{path}::{name}"


def test_each_finding_of_the_review_has_its_row() -> None:
    table = PAGE.split("## Threats")[1].split("### The doors")[0]
    assert {int(n) for n in re.findall(r"^\| (\d+)\w? \|", table, re.M)} == set(range(1, 23))
