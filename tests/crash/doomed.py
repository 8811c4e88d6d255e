"""A runtime that dies where the tests want it: `python doomed.py HOME`.

It is the runtime as `run.py serve` starts it, with its durable steps and its effects
wrapped from outside: each is a point with a name (`commit.7.before`, `spawn.2.after`),
written to the file `$DOOM_TRACE`; at the point named `$DOOM` the process kills itself with
SIGKILL, as the out-of-memory killer would. Nothing of this is in the program itself.
"""

import functools
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from actors.clis import home as config_home  # noqa: E402
from actors.command_line.client.serving import PrintedReport  # noqa: E402
from actors.git.trees import worktrees  # noqa: E402
from actors.platform import workers  # noqa: E402
from actors.pty import session  # noqa: E402
from actors.pty.link import Link  # noqa: E402
from actors.pty.spawn import await_ready, spawn  # noqa: E402
from actors.runtime import serve as serving  # noqa: E402
from actors.terminal import delivery  # noqa: E402
from store.journal import Journal  # noqa: E402

_DOOM = os.environ.get("DOOM", "")
_counts: Counter[str] = Counter()
_lock = threading.Lock()
_trace = os.open(os.environ["DOOM_TRACE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

_IN_WORKERS = {"merge_branches", "checkout_tree", "land", "writes_for"}
"""Effects that a worker process carries out."""


def _number(kind: str) -> int:
    with _lock:
        _counts[kind] += 1
        return _counts[kind]


def _pass(name: str) -> None:
    os.write(_trace, f"{name}\n".encode())
    if name == _DOOM:
        os.kill(os.getpid(), signal.SIGKILL)


def _watched(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        number = _number(kind)
        _pass(f"{kind}.{number}.before")
        result = function(*args, **kwargs)
        _pass(f"{kind}.{number}.after")
        return result

    return call


class _Connection:
    """The writing connection: before and after each COMMIT."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._commit = _watched("commit", real.execute)

    def execute(self, sql: str, *values: Any) -> Any:
        run = self._commit if sql == "COMMIT" else self._real.execute
        return run(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _watch_commits(transaction: Callable[..., Any]) -> Callable[..., Any]:
    def run(journal: Any, group: Any) -> Any:
        if not isinstance(journal._connection, _Connection):  # noqa: SLF001
            journal._connection = _Connection(journal._connection)  # noqa: SLF001
        return transaction(journal, group)

    return run


def _watch_workers(call: Callable[..., Any]) -> Callable[..., Any]:
    def run(worker: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if function.__name__ not in _IN_WORKERS:
            return call(worker, function, *args, **kwargs)
        return _watched(function.__name__, call)(worker, function, *args, **kwargs)

    return run


def _wrap() -> None:
    put: Callable[[object, str, object], None] = setattr
    put(Journal, "_transaction", _watch_commits(Journal._transaction))  # noqa: SLF001
    put(workers.Worker, "call", _watch_workers(workers.Worker.call))
    put(session, "spawn", _watched("spawn", spawn))
    put(session, "await_ready", _watched("listen", await_ready))
    put(Link, "type", _watched("type", Link.type))
    put(Link, "end", _watched("end", Link.end))
    put(delivery.Delivery, "acknowledged", _watched("typed", delivery.Delivery.acknowledged))
    put(worktrees, "add", _watched("worktree", worktrees.add))
    put(worktrees, "remove", _watched("remove", worktrees.remove))
    put(worktrees, "discard", _watched("discard", worktrees.discard))
    put(config_home, "prepare", _watched("home", config_home.prepare))


if __name__ == "__main__":
    _wrap()
    serving.serve(Path(sys.argv[1]), 0.0, PrintedReport())
