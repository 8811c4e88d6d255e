"""F3, F5: keys reach only the program that they are for."""

import ctypes
import os
import signal
from pathlib import Path

import pytest

from actors.clis.home import environment
from actors.clis.lookup import profiles
from actors.platform.workers import Worker
from bus.secrecy import hide_memory, is_hidden

CLOUD = {"AWS_SECRET_ACCESS_KEY": "k", "GOOGLE_APPLICATION_CREDENTIALS": "k", "PATH": "/bin"}


def test_a_worker_process_cannot_be_read_by_others() -> None:
    worker = Worker("test", 20.0)
    try:
        assert worker.call(is_hidden)
    finally:
        worker.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_process_of_the_user_cannot_read_what_is_hidden() -> None:
    """As user 65534, once readable and once hidden; the same process asks about both."""
    pairs = [os.pipe(), os.pipe()]
    children = []
    for hidden in (False, True):
        pid = os.fork()
        if pid == 0:
            os.setgid(65534)
            os.setuid(65534)
            _show_memory()
            if hidden:
                hide_memory()
            os.write(pairs[hidden][1], b".")
            signal.pause()
        children.append(pid)
        os.read(pairs[hidden][0], 1)
    reader = os.fork()
    if reader == 0:
        os.setgid(65534)
        os.setuid(65534)
        os._exit(_can_read(children[0]) + 2 * _can_read(children[1]))
    _, status = os.waitpid(reader, 0)
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    for ends in pairs:
        for end in ends:
            os.close(end)
    assert os.waitstatus_to_exitcode(status) == 1


def _show_memory() -> None:
    """A change of the user hides a process; undo that."""
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)


def _can_read(pid: int) -> int:
    try:
        Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return 0
    return 1


@pytest.mark.parametrize("cli", ["claude", "gemini", "opencode", "codex", "qwen"])
def test_cloud_keys_go_to_a_cli_only_where_that_cloud_is_chosen(cli: str) -> None:
    profile = profiles({})[cli]
    assert not {"AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS"} & set(
        environment(profile, CLOUD, own_provider=False)
    )


@pytest.mark.parametrize(
    ("choice", "key"),
    [
        ("CLAUDE_CODE_USE_BEDROCK", "AWS_SECRET_ACCESS_KEY"),
        ("CLAUDE_CODE_USE_VERTEX", "GOOGLE_APPLICATION_CREDENTIALS"),
    ],
)
def test_a_chosen_cloud_gets_its_keys_and_no_other(choice: str, key: str) -> None:
    profile = profiles({})["claude"]
    env = environment(profile, {**CLOUD, choice: "1"}, own_provider=False)
    assert set(CLOUD) & set(env) == {key, "PATH"}
    assert key not in environment(profile, {**CLOUD, choice: "0"}, own_provider=False)
    assert key not in environment(profile, {**CLOUD, choice: "1"}, own_provider=True)
