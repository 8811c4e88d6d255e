"""What waits costs nothing, also while somebody looks on: wake-ups are counted, not time."""

from pathlib import Path

import pytest
import zmq

from actors.pty.ending import running_hosts
from bus import connection
from bus.client import Client
from bus.context import Context
from bus.feed import HEARTBEAT_SECONDS
from tests.doors.kit import Home, coder, plan_text

TERMINALS = 6


class Beats:
    """A dashboard: it hears all, and waits from one heartbeat to the next."""

    def __init__(self, feed: str) -> None:
        self._context = Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.subscribe(b"")
        self._socket.rcvtimeo = int(HEARTBEAT_SECONDS * 4_000)
        self._socket.connect(feed)

    def next(self) -> list[bytes]:
        """Waits for a heartbeat; what else was heard until then."""
        heard = []
        while b'"heartbeat"' not in (frame := self._socket.recv()):
            heard.append(frame)
        return heard

    def close(self) -> None:
        self._context.destroy(linger=0)


def wake_ups(pid: int) -> int:
    """How often any thread of a process slept and was woken."""
    return sum(
        int(line.split()[1])
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
        if line.startswith("voluntary_ctxt")
    )


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
def test_between_two_heartbeats_nobody_wakes(home: Home, repo: Path) -> None:
    """Half of the terminals work in silence, the others wait for their turn. Hazards 27, 54."""
    tasks = {f"t{n}": [coder("@ sleep 600\n"), coder("$ true")] for n in range(TERMINALS // 2)}
    runtime = home.serve()
    served = connection.read(home.path)
    with Client(served.requests) as client:
        client.call(
            "plan.submit", plan=plan_text(repo, tasks, head=f"max_terminals = {TERMINALS}"), base=""
        )
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    home.until(lambda row: all(t["terminals"][0]["delivered"] for t in row["tasks"]))
    hosts = [host.identity.host_pid for host in running_hosts(home.path) if host.identity]
    assert len(hosts) == TERMINALS
    beats = Beats(served.feed)
    try:
        for _ in range(3):  # silences of a few seconds are still told
            beats.next()
        before, hosts_before = wake_ups(runtime.pid), sum(map(wake_ups, hosts))
        assert beats.next() == beats.next() == []
        woken, hosts_woken = wake_ups(runtime.pid) - before, sum(map(wake_ups, hosts))
    finally:
        beats.close()
    print(f"{woken} wake-ups of the runtime, {hosts_woken - hosts_before} of its hosts")
    assert hosts_woken == hosts_before
    assert woken < 25
