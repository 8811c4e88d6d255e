"""A finished terminal costs no actor and no thread, and can be asked and started as before.

Hazard 80.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bus import connection
from tests.doors.kit import Home, coder, done, plan_text
from tests.repositories import make_repo


def _count(home: Home, what: str) -> int:
    """How many threads (`task`) or open files (`fd`) the runtime has."""
    pid = connection.read(home.path).pid
    return len(list(Path(f"/proc/{pid}/{what}").iterdir()))


def _actors(home: Home) -> dict[str, str]:
    """The state of each actor, by its address."""

    def walk(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
        yield node["address"], node["state"]
        for child in node["children"]:
            yield from walk(child)

    return dict(walk(home.json("tree")))


def _line(row: dict[str, Any], task: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        t for each in row["tasks"] for t in each["terminals"] if t["task"] == f"demo/{task}/"
    )
    return found


def test_no_thread_is_left_and_every_door_still_works(home: Home, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    done_tasks = [f"t{number}" for number in range(6)]
    tasks = {name: [done(f"{name}.txt")] for name in done_tasks}
    tasks["gives-up"] = [coder("$ git commit -q --allow-empty -m 'cannot do it #fail'\n")]
    tasks["works-on"] = [coder("@ sleep 600\n")]
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, tasks, "max_terminals = 8"))
    home.serve()
    home.ok("submit", str(plan))
    home.ok("prepare", "demo")
    home.until(lambda row: row["status"] == "ready")
    threads, files = _count(home, "task"), _count(home, "fd")
    home.ok("start", "demo")
    over = [*done_tasks, "gives-up"]
    home.until(lambda row: all(_line(row, name)["gone"] for name in over))
    addresses = [f"demo/{name}/1/" for name in over]

    def ended() -> bool:
        actors = _actors(home)
        return all(actors[address] == "stopped" for address in addresses)

    home.until(lambda _: ended())
    assert _actors(home)["demo/works-on/1/"] == "running"
    # Two may have begun for other reasons.
    assert threads - _count(home, "task") >= len(over) - 2
    assert files - _count(home, "fd") >= len(over) - 2

    assert "Done" in home.ok("screen", "demo/t0/1")
    assert "git commit" in home.ok("logs", "demo/t0/1")
    home.ok("why", "demo/t0/1")
    home.ok("retry", "demo/gives-up")
    again = home.until(lambda row: _line(row, "gives-up")["incarnation"] == 2)
    assert _line(again, "gives-up")["status"] != "not_started"
    home.until(lambda row: _line(row, "gives-up")["incarnation"] == 2 and _failed(row))
    home.kill()
    home.serve()
    assert not set(addresses[:6]) & set(_actors(home))  # recovery starts none for them
    assert "Done" in home.ok("screen", "demo/t0/1")


def _failed(row: dict[str, Any]) -> bool:
    terminal = _line(row, "gives-up")
    return bool(terminal["status"] == "failed" and terminal["gone"])
