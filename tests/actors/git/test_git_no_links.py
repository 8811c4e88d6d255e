"""Landing on a file system without hard links (exFAT, some network shares).

The kernel refuses `link` in a child process and in every git it starts, as such a file system does.
"""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Callable

import pytest

from actors.git.landing.checkout import Checkout
from actors.git.landing.hold import Intent, Locked
from actors.git.landing.land import Landed, TargetLocked, land, take_stock
from tests.actors.git.git_repos import killed_at, land_next
from tests.repositories import Repo

CALLS = {"x86_64": (86, 265), "aarch64": (37,)}.get(platform.machine(), ())
"""The numbers of `link` and `linkat`."""
EPERM = 1

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not CALLS, reason="seccomp is Linux's, the numbers are a machine's"
)


def refuse_links() -> None:
    """Have the kernel answer EPERM to `link` from now on, in this process and its children."""
    code = [struct.pack("HBBI", 0x20, 0, 0, 0)]  # load the number of the system call
    for number in CALLS:
        code.append(struct.pack("HBBI", 0x15, 0, 1, number))  # unless it is this, skip one
        code.append(struct.pack("HBBI", 0x06, 0, 0, 0x0005_0000 | EPERM))  # fail with EPERM
    code.append(struct.pack("HBBI", 0x06, 0, 0, 0x7FFF_0000))  # allow
    text = ctypes.create_string_buffer(b"".join(code))
    program = struct.pack("HL", len(code), ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0


def without_links(action: Callable[[], object]) -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            refuse_links()
            with pytest.raises(PermissionError):
                os.link(__file__, "/tmp/no-link")
            action()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.fixture
def next_one(repo: Repo) -> Repo:
    repo.branch("next", {"a.txt": "next\n", "new/file": "x\n"})
    return repo


def test_it_lands(next_one: Repo) -> None:
    def action() -> None:
        assert isinstance(land_next(next_one), Landed)

    without_links(action)
    assert next_one.git("status", "--porcelain") == ""
    assert (next_one.path / "new" / "file").read_text() == "x\n"
    assert not (next_one.path / ".git" / "index.lock").exists()


def test_anothers_lock_is_respected(next_one: Repo) -> None:
    lock = next_one.path / ".git" / "index.lock"
    lock.write_text("another's")

    def action() -> None:
        assert isinstance(land_next(next_one), TargetLocked)

    without_links(action)
    assert lock.read_text() == "another's"


def test_a_lock_that_a_crash_has_left_is_ours(next_one: Repo) -> None:
    intent = Intent("main", next_one.oid("main"), next_one.oid("next"))

    def action() -> None:
        Checkout(str(next_one.path)).hold.take(intent)
        Checkout(str(next_one.path)).hold.take(intent)
        other = Intent("main", intent.new, intent.old)
        with pytest.raises(Locked):
            Checkout(str(next_one.path)).hold.take(other)

    without_links(action)
    found = take_stock(next_one.git_dir, "main", intent.new)
    assert (found.moved, found.behind) == (False, ())
    assert isinstance(land_next(next_one), Landed)


@pytest.mark.parametrize("step", range(1, 60, 4))
def test_kill_anywhere_leaves_the_old_target_or_completes_the_new(
    next_one: Repo, step: int
) -> None:
    """Hazard 49."""
    old, new = next_one.oid("main"), next_one.oid("next")

    def action() -> None:
        land(next_one.git_dir, "main", old=old, new=new, message="callboard: landed demo")

    without_links(lambda: killed_at(step, action))
    assert next_one.oid("main") in (old, new)
    assert isinstance(land_next(next_one), Landed)
    assert next_one.git("status", "--porcelain") == ""
