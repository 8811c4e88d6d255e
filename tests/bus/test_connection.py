"""The home: who holds it, how it is found, and that its sockets are its owner's alone."""

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from bus import connection, sockets
from bus.connection import Connection, NoRuntime

SERVED = Connection(version=1, pid=os.getpid(), requests="ipc://r", feed="ipc://f", token="secret")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_nearest_word_names_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CALLBOARD_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert connection.home_from(None) == tmp_path / ".local/state/callboard"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert connection.home_from(None) == tmp_path / "xdg/callboard"
    monkeypatch.setenv("CALLBOARD_HOME", str(tmp_path / "mine"))
    assert connection.home_from(None) == tmp_path / "mine"
    monkeypatch.chdir(tmp_path)
    assert connection.home_from("here") == tmp_path / "here"
    assert connection.home_from("~/there") == tmp_path / "there"
    assert list(tmp_path.iterdir()) == []


def test_a_home_is_held_by_one(home: Path) -> None:
    """Hazard 23."""
    fd = connection.hold(home)
    assert fd is not None
    assert connection.is_held(home)
    assert connection.hold(home) is None
    assert connection.holder(home) == str(os.getpid())
    os.close(fd)
    assert not connection.is_held(home)


def test_the_lock_dies_with_its_holder(home: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bus.connection import hold;"
        "hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert connection.hold(home) is None
        assert connection.holder(home) == str(holder.pid)
        holder.kill()
    fd = connection.hold(home)
    assert fd is not None
    os.close(fd)


def test_a_child_that_a_killed_holder_leaves_keeps_nobody_out(home: Path) -> None:
    """Hazard 94. Between fork and exec a child has all that its parent had open."""
    script = (
        "import os, sys; from pathlib import Path; from bus.connection import hold\n"
        "hold(Path(sys.argv[1]))\n"
        "if os.fork():\n"
        "    os.kill(os.getpid(), 9)\n"
        "print('forked', flush=True); sys.stdin.readline()"
    )
    argv = [sys.executable, "-c", script, str(home)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "forked\n"
        child.wait()
        assert connection.is_held(home)
        goes = threading.Timer(0.3, child.stdin.close)
        goes.start()
        fd = connection.hold(home)
        goes.join()
    assert fd is not None
    os.close(fd)


def test_those_who_only_ask_do_not_keep_a_runtime_from_its_home(home: Path) -> None:
    (home / "lock").touch()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            connection.is_held(home)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(300):
            fd = connection.hold(home)
            assert fd is not None
            os.close(fd)
    finally:
        over.set()
        for asker in askers:
            asker.join()


def test_connection_json_is_what_the_contract_says_and_the_owner_s_alone(home: Path) -> None:
    """Hazard 43."""
    os.umask(os.umask(0o000))
    connection.write(home, SERVED)
    path = home / "connection.json"
    assert mode(path) == 0o600
    assert json.loads(path.read_text()) == {
        "version": 1,
        "pid": SERVED.pid,
        "requests": "ipc://r",
        "feed": "ipc://f",
        "token": "secret",
    }
    assert [p.name for p in home.iterdir()] == ["connection.json"]


def test_a_runtime_that_serves_is_found(home: Path) -> None:
    fd = connection.hold(home)
    assert fd is not None
    connection.write(home, SERVED)
    assert connection.read(home) == SERVED
    connection.remove(home)
    with pytest.raises(NoRuntime):
        connection.read(home)
    os.close(fd)


def test_a_connection_that_was_left_over_is_not_believed(home: Path) -> None:
    connection.write(home, SERVED)
    with pytest.raises(NoRuntime, match=f"left by process {SERVED.pid}"):
        connection.read(home)


def test_a_connection_that_was_left_over_is_not_believed_while_another_runtime_starts(
    home: Path,
) -> None:
    """It holds the home before it removes what the killed one has left."""
    connection.write(home, msgspec.structs.replace(SERVED, pid=7))
    fd = connection.hold(home)
    assert fd is not None
    with pytest.raises(NoRuntime, match="left by process 7"):
        connection.read(home)
    os.close(fd)


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"version":1}', "\x00", "[1]"])
def test_a_connection_that_cannot_be_read_is_no_runtime(home: Path, text: str) -> None:
    (home / "connection.json").write_text(text)
    with pytest.raises(NoRuntime, match="cannot be read"):
        connection.read(home)


def test_a_home_that_is_not_there_serves_nobody(home: Path) -> None:
    with pytest.raises(NoRuntime):
        connection.read(home / "none")
    assert not connection.is_held(home / "none")
    assert list(home.iterdir()) == []


# ---- where the sockets are ------------------------------------------------------------


@pytest.fixture
def base(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    return directory


def test_the_sockets_directory_is_ours_alone_and_short(base: Path, home: Path) -> None:
    deep = home / ("d" * 100) / ("e" * 100)
    found = sockets.socket_directory(deep)
    assert found.parent == base
    assert mode(found) == 0o700
    assert len(str(found)) < 80
    assert sockets.socket_directory(deep) == found
    assert sockets.socket_directory(home) != found


def test_a_long_or_closed_base_is_not_used(
    monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path
) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir()
    file = tmp_path / "f"
    file.touch()
    for number, base in enumerate((long, home / "none", file, file / "below")):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
        found = sockets.socket_directory(home / str(number))
        assert found.parent == Path("/tmp")
        found.rmdir()


@pytest.mark.usefixtures("base")
def test_the_place_is_recorded_and_not_computed_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 66. Another environment, and a directory that was removed, change nothing."""
    found = sockets.socket_directory(home)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert sockets.socket_directory(home) == found
    found.rmdir()
    assert sockets.socket_directory(home) == found
    assert mode(found) == 0o700
    home.rename(home.with_name("moved"))
    assert sockets.socket_directory(home.with_name("moved")) == found


@pytest.mark.usefixtures("base")
def test_a_copy_of_a_home_has_a_place_of_its_own(home: Path) -> None:
    found = sockets.socket_directory(home)
    copy = home.with_name("copy")
    shutil.copytree(home, copy)
    assert sockets.socket_directory(copy) != found
    assert sockets.socket_directory(home) == found


@pytest.mark.usefixtures("base")
def test_a_directory_others_can_enter_is_refused(home: Path) -> None:
    """Hazard 53. Another one is made, and recorded."""
    found = sockets.socket_directory(home)
    found.chmod(0o755)
    another = sockets.socket_directory(home)
    assert another != found
    assert mode(another) == 0o700
    assert sockets.socket_directory(home) == another


@pytest.mark.usefixtures("base")
def test_a_link_put_in_its_place_is_refused(home: Path) -> None:
    found = sockets.socket_directory(home)
    found.rmdir()
    elsewhere = home / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    found.symlink_to(elsewhere)
    assert sockets.socket_directory(home) not in (found, elsewhere)


@pytest.mark.usefixtures("base")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(home: Path) -> None:
    found = sockets.socket_directory(home)
    os.chown(found, 12345, 12345)
    assert sockets.socket_directory(home) != found
