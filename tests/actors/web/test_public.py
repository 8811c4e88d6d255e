"""HTTP where other machines reach it: only with a word for it, and only over TLS."""

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from actors.runtime.listening import BadAddress, open_http
from bus import connection
from tests.doors.kit import Home

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for 127.0.0.1, and its key."""
    place = tmp_path_factory.mktemp("tls")
    certificate, key = str(place / "tls.crt"), str(place / "tls.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=door",
         "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key],
        capture_output=True, check=True,
    )  # fmt: skip
    return certificate, key


def own_address() -> str:
    """The address of this machine that others reach, "" if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # sends nothing: it only says which way it would go
        except OSError:
            return ""
        found = str(asked.getsockname()[0])
    return "" if found.startswith("127.") else found


@needs_openssl
def test_a_public_address_wants_both_the_word_and_tls(tls: tuple[str, str]) -> None:
    certificate, key = tls
    if not (where := own_address()):
        pytest.skip("this machine has no other address")
    for word, *files in ((True,), (False, certificate, key)):
        with pytest.raises(
            BadAddress, match="or give --allow-remote with --tls-cert and --tls-key"
        ):
            open_http(where, word, *files)
    for half in ((certificate, ""), ("", key)):
        with pytest.raises(BadAddress, match="belong together"):
            open_http(where, True, *half)
    opened = open_http(where, True, certificate, key)
    name = f"{where}:{opened.listening.getsockname()[1]}"
    opened.listening.close()
    assert opened.hosts == (name,)
    assert opened.url == f"https://{name}"


@needs_openssl
@pytest.mark.parametrize("where", ["0.0.0.0", "[::]:0"])
def test_an_address_that_stands_for_all_is_refused(tls: tuple[str, str], where: str) -> None:
    """No client could name it in `Host`, and so nobody could reach the door. Hazard 105."""
    with pytest.raises(BadAddress, match="no address that a client can name"):
        open_http(where, True, *tls)


@needs_openssl
def test_files_that_are_no_certificate_and_key_are_refused(
    tls: tuple[str, str], tmp_path: Path
) -> None:
    """A door that cannot speak TLS would end at each start. Hazard 105."""
    certificate, key = tls
    locked = str(tmp_path / "locked.key")
    subprocess.run(
        ["openssl", "rsa", "-aes128", "-passout", "pass:word", "-in", key, "-out", locked],
        capture_output=True, check=True,
    )  # fmt: skip
    for files in ((key, certificate), (certificate, locked), (certificate, f"{key}x")):
        with pytest.raises(BadAddress, match="cannot be used for TLS"):
            open_http("127.0.0.1", False, *files)


@needs_openssl
def test_over_tls_the_door_speaks_nothing_else(home: Home, tls: tuple[str, str]) -> None:
    certificate, key = tls
    home.serve("--http", "--tls-cert", certificate, "--tls-key", key)
    at = connection.read(home.path)
    assert at.http.startswith("https://127.0.0.1:")
    bearer = {"Authorization": f"Bearer {at.token}"}
    trusting = ssl.create_default_context(cafile=certificate)
    with httpx.Client(verify=trusting, trust_env=False, timeout=60) as client:
        answer = client.get(f"{at.http}/api/runtime", headers=bearer)
        assert answer.json()["home"] == str(home.path)
        other = client.get(f"{at.http}/health", headers={"Host": "evil.example"})
        assert other.status_code == 421
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(f"{at.http}/health".replace("https:", "http:"), headers=bearer)
