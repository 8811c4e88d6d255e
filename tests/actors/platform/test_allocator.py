"""What this process sets for the C library's allocator."""

import platform
import subprocess
import sys

import pytest

from tests.doors.kit import ROOT

ARENAS = """
import ctypes, threading
from actors.platform import allocator

{first}
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
barrier = threading.Barrier(8)

def work():
    barrier.wait()
    for _ in range(1000):
        libc.malloc(ctypes.c_size_t(1000))
    barrier.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_threads_share_two_arenas() -> None:
    def arenas(first: str) -> int:
        argv = [sys.executable, "-c", ARENAS.format(first=first)]
        said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
        return said.stdout.count("<heap nr=")

    assert arenas("allocator.keep_together()") <= 2 < arenas("")


FAULTS = """
import resource
from actors.platform import allocator

{first}
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
bytearray(1 << 20)
for _ in range(20):
    before, three = faults(), [bytearray(900_000) for _ in range(3)]
    del three
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_what_was_freed_is_used_again() -> None:
    def faults(first: str) -> int:
        argv = [sys.executable, "-c", FAULTS.format(first=first)]
        return int(subprocess.run(argv, cwd=ROOT, capture_output=True, check=True).stdout)

    assert faults("allocator.keep_freed(16 << 20)") < 100 < faults("")
