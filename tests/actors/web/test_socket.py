"""A terminal over a WebSocket."""

import json
import os
import select
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from bus import connection
from tests.actors.web.conftest import Web
from tests.doors.kit import Home, shell_plan
from tests.repositories import make_repo


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    place: Path = tmp_path_factory.mktemp("socket")
    repo = make_repo(place / "repo")
    home = Home(place / "home")
    home.serve("--http")
    web = Web(home)
    plan = shell_plan(repo)
    web.client.post("/api/workflows", content=plan, headers={"Content-Type": "application/toml"})
    web.client.post("/api/workflows/demo/prepare")
    home.until(lambda row: row["status"] == "ready")
    yield web
    web.client.close()
    home.close()


def open_stream(web: Web, query: str = "", **more: Any) -> ClientConnection:
    url = f"ws://{web.host}/api/terminals/demo/a/1/stream{query}"
    stream: ClientConnection = connect(url, proxy=None, legacy=True, **more)
    return stream


def enter(web: Web, query: str = "") -> tuple[ClientConnection, dict[str, Any]]:
    stream = open_stream(web, query)
    stream.send(json.dumps({"type": "token", "token": web.at.token}))
    welcome = json.loads(stream.recv(30))
    assert welcome["type"] == "welcome"
    return stream, welcome


def until(
    stream: ClientConnection, wanted: bytes, seconds: float = 60
) -> tuple[bytes, list[dict[str, Any]]]:
    """The output until it holds `wanted`, checked by its offsets; and what was said beside."""
    data, said, at = b"", [], None
    while wanted not in data:
        frame = stream.recv(seconds)
        if isinstance(frame, str):
            said.append(json.loads(frame))
            continue
        (offset,) = struct.unpack(">Q", frame[:8])
        assert at in (None, offset)
        data += frame[8:]
        at = offset + len(frame) - 8
    return data, said


def test_a_terminal_is_entered_typed_into_and_left(web: Web) -> None:
    stream, welcome = enter(web)
    assert welcome["incarnation"] == 1
    for asked in (
        {"type": "input", "data": "echo no\r"},
        {"type": "resize", "rows": 9, "columns": 9},
    ):
        stream.send(json.dumps(asked))
        while isinstance(frame := stream.recv(30), bytes):
            pass
        assert json.loads(frame)["reason"] == "not_taken"
    stream.send(json.dumps({"type": "take"}))
    stream.send(json.dumps({"type": "input", "data": "echo hi-$((1+1))\r", "key": "one"}))
    _, said = until(stream, b"hi-2")
    while not said:
        said = [json.loads(stream.recv(30))]
    assert (said[0]["type"], said[0]["key"], said[0]["already"]) == ("typed", "one", False)
    stream.send(json.dumps({"type": "resize", "rows": 50, "columns": 99}))
    while True:
        frame = stream.recv(30)
        if isinstance(frame, str):
            assert json.loads(frame) == {"type": "size", "rows": 50, "columns": 99}
            break
    stream.close()
    taken = [f for f in web.home.facts("demo") if f["type"] == "terminal.taken"]
    assert taken


def test_a_terminal_s_frames_are_not_compressed(web: Web) -> None:
    stream = open_stream(web)
    assert stream.response is not None
    assert "Sec-WebSocket-Extensions" not in stream.response.headers
    stream.close()


def test_a_stream_goes_on_at_its_offset(web: Web) -> None:
    stream, welcome = enter(web, "?offset=0")
    whole, _ = until(stream, b"$ ")
    stream.close()
    assert welcome["start"] == 0
    again, _ = enter(web, "?offset=3")
    rest, _ = until(again, b"$ ")
    again.close()
    assert whole[3 : 3 + 10] == rest[:10]


@pytest.mark.parametrize("first", ['{"type":"token","token":"x"}', "x", '{"type":"take"}'])
def test_without_the_token_first_it_is_closed(web: Web, first: str) -> None:
    stream = open_stream(web)
    stream.send(first)
    with pytest.raises(ConnectionClosed) as closed:
        stream.recv(10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_silence_instead_of_a_token_is_closed(web: Web) -> None:
    stream = open_stream(web)
    with pytest.raises(ConnectionClosed):
        stream.recv(30)


def test_another_origin_gets_no_stream(web: Web) -> None:
    with pytest.raises(InvalidStatus) as refused:
        open_stream(web, origin="http://evil.example")
    assert refused.value.response.status_code == 403


def test_under_another_name_it_is_no_server_of_streams(web: Web) -> None:
    name, _, port = web.host.rpartition(":")
    url = f"ws://evil.example:{port}/api/terminals/demo/a/1/stream"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, proxy=None, legacy=True, sock=socket.create_connection((name, int(port))))
    assert refused.value.response.status_code == 421


def test_a_terminal_that_is_not_there_is_said(web: Web) -> None:
    stream = connect(f"ws://{web.host}/api/terminals/demo/none/1/stream", proxy=None, legacy=True)
    stream.send(json.dumps({"type": "token", "token": web.at.token}))
    with pytest.raises(ConnectionClosed) as closed:
        stream.recv(30)
    assert closed.value.rcvd is not None
    assert "no terminal" in closed.value.rcvd.reason


def test_output_comes_while_the_runtime_is_not_asked(web: Web) -> None:
    """A stream asks the runtime until it has caught up, and from then on only the host.

    A client cannot see when that is. So a stop that came too early is tried once more.
    """
    stream, _ = enter(web)
    stream.send(json.dumps({"type": "take"}))
    worktree = Path(web.home.row()["tasks"][0]["worktree"])
    runtime = connection.read(web.home.path).pid
    for number in range(6):
        line = f"until [ -e go{number} ]; do sleep 0.02; done; echo seen{number}-$((1+1))\r"
        stream.send(json.dumps({"type": "input", "data": line, "key": f"wait{number}"}))
        until(stream, b"done; echo")
        os.kill(runtime, signal.SIGSTOP)
        try:
            (worktree / f"go{number}").touch()
            until(stream, b"seen%d-2" % number, 10)
            break
        except TimeoutError:
            continue
        finally:
            os.kill(runtime, signal.SIGCONT)
    else:
        pytest.fail("the output waited for the runtime each time")
    stream.close()


@pytest.mark.parametrize(
    ("offset", "says"), [("x", "number of bytes"), ("-1", "number of bytes"), ("9" * 12, "ends at")]
)
def test_an_offset_that_no_output_has_reached_is_refused(web: Web, offset: str, says: str) -> None:
    """Such as that of a program before, whose output was longer."""
    stream = open_stream(web, f"?offset={offset}")
    stream.send(json.dumps({"type": "token", "token": web.at.token}))
    with pytest.raises(ConnectionClosed) as closed:
        stream.recv(30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert says in closed.value.rcvd.reason


def test_a_message_that_is_not_text_is_refused_and_the_stream_goes_on(web: Web) -> None:
    stream, _ = enter(web)
    for words in (b"\0", "no JSON"):
        stream.send(words)
        while isinstance(frame := stream.recv(30), bytes):
            pass
        assert (json.loads(frame)["type"], json.loads(frame)["reason"]) == ("refused", "malformed")
    stream.close()


def test_a_frame_that_is_too_large_ends_the_stream(web: Web) -> None:
    stream, _ = enter(web)
    stream.send("x" * (1 << 16 | 1))
    with pytest.raises(ConnectionClosed) as closed:
        list(stream)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_a_client_that_says_more_than_is_carried_out_is_not_read_on(web: Web) -> None:
    """The runtime is stopped here, so the first message is not carried out."""
    stream, _ = enter(web)
    stream.send(json.dumps({"type": "take"}))
    text = json.dumps({"type": "input", "data": "", "key": "x" * 60_000}).encode()
    frame = b"\x81" + struct.pack(">BHI", 0x80 | 126, len(text), 0) + text
    more = memoryview(frame * 1_000)
    runtime = connection.read(web.home.path).pid
    os.kill(runtime, signal.SIGSTOP)
    try:
        stream.send(json.dumps({"type": "resize", "rows": 30, "columns": 90}))
        while more and select.select([], [stream.socket], [], 3)[1]:
            more = more[stream.socket.send(more[:65536], socket.MSG_DONTWAIT) :]
    finally:
        os.kill(runtime, signal.SIGCONT)
    assert more
    stream.socket.shutdown(socket.SHUT_RDWR)


def test_a_key_counts_once_in_a_later_visit_of_the_same_session(web: Web) -> None:
    """So a client that was cut before it heard `typed` sends its input again."""
    said = []
    for session in ("mine", "mine"):
        stream, _ = enter(web)
        stream.send(json.dumps({"type": "take", "session": session}))
        stream.send(json.dumps({"type": "input", "data": "\x15", "key": "a key"}))
        while isinstance(frame := stream.recv(30), bytes) or json.loads(frame)["type"] != "typed":
            pass
        said.append(json.loads(frame)["already"])
        stream.close()
    assert said == [False, True]


def sized(stream: ClientConnection, rows: int, columns: int) -> list[list[int]]:
    """Read until the window has this size, and return the sizes that were told."""
    told: list[list[int]] = []
    while not told or told[-1] != [rows, columns]:
        if isinstance(frame := stream.recv(30), str):
            said = json.loads(frame)
            assert said["type"] == "size", said
            told.append([said["rows"], said["columns"]])
    return told


def resize(stream: ClientConnection, rows: int, columns: int) -> None:
    """Take the keyboard, as soon as the visit of another test has given it back, and resize."""
    stream.send(json.dumps({"type": "take"}))
    reason = "keyboard_taken"
    while reason == "keyboard_taken":
        stream.send(json.dumps({"type": "resize", "rows": rows, "columns": columns}))
        said = {"type": ""}
        while said["type"] != "refused" and said != {
            "type": "size",
            "rows": rows,
            "columns": columns,
        }:
            if isinstance(frame := stream.recv(30), str):
                said = json.loads(frame)
        reason = said.get("reason", "")
    assert not reason


def test_who_watches_is_told_the_size_of_the_window_and_when_somebody_else_changes_it(
    web: Web,
) -> None:
    stream, _ = enter(web)
    resize(stream, 31, 91)
    watching, welcome = enter(web)
    assert welcome["size"] == [31, 91]
    resize(stream, 33, 93)
    assert sized(watching, 33, 93) == [[33, 93]]
    stream.close()
    assert sized(watching, 40, 120) == [[40, 120]]
    watching.close()


@pytest.mark.parametrize("more", [{"data": ""}, {"data": "x", "key": "k" * 151}])
def test_an_input_that_no_host_would_take_is_refused(web: Web, more: dict[str, str]) -> None:
    stream, _ = enter(web)
    stream.send(json.dumps({"type": "take"}))
    stream.send(json.dumps({"type": "input", **more}))
    while isinstance(frame := stream.recv(30), bytes):
        pass
    assert (json.loads(frame)["type"], json.loads(frame)["reason"]) == ("refused", "malformed")
    stream.close()
