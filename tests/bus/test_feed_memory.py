"""The publishing socket and a subscriber that never reads."""

import select
import subprocess
import sys
import uuid
from pathlib import Path

import zmq

from bus.context import Context
from bus.feed import WAITING_FRAMES, Feed
from bus.gate import Gate

_NEVER_READS = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.subscribe(b"")
socket.connect(sys.argv[1])
socket.recv()
print("joined", flush=True)
sys.stdin.read()
"""

FRAME = b"x" * 1_000


def resident() -> int:
    """Bytes of memory this process holds now. Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_a_subscriber_that_never_reads_is_dropped_for_and_costs_bounded_memory() -> None:
    endpoint = f"ipc:///tmp/callboard-feed-{uuid.uuid4().hex[:12]}"
    context = Context()
    feed = Feed(context, endpoint, Gate())
    reader = context.socket(zmq.SUB)
    reader.subscribe(b"")
    reader.connect(endpoint)
    sleeper = subprocess.Popen(
        [sys.executable, "-c", _NEVER_READS, endpoint],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert sleeper.stdout is not None
        while not select.select([sleeper.stdout], [], [], 0.05)[0]:
            feed.heartbeat(0)
        assert sleeper.stdout.readline() == "joined\n"
        feed.publish("demo/", b"first")
        while reader.recv() != b"demo/ first":
            pass
        before = resident()
        for number in range(5 * WAITING_FRAMES):
            feed.publish("demo/", b"%d %s" % (number, FRAME))
            assert reader.recv().split()[1] == b"%d" % number, "another one reads on"
        grown = resident() - before
        # The frames are 100 MB; two queues of it hold at most 20,000 frames each.
        assert grown < 3 * WAITING_FRAMES * len(FRAME), f"{grown >> 20} MB"
    finally:
        sleeper.kill()
        sleeper.communicate()
        reader.close(0)
        feed.close()
        context.destroy(linger=0)
