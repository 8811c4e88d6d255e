"""What is open to a program is the same in each sandbox, as far as each of them holds it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from actors.platform import confine, openings, sandbox, seatbelt
from actors.platform.openings import Limits, Shown

SCRIPT = """
cd {at}
for each in open open/kept closed closed/open closed/shown; do
    cat $each/file > /dev/null 2>&1 && echo reads $each
    touch $each/new 2> /dev/null && echo writes $each
done
ls closed 2> /dev/null | grep -q file && echo lists closed
touch beside 2> /dev/null && echo writes beside
cat /proc/{pid}/environ > /dev/null 2>&1 && echo looks into another process
kill -0 {pid} 2> /dev/null && echo signals another process
umount {at}/closed 2> /dev/null && cat closed/file
grep -qs '^CapEff:.*[1-9a-f]' /proc/self/status && echo has capabilities
echo x > /dev/null && sh -c 'kill -TERM $$' 2> /dev/null || echo runs
"""


def in_it(script: str, limits: Limits) -> list[str]:
    """The lines that a shell in the sandbox prints."""
    argv = sandbox.wrapped(["sh", "-c", script], limits)
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_each_sandbox_holds_what_is_closed_read_only_and_writable(
    fence: str, tmp_path: Path
) -> None:
    """Landlock cannot keep a directory within a writable one from being written.

    Hazard 88.
    """
    for name in ("open/kept", "closed/open", "closed/shown"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("open", "open/kept", "closed", "closed/open", "closed/shown"):
        (tmp_path / name / "file").write_text("x")
    limits = Limits(
        cwd=str(tmp_path / "open"),
        writable=(str(tmp_path / "open"), str(tmp_path / "closed/open"), str(tmp_path / "none")),
        read_only=(str(tmp_path / "open/kept"),),
        hidden=(str(tmp_path / "closed"),),
        shown=(Shown(str(tmp_path / "closed/shown"), str(tmp_path / "closed/shown")),),
    )
    kept = ["reads open/kept", *(["writes open/kept"] if fence == sandbox.LANDLOCK else [])]
    found = in_it(SCRIPT.format(at=tmp_path, pid=os.getpid()), limits)
    if fence == sandbox.BUBBLEWRAP:
        found.remove("writes closed")  # an empty directory of its own
    assert found == [
        *("reads open", "writes open", *kept),
        *("reads closed/open", "writes closed/open", "reads closed/shown", "runs"),
    ]
    assert not (tmp_path / "closed/new").exists()


SOCKETS = """
import socket, sys
for name, kind in (("TCP", 1), ("UDP", 2)):
    try:
        with socket.socket(socket.AF_INET, kind) as made:
            made.connect(("127.0.0.1", int(sys.argv[1])))
            made.send(b"x")
            print(name)
    except OSError:
        pass
for name in ("\\0" + sys.argv[2], None):
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.connect(name) if name else print("unix")
            print("abstract") if name else None
    except OSError:
        pass
"""


def reached(network: bool, at: Path, landlock: bool) -> list[str]:
    """Which servers of this machine a program in a sandbox reaches."""
    (at / "reach.py").write_text(SOCKETS)
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        abstract.bind(f"\0{at}")
        abstract.listen()
        script = f"python3 {at}/reach.py {port} {at}"
        found = in_it(script, Limits(cwd=str(at), network=network))
        udp.setblocking(False)
        if "UDP" in found and not network:  # a loopback interface of its own takes it, too
            with pytest.raises(BlockingIOError):
                udp.recv(9)
            assert not landlock
            found.remove("UDP")
    return found


def test_without_a_network_no_socket_reaches_anybody(fence: str, tmp_path: Path) -> None:
    landlock = fence == sandbox.LANDLOCK
    assert reached(False, tmp_path, landlock) == ["unix"]
    with_network = ["TCP", "UDP", "unix"]
    assert reached(True, tmp_path, landlock) == [
        *with_network[:2],
        *([] if landlock else ["abstract"]),
        "unix",
    ]


def test_what_lies_around_a_closed_path_is_opened_piece_by_piece(tmp_path: Path) -> None:
    for name in ("a/b/closed", "a/b/other", "a/c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a/link").symlink_to(tmp_path / "a/b/closed")
    asked = [("closed", f"{tmp_path}/a/b/closed"), ("write", f"{tmp_path}/a/b/closed/mine")]
    found = {Path(path): rights for path, rights in confine.rules(asked).items()}
    below = {path.relative_to(tmp_path) for path in found if path.is_relative_to(tmp_path)}
    assert below == {Path("a/b/other"), Path("a/c"), Path("a/b/closed/mine")}
    assert found[tmp_path / "a/b/closed/mine"] == confine.WRITE
    assert found[tmp_path / "a/c"] == confine.READ
    assert Path("/") not in found
    assert found[Path("/dev/null")] == confine.DEVICE
    assert Path("/dev") not in found


SIXTEEN = """
import sys
from actors.platform import confine
for _ in range(16):
    confine.restrict([("write", "/")], network=True)
sys.argv[1:] = ["on", "/", "write", sys.argv[1], "--", "touch", sys.argv[1] + "/ran"]
confine.main()
"""
"""The kernel takes no more than sixteen, one within the other."""


@pytest.mark.parametrize("fence", [sandbox.LANDLOCK], indirect=True)
@pytest.mark.usefixtures("fence")
def test_a_program_does_not_start_where_the_kernel_refuses_the_sandbox(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", SIXTEEN, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "no sandbox: [Errno 7] Argument list too long\n")
    assert not (tmp_path / "ran").exists()


def test_seatbelt_s_profile_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile is generated here, and no Mac has run it."""
    user = tmp_path / "user"
    (user / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setattr(openings, "DOORS", ())
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "none"))
    for name in ('a "tree"', "kept", "hidden"):
        (tmp_path / name).mkdir()
    limits = Limits(
        cwd=str(tmp_path / 'a "tree"'),
        writable=(str(tmp_path / 'a "tree"'),),
        read_only=(str(tmp_path / "kept"),),
        hidden=(str(tmp_path / "hidden"),),
        network=False,
    )
    argv = seatbelt.wrapped(["sh", str(tmp_path / "x")], limits)
    assert argv[:2] == ["/usr/bin/sandbox-exec", "-p"]
    assert argv[-4:] == ["sandbox", str(tmp_path / 'a "tree"'), "sh", str(tmp_path / "x")]
    lines = argv[2].splitlines()
    assert lines[:2] == ["(version 1)", "(allow default)"]
    assert lines.index("(deny file-write*)") < lines.index("(deny network*)")
    closed = [f"{user}/.ssh", str(tmp_path / "hidden")]
    mine, kept = f'{tmp_path}/a \\"tree\\"', str(tmp_path / "kept")
    told = [line for line in lines if str(tmp_path) in line]
    assert told == [
        *(
            line.format(path=path)
            for path in closed
            for line in (
                '(deny file-read* file-write* (subpath "{path}"))',
                '(deny network-outbound (remote unix-socket (subpath "{path}")))',
            )
        ),
        f'(allow file-read* file-write* (subpath "{mine}"))',
        f'(allow network-outbound (remote unix-socket (subpath "{mine}")))',
        f'(allow file-read* (subpath "{kept}"))',
        f'(deny file-write* (subpath "{kept}"))',
        f'(allow network-outbound (remote unix-socket (subpath "{kept}")))',
    ]
    assert lines.index(told[0]) > lines.index("(deny network*)")
    assert "(deny network*)" not in seatbelt.profile(["sh"], Limits(cwd="/"))
