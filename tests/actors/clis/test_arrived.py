"""An error as the answer of a model's server is evidence that the instruction arrived."""

import re

import pytest

from actors.clis.lookup import profiles


@pytest.mark.parametrize(
    ("cli", "line"),
    [
        ("codex", "■ unexpected status 401 Unauthorized"),
        ("gemini", "✕ [API Error: terminated]"),
        ("qwen", "  ✕ [API Error: 402]"),
    ],
)
def test_an_error_of_the_server_is_a_sign_of_a_turn(cli: str, line: str) -> None:
    pattern = profiles()[cli].submit.evidence
    assert re.findall(pattern, f"> do it\n\n{line}\n", re.MULTILINE) == [line]
    assert re.findall(pattern, "> do it\n", re.MULTILINE) == []
