"""What strangers write is read in a time that grows with its length, and not with its square."""

import time
from collections.abc import Callable

import pytest

from bus import commit_words, plan, toml
from bus.commit_words import parse
from bus.errors import Refused

SMALL, TIMES = 64 << 10, 16
"""The large text has a megabyte. Linear time grows 16 times, quadratic time 256 times."""
BOUND = 128
"""Between the two: where a text leaves the processor's caches, linear time grows up to 60 times."""

HEAD = "---METADATA---\n"
WORST: dict[str, Callable[[int], str]] = {
    "dashes in a block": lambda n: HEAD + "-" * n + "!",
    "blanks after a rule": lambda n: HEAD + "---a" + " " * n + "!",
    "letters after a rule": lambda n: HEAD + "---" + "a " * (n // 2) + "!",
    "blanks after a key": lambda n: HEAD + "key" + " " * n + "!",
    "blanks in the mark": lambda n: "---METADATA---" + " " * n + "!",
    "backticks that grow": lambda n: " ".join("`" * k for k in range(1, int((2 * n) ** 0.5))),
    "backticks": lambda n: "` `` " * (n // 5),
    "double quotes": lambda n: ' "a' * (n // 3),
    "single quotes": lambda n: " 'a'b" * (n // 5),
    "apostrophes": lambda n: "'a" * (n // 2),
    "curly quotes": lambda n: "\u201c\u2018«「" * (n // 4),
    "brackets": lambda n: "(" * n + "#done",
    "brackets after": lambda n: "#done" + ")" * n + "x",
    "a fence": lambda n: "`" * n + "x`",
    "a shortlog": lambda n: "Merge a\n\n* " + "a: (1" * (n // 5),
    "literal newlines": lambda n: "\\r\\n" * (n // 4),
    "one long word": lambda n: "#" * n,
    "short lines": lambda n: "> a\n" * (n // 4),
}


def seconds(read: Callable[[str], object], text: str) -> float:
    """The processor's time for one reading."""
    begun = time.process_time()
    read(text)
    return max(time.process_time() - begun, 1e-4)


def growth(read: Callable[[str], object], make: Callable[[int], str]) -> float:
    """How many times longer the large text takes than a small one, of its fastest three."""
    return seconds(read, make(SMALL * TIMES)) / min(seconds(read, make(SMALL)) for _ in range(3))


@pytest.mark.parametrize("worst", WORST)
def test_a_commit_message_is_read_in_linear_time(
    worst: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_words, "LIMIT", 1 << 30)
    assert growth(parse, WORST[worst]) < BOUND


def _decode(text: str) -> None:
    with pytest.raises(Refused):
        plan.decode(text)


TOML: dict[str, Callable[[int], str]] = {
    "a dotted key": lambda n: "a." * (n // 2) + "a = 1",
    "a quoted dotted key": lambda n: '"a b".' * (n // 6) + "a = 1",
    "in an inline table": lambda n: "x = {" + "a." * (n // 2) + "a = 1}",
    "a dotted table": lambda n: "[" + "a." * (n // 2) + "a]",
    "a long word": lambda n: "a" * n,
    "open quotes": lambda n: '"a' * (n // 2),
    "words and dots": lambda n: "a. b " * (n // 5),
}


@pytest.mark.parametrize("worst", TOML)
def test_a_plan_is_refused_in_linear_time(worst: str) -> None:
    assert growth(_decode, TOML[worst]) < BOUND


def test_a_key_of_many_parts_is_refused_with_its_line() -> None:
    with pytest.raises(toml.TomlError, match=r"at most 100 parts \(line 2\)"):
        toml.loads("a = 1\n" + "b." * 20_000 + "b = 1\n")
    assert toml.loads(".".join("c" * 50) + " = 1")
    assert toml.loads("text = '''\n" + "." * 500 + "\n'''")
