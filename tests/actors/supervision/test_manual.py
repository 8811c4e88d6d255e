"""The examples in docs/supervision.md run."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def test_the_examples_of_the_manual_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs/supervision.md").read_text()
    first, *others = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    program = "\n".join([first.replace("tree.stop()\n", ""), *others, "tree.stop()\n"])
    module = ModuleType("manual")  # the example's dataclass looks its module up
    monkeypatch.setitem(sys.modules, "manual", module)
    exec(program, vars(module))
    assert {"tree", "supervisor", "Counter"} <= vars(module).keys()
