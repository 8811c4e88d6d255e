"""Process managers that do the same work: watch a program and tell of its death."""

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import zmq

PROGRAM = "echo $$ > {pid}.new; mv {pid}.new {pid}; exec cat"
"""Writes its pid, then waits."""

LISTENER = """
import sys
while True:
    print("READY", flush=True)
    head = dict(word.split(":") for word in sys.stdin.readline().split())
    sys.stdin.read(int(head["len"]))
    open(sys.argv[1], "w").write("died\\n")
    print("RESULT 2", flush=True)
    print("OK", end="", flush=True)
"""


class _Other:
    name = ""
    module = ""

    @classmethod
    def installed(cls) -> bool:
        return importlib.util.find_spec(cls.module) is not None

    def __init__(self, at: Path) -> None:
        self.pid_file = at / f"{self.module}.pid"
        self.at = at

    def _pid(self) -> int:
        """Return the program's pid, and remove its file, which the next incarnation writes."""
        while not self.pid_file.exists():
            time.sleep(0.02)
        pid = int(self.pid_file.read_text())
        self.pid_file.unlink()
        time.sleep(0.3)  # so that it counts as running
        return pid

    def command(self) -> str:
        return PROGRAM.format(pid=self.pid_file)

    def close(self) -> None:
        pid = self._pid()
        self.process.kill()
        self.process.communicate()
        os.kill(pid, signal.SIGKILL)

    process: subprocess.Popen[bytes]


class Circus(_Other):
    """Tells on its PUB socket that it has reaped a process."""

    name = "circus, its check every 0.1 s"
    module = "circus"

    def __init__(self, at: Path) -> None:
        super().__init__(at)
        script = at / "circus.sh"
        script.write_text(self.command())
        config = at / "circus.ini"
        config.write_text(
            f"[circus]\ncheck_delay = 0.1\nendpoint = ipc://{at}/circus\n"
            f"pubsub_endpoint = ipc://{at}/circus-pubsub\n"
            f"[watcher:cat]\ncmd = sh {script}\nclose_child_stdin = False\n"
        )
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.subscribe(b"watcher.cat.reap")
        self.socket.connect(f"ipc://{at}/circus-pubsub")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "circus.circusd", "--log-level", "ERROR", str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def death(self) -> float:
        """Kill the program; return the milliseconds until circus tells of it."""
        pid = self._pid()
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        while True:
            body = self.socket.recv_multipart()[-1]
            if json.loads(body).get("process_pid") == pid:
                return (time.perf_counter() - began) * 1e3

    def close(self) -> None:
        """End circus and the program."""
        super().close()
        self.context.destroy(0)


class Supervisord(_Other):
    """Tells its event listener that a process has exited."""

    name = "supervisor"
    module = "supervisor"

    def __init__(self, at: Path) -> None:
        super().__init__(at)
        script, listener = at / "supervisor.sh", at / "listener.py"
        script.write_text(self.command())
        listener.write_text(LISTENER)
        fifo = at / "died"
        os.mkfifo(fifo)
        self.fifo = os.open(fifo, os.O_RDWR)
        config = at / "supervisor.ini"
        config.write_text(
            f"[supervisord]\nnodaemon=true\nlogfile={at}/supervisor.log\n"
            f"pidfile={at}/supervisord.pid\n"
            f"[program:cat]\ncommand=sh {script}\nautorestart=true\nstartsecs=0\n"
            f"[eventlistener:died]\ncommand={sys.executable} {listener} {fifo}\n"
            "events=PROCESS_STATE_EXITED\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def death(self) -> float:
        """Kill the program; return the milliseconds until supervisor tells of it."""
        pid = self._pid()
        while select.select([self.fifo], [], [], 0)[0]:
            os.read(self.fifo, 4096)
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        os.read(self.fifo, 4096)
        return (time.perf_counter() - began) * 1e3

    def close(self) -> None:
        """End supervisor and the program."""
        super().close()
        os.close(self.fifo)
