"""A hostile page in a real browser: it reads and writes nothing, and opens and frames nothing.

The page is given more than a real one has: the token and a fresh login code. So what it is kept
from is kept from it because of where it comes from.
"""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from bus import connection
from tests.doors.kit import Home, done, plan_text
from tests.repositories import make_repo

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium"),
    pytest.mark.timeout(200),
]

PAGE = Path(__file__).with_name("hostile.html").read_text()


class Hostile:
    """A server of another origin, with the page, and what the page found."""

    def __init__(self) -> None:
        self.page = ""
        self.found: dict[str, Any] = {}
        self.told = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(outer.page.encode())

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.found = json.loads(self.rfile.read(length))
                self._answer(b"")
                outer.told.set()

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server.server_address[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = tmp_path_factory.mktemp("hostile")
    home = Home(place / "home")
    home.serve("--http")
    repo = make_repo(place / "repo")
    served = connection.read(home.path)
    with httpx.Client(base_url=served.http, trust_env=False) as client:
        kind = {"Content-Type": "application/toml", "Authorization": f"Bearer {served.token}"}
        plan = plan_text(repo, {"a": [done("a.txt")]})
        assert client.post("/api/workflows", content=plan, headers=kind).status_code == 201
    yield home
    home.close()


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    hostile = Hostile()
    yield hostile
    hostile.server.shutdown()
    hostile.server.server_close()


def browser(place: Path, *words: str) -> list[str]:
    """A browser with a profile of its own that speaks to this machine only."""
    return [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        f"--user-data-dir={place / 'profile'}", "--enable-logging=stderr",
        "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, "
        "EXCLUDE localhost",
        *words,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "evil.example"])
def test_a_page_of_another_origin_gets_nowhere(
    home: Home, hostile: Hostile, tmp_path: Path, name: str
) -> None:
    served = connection.read(home.path)
    bearer = {"Authorization": f"Bearer {served.token}"}
    made = httpx.post(f"{served.http}/api/login-codes", headers=bearer, trust_env=False)
    code = made.json()["code"]
    known = {"door": served.http, "token": served.token, "code": code}
    hostile.page = PAGE % {key: json.dumps(value) for key, value in known.items()}
    log = tmp_path / "log"
    words = browser(tmp_path, "--remote-debugging-port=0", f"http://{name}:{hostile.port}/")
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, stdout=file, stderr=file, env={**os.environ, "HOME": str(tmp_path)}
        )
    try:
        assert hostile.told.wait(100), log.read_text(errors="replace")[-3000:]
    finally:
        process.terminate()
        process.wait(30)
    found = hostile.found
    assert found.pop("control") == 200
    assert found.pop("log in, unread") in ("opaque", "refused")  # sent, and refused by the door
    assert found.pop("stop, unread") in ("opaque", "refused")
    for name in ("beacon", "form", "form of fields", "frame"):
        found.pop(name)  # the browser tells the page nothing; the state below tells
    assert found == dict.fromkeys(found, "refused")
    assert len(found) == 8
    assert "frame-ancestors" in log.read_text(errors="replace")
    assert home.status() == "created"
    login = httpx.post(f"{served.http}/api/login", json={"code": code}, trust_env=False)
    assert login.status_code == 200  # nobody has used the code


def test_a_name_that_was_bound_again_is_another_server(home: Home, tmp_path: Path) -> None:
    """DNS rebinding: the browser takes it for the page's own origin; the door does not."""
    port = connection.read(home.path).http.rpartition(":")[2]
    shown = subprocess.run(
        browser(tmp_path, "--dump-dom", f"http://evil.example:{port}/health"),
        capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert "wrong_host" in shown.stdout
    control = subprocess.run(
        browser(tmp_path, "--dump-dom", f"http://127.0.0.1:{port}/health"),
        capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert "ok" in control.stdout
