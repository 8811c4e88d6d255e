"""Landings in tests, and a way to be killed anywhere."""

import os
import shutil
import signal
from collections.abc import Callable

from actors.git.landing.land import Landing, land
from actors.git.running import command
from tests.repositories import Repo


class Crasher:
    """Kills the process just before or after the k-th thing it does to disk or by git."""

    def __init__(self, step: int) -> None:
        self.left = step

    def tick(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            self.tick()
            result = function(*args, **options)
            self.tick()
            return result

        return call


def killed_at(step: int, action: Callable[[], object]) -> bool:
    """Run `action` in a child killed at `step`; whether the child was killed at all."""
    pid = os.fork()
    if pid == 0:
        crasher = Crasher(step)
        for module, names in {
            os: ("replace", "link", "unlink", "rmdir", "mkdir"),
            command: ("run",),
            shutil: ("rmtree", "copy2"),
        }.items():
            for name in names:
                setattr(module, name, crasher.wrap(getattr(module, name)))
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def land_next(repo: Repo) -> Landing:
    """`main` is to become `next`."""
    old, new = repo.oid("main"), repo.oid("next")
    return land(repo.git_dir, "main", old=old, new=new, message="callboard: landed demo")
