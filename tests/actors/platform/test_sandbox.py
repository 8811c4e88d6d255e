"""What a program in a sandbox sees of the user's agents and of the home directory."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.platform import sandbox
from actors.platform.sandbox import Limits

pytestmark = pytest.mark.skipif(bool(sandbox.trouble()), reason=sandbox.trouble())


def seen(script: str, limits: Limits) -> str:
    """What a shell in the sandbox prints, with the variables that a program there has."""
    env = sandbox.without_ways_out(dict(os.environ), limits)
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
        opened = Limits(cwd="/", agents=sandbox.agents(["ssh-agent", "/x", "gpg-agent"]))
        found = seen(look, opened).split()
    assert found == ["connected", ".gnupg/pubring.kbx", ".ssh/id.pub"]
    assert sandbox.paths(["ssh-agent", "~/x"]) == [str(user / "x")]


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
    limits = Limits(cwd="/", home=home, agents=sandbox.agents(["gpg-agent"]))
    sign = "echo x | gpg --batch --armor --sign 2> /dev/null && echo signed"
    assert seen(sign, limits).endswith("signed\n")
    export = "--armor --export-secret-keys 2> /dev/null"
    keys = f"ls -A {user}/.gnupg/private-keys-v1.d"
    assert seen(f"gpg --batch {export}; {gpg} {export}; {keys}", limits) == ""


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
        assert (str(user / ".npmrc") in sandbox.closed()) is not shown
