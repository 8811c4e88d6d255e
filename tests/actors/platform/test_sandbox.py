"""What a program in a sandbox sees of the user's agents and of the home directory."""

import inspect
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import pytest

from actors.platform import openings, sandbox
from actors.platform.openings import Limits
from tests.fences import path_without

pytestmark = pytest.mark.skipif(bool(sandbox.trouble()), reason=sandbox.trouble())


def seen(script: str, limits: Limits) -> str:
    """What a shell in the sandbox prints, with the variables that a program there has."""
    env = openings.without_ways_out(dict(os.environ), limits)
    argv = sandbox.wrapped(["sh", "-c", script], limits)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    return done.stdout


CONNECT = (
    'python3 -c "import os, socket; socket.socket(socket.AF_UNIX).connect('
    "os.environ['SSH_AUTH_SOCK'])\" 2>/dev/null && echo connected"
)


@pytest.fixture
def user(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A user with keys, below a short path; none of GnuPG's own agents is left."""
    home = tmp_path_factory.mktemp("u")
    for name in (".ssh", ".gnupg/private-keys-v1.d"):
        (home / name).mkdir(parents=True)
    for name in (".ssh/id", ".ssh/id.pub", ".gnupg/pubring.kbx", ".gnupg/private-keys-v1.d/key"):
        (home / name).write_text("x")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("GNUPGHOME", raising=False)
    yield home
    if shutil.which("gpgconf"):
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False)


def test_an_agent_signs_where_the_plan_opens_it_and_its_keys_stay_hidden(
    user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = f"{CONNECT}; cd {user} && find .ssh .gnupg -type f ! -name 'S.*' | sort"
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind("agent")
        agent.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        assert seen(look, Limits(cwd="/")).split() == []
        opened = Limits(cwd="/", agents=openings.agents(["ssh-agent", "/x", "gpg-agent"]))
        found = seen(look, opened).split()
    assert found == ["connected", ".gnupg/pubring.kbx", ".ssh/id.pub"]
    assert openings.paths(["ssh-agent", "~/x"]) == [str(user / "x")]


def test_what_is_kept_of_a_home_directory_of_its_own_is_not_changed(
    user: Path, tmp_path: Path
) -> None:
    if trouble := sandbox.own_home_trouble(str(tmp_path)):
        pytest.skip(trouble)
    (user / "repo").mkdir()
    home = sandbox.own_home(tmp_path / "own", str(user / "repo"))
    assert home is not None
    script = f"cd {user}; touch new repo/new; ls -a . repo .ssh"
    assert seen(script, Limits(cwd="/", home=home)).split() == [
        *(".:", ".", "..", ".gnupg", ".ssh", "new", "repo"),
        *(".ssh:", ".", "..", "repo:", ".", ".."),
    ]
    assert sorted(path.name for path in user.iterdir()) == [".gnupg", ".ssh", "repo"]


@pytest.mark.skipif(not shutil.which("gpg"), reason="gpg is not installed")
def test_gnupg_s_agent_signs_and_hands_no_key_out(user: Path, tmp_path: Path) -> None:
    if trouble := sandbox.own_home_trouble(str(tmp_path)):
        pytest.skip(trouble)
    shutil.rmtree(user / ".gnupg")
    (user / ".gnupg").mkdir(mode=0o700)
    gpg = "gpg --batch --pinentry-mode loopback --passphrase ''"
    made = f"{gpg} --quick-gen-key me ed25519 sign never > /dev/null 2>&1"
    subprocess.run(made, shell=True, check=True)
    home = sandbox.own_home(tmp_path / "own")
    limits = Limits(cwd="/", home=home, agents=openings.agents(["gpg-agent"]))
    sign = "echo x | gpg --batch --armor --sign 2> /dev/null && echo signed"
    assert seen(sign, limits).endswith("signed\n")
    export = "--armor --export-secret-keys 2> /dev/null"
    keys = f"ls -A {user}/.gnupg/private-keys-v1.d"
    assert seen(f"gpg --batch {export}; {gpg} {export}; {keys}", limits) == ""


@pytest.mark.usefixtures("fence")
def test_npm_s_settings_are_seen_if_no_key_is_in_them(user: Path) -> None:
    for text, shown in (
        ("registry=https://npm.example/", True),
        ("//npm.example/:_authToken=${NPM_TOKEN}", True),
        ("//npm.example/:_authToken = secret", False),
        ("x" * 100_000, False),
    ):
        (user / ".npmrc").write_text(text)
        assert seen(f"cat {user}/.npmrc 2> /dev/null", Limits(cwd=str(user))) == (
            text if shown else ""
        )
        assert (str(user / ".npmrc") in openings.closed()) is not shown


@pytest.fixture
def bwrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `bwrap` of the test's own, which does what the test writes into it."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    return place / "bwrap"


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_trial_that_failed_is_made_again_and_one_that_did_not_is_kept(bwrap: Path) -> None:
    """Hazard 89."""
    script(bwrap, "echo no room >&2; exit 1")
    assert "no room" in sandbox.own_home_trouble("/")
    assert sandbox.found()[0] != sandbox.BUBBLEWRAP
    script(bwrap, "exit 0")
    assert sandbox.found() == (sandbox.BUBBLEWRAP, "")
    script(bwrap, "exit 1")
    assert sandbox.found() == (sandbox.BUBBLEWRAP, "")


def test_what_a_trial_did_not_find_out_gives_no_lesser_sandbox(
    bwrap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 89."""
    monkeypatch.setattr(sandbox, "TRIAL_SECONDS", 0.1)
    script(bwrap, "exec sleep 60")
    by, why = sandbox.found()
    assert (by, "whether bubblewrap works here is not known" in why) == ("", True)
    assert not sandbox.of_own_home("/").known
    with pytest.raises(OSError, match="not known"):
        sandbox.wrapped(["true"], Limits(cwd="/"))
    monkeypatch.setattr(sandbox, "TRIAL_SECONDS", 60.0)
    script(bwrap, "exit 0")
    assert sandbox.found() == (sandbox.BUBBLEWRAP, "")


def test_who_waits_for_a_trial_takes_its_answer(bwrap: Path, tmp_path: Path) -> None:
    """Five ask while the first trial goes on; it fails, and none of them begins another."""
    os.mkfifo(tmp_path / "go")
    script(bwrap, f"echo x >> {tmp_path}/begun; cat {tmp_path}/go > /dev/null; exit 1")
    with ThreadPoolExecutor(5) as asking:
        answers = [asking.submit(sandbox.own_home_trouble, "/") for _ in range(5)]
        until(lambda: (tmp_path / "begun").exists())
        until(lambda: asking_now() == 5)
        (tmp_path / "go").write_text("")
        said = {answer.result() for answer in answers}
    assert len(said) == 1
    assert (tmp_path / "begun").read_text() == "x\n"


def asking_now() -> int:
    """How many threads wait for a trial, or make it."""
    lines, first = inspect.getsourcelines(sandbox.Trial.ask)
    lock = first + next(n for n, line in enumerate(lines) if "with self._lock" in line)
    count = 0
    for top in sys._current_frames().values():  # noqa: SLF001
        frame: FrameType | None = top
        while frame is not None:
            count += frame.f_code is sandbox.Trial.ask.__code__ and frame.f_lineno >= lock
            frame = frame.f_back
    return count


def is_read(fifo: Path) -> bool:
    """Whether somebody reads the FIFO; who does is told."""
    try:
        fd = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    os.write(fd, b"it went on\n")
    os.close(fd)
    return True


def until(is_true: Callable[[], bool]) -> None:
    for _ in range(6000):
        if is_true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


def test_nobody_waits_here_until_gnupg_s_agent_is_started(
    bwrap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line is there while `gpgconf` still goes on."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gnupg").mkdir()
    script(bwrap, "exit 0")
    go, done = tmp_path / "go", tmp_path / "done"
    os.mkfifo(go)
    script(bwrap.with_name("gpgconf"), f"exec cat {go} > {done}")
    words = sandbox.wrapped(["true"], Limits(cwd="/", agents=("gpg-agent",)))
    assert "bwrap" in words
    until(lambda: is_read(go))
    until(lambda: done.read_text() == "it went on\n")


def test_a_plan_s_sandbox_gives_way_to_none_that_holds_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`decided` is what the plan was stored with: "" for bubblewrap."""
    assert (sandbox.trouble(""), sandbox.trouble(sandbox.LANDLOCK)) == ("", "")
    monkeypatch.setenv("PATH", path_without("bwrap", tmp_path))
    if sandbox.found()[0] != sandbox.LANDLOCK:
        pytest.skip(sandbox.trouble())
    assert (sandbox.trouble(), sandbox.trouble(sandbox.LANDLOCK)) == ("", "")
    assert "submitted with bubblewrap, and only Landlock works here" in sandbox.trouble("")
