"""A runtime that serves learns no type: msgspec dies of two threads at that (bus/converting.py)."""

import json
import subprocess
from pathlib import Path

from tests.doors.kit import PYTHON, ROOT, done, plan_text

LATECOMERS = """
import gc, json, sys
from pathlib import Path
from actors.runtime.serve import Runtime
from bus.client import Client
from bus.connection import read
from bus.subscriber import Subscriber

def learned():
    infos = {"StructInfo", "DataclassInfo", "TypedDictInfo", "NamedTupleInfo"}
    of = [o for o in gc.get_objects() if type(o).__name__ in infos]
    return {str(c) for o in of for c in gc.get_referents(o) if isinstance(c, type)}

home, plan = Path(sys.argv[1]), Path(sys.argv[2]).read_text()
before = learned()
runtime = Runtime(home)
runtime.start()
door = read(home)
feed = Subscriber(door.feed, door.requests)
with Client(door.requests) as client:
    client.call("plan.submit", plan=plan, base=str(home))
    client.call("workflow.prepare", workflow="demo")
    while client.call("workflow.get", workflow="demo")["status"] != "ready":
        feed.next(10)
    client.call("workflow.start", workflow="demo")
    while client.call("workflow.get", workflow="demo")["status"] not in ("completed", "failed"):
        feed.next(10)
    end = client.call("workflow.get", workflow="demo")["status"]
    client.call("tree.inspect")
runtime.end_terminals = True
runtime.stop()
print(json.dumps([end, len(before), sorted(learned() - before)]))
"""


def test_a_runtime_learns_no_type_while_it_serves(repo: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")], "b": [done("b")]}))
    ran = subprocess.run(
        [PYTHON, "-c", LATECOMERS, str(tmp_path / "home"), str(plan)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    end, before, late_ones = json.loads(ran.stdout.splitlines()[-1])
    assert end == "completed"
    assert before > 50
    assert late_ones == []
