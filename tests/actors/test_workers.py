"""Worker processes: what they raise comes back as it was."""

import json
import os
import pickle
from collections.abc import Iterator

import pytest

from actors.clis.keys import NoSuchChoice, keys_for_choice
from actors.clis.profile import Profile
from actors.clis.screen import render
from actors.git.errors import RepositoryError, Rule
from actors.git.worktrees import guard
from actors.workers import Worker, _sendable


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("test")
    yield worker
    worker.close()


def test_an_error_keeps_its_class_its_words_and_its_fields(worker: Worker) -> None:
    screen = render(b"Which colour?\r\n\xe2\x9d\xaf 1. red\r\n  2. green", 10, 40)
    with pytest.raises(NoSuchChoice, match=r"^no choice 'blue'.*'red', 'green'$") as caught:
        worker.call(keys_for_choice, screen, "blue", Profile(name="x", command=("x",)))
    assert caught.value.choices == ["red", "green"]
    with pytest.raises(RepositoryError) as refused:
        worker.call(guard, "/repo/.git", "/home", "/elsewhere")
    assert refused.value.rule == Rule.NOT_OURS
    with pytest.raises(json.JSONDecodeError) as malformed:
        worker.call(json.loads, "[1,")
    assert malformed.value.pos == 3
    with pytest.raises(FileNotFoundError):
        worker.call(os.stat, "/no/such/file")
    assert worker.call(len, "four") == 4


def test_an_error_that_cannot_travel_leaves_its_words() -> None:
    error = ValueError("holds a function")
    error.function = lambda: None  # type: ignore[attr-defined]
    assert _sendable(error) == (RuntimeError, ("ValueError: holds a function",), {})
    assert pickle.loads(pickle.dumps(_sendable(error)))
