"""Worker processes: what they raise comes back as it was, and none is waited for without end."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.clis.keys import NoSuchChoice, keys_for_choice
from actors.clis.profile import Profile
from actors.clis.screen import render
from actors.git.running.errors import RepositoryError, Rule
from actors.git.trees.worktrees import guard
from actors.host import family
from actors.platform import processes, workers
from actors.platform.workers import Worker, WorkerDied, WorkerLate, _sendable


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("test", limit=20)
    yield worker
    worker.close()


def runtime_of(script: str) -> "subprocess.Popen[bytes]":
    """A process that has workers of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        cwd=Path(workers.__file__).parents[2],
    )


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


def test_a_pattern_that_backtracks_without_end_costs_its_limit_and_the_next_call_is_served() -> (
    None
):
    worker = Worker("test", limit=0.5)
    try:
        with pytest.raises(WorkerLate, match=r"search took longer than 0\.5 s"):
            worker.call(re.search, "^(a+)+$", "a" * 60 + "!")
        worker._limit = 20  # noqa: SLF001
        assert worker.call(len, "four") == 4
    finally:
        worker.close()


def test_a_limit_of_processor_time_holds_whatever_the_clock_says() -> None:
    """Hazard 96."""
    worker = Worker("test", limit=600, compute=0.5)
    try:
        with pytest.raises(WorkerLate, match=r"search computed for longer than 0\.5 s") as caught:
            worker.call(re.search, "^(a+)+$", "a" * 60 + "!")
        assert caught.value.computed
        assert worker.call(time.sleep, 0.7) is None, "it waits, and computes nothing"
        for _ in range(8):  # each call has a limit of its own
            assert worker.call(sum, range(2_000_000)) > 0
    finally:
        worker.close()


def test_a_call_that_is_stopped_with_everything_else_goes_on_after_it(tmp_path: Path) -> None:
    """Hazard 96. The runtime and its worker stand still, longer than a call may take."""
    began, go = tmp_path / "began", tmp_path / "go"
    for pipe in (began, go):
        os.mkfifo(pipe)
    words = ["sh", "-c", f"echo > {began}; cat {go}"]
    script = "import subprocess; from actors.platform import workers\n"
    script += "w = workers.Worker('test', 6); w.call(len, 'x'); print(w._process.pid, flush=True)\n"
    script += f"w.call(subprocess.run, {words!r}); print('answered', flush=True); w.close()"
    runtime = runtime_of(script)
    with runtime:
        assert runtime.stdout is not None
        pid = int(runtime.stdout.readline())
        began.read_text()
        for process in (runtime.pid, pid):
            os.kill(process, signal.SIGSTOP)
        time.sleep(13.0)
        for process in (pid, runtime.pid):
            os.kill(process, signal.SIGCONT)
        time.sleep(0.5)  # it waits again
        os.close(os.open(go, os.O_RDWR))  # also if nobody reads any more
        assert runtime.stdout.readline() == b"answered\n"


def test_a_late_call_is_ended_with_all_it_started(tmp_path: Path) -> None:
    """A git that hangs: it ignores TERM, and so does what it left in a session of its own."""
    worker = Worker("test", limit=60)
    worker.call(len, "warm")  # its start is not part of the limit
    worker._limit = 3  # noqa: SLF001
    pids = tmp_path / "pids"
    stubborn = f"trap '' TERM; echo $$ >> {pids}; while :; do sleep 0.1; done"
    script = f'setsid sh -c "{stubborn.replace("$$", chr(92) + "$$")}" & {stubborn}'
    try:
        with pytest.raises(WorkerLate):
            worker.call(subprocess.run, ["sh", "-c", script], start_new_session=True)
    finally:
        worker.close()
    found = [int(pid) for pid in pids.read_text().split()]
    assert len(found) == 2
    end = time.monotonic() + 60
    while any(processes.is_alive(pid, processes.start_time(pid)) for pid in found):
        assert time.monotonic() < end, found
        time.sleep(0.02)


@pytest.mark.skipif(not family.LINUX, reason="other systems name the members of a group")
def test_an_end_reads_the_processes_of_the_machine_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 95. A machine with a thousand terminals has thousands of processes."""
    looks: list[int] = []
    living = family.living

    def counted() -> dict[int, list[str]]:
        looks.append(1)
        return living()

    monkeypatch.setattr(family, "living", counted)
    worker = Worker("test", limit=60)
    try:
        child = worker.call(background, "sleep", "3600")
    finally:
        worker.close()
    assert processes.is_alive(*child) is False
    assert len(looks) == 2


def background(*words: str) -> tuple[int, str]:
    """Leave a process in a session of its own, and return its pid and start time."""
    pid = subprocess.Popen(words, start_new_session=True).pid
    return pid, processes.start_time(pid)


def test_closing_ends_the_call_under_way_and_serves_none_after_it() -> None:
    worker = Worker("test", limit=60)
    worker.call(len, "warm")
    threading.Timer(0.3, worker.close).start()
    with pytest.raises(WorkerDied):
        worker.call(time.sleep, 3600)
    with pytest.raises(WorkerDied, match="closed"):
        worker.call(len, "four")


def test_a_call_of_a_runtime_that_was_killed_ends_by_itself() -> None:
    """A pattern holds the interpreter, so nothing of Python's would end it."""
    hostile = "w.call(re.search, '^(a+)+$', 'a' * 60 + '!')"
    script = "import re; from actors.platform.workers import Worker; w = Worker('test', 3)\n"
    script += f"w.call(len, 'x'); print(w._process.pid, flush=True); {hostile}"
    runtime = runtime_of(script)
    with runtime:
        assert runtime.stdout is not None
        pid = int(runtime.stdout.readline())
        started = processes.start_time(pid)
        time.sleep(0.2)  # it computes; nothing tells of that
        runtime.kill()
    assert processes.is_alive(pid, started)
    end = time.monotonic() + 60
    while processes.is_alive(pid, started):
        assert time.monotonic() < end
        time.sleep(0.05)
