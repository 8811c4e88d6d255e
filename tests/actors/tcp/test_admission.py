"""Who is let in over TCP, and that a frame of anybody else is never read."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import zmq
import zmq.asyncio
from zmq.auth.asyncio import AsyncioAuthenticator

from actors.tcp import sockets
from actors.tcp.admission import FEED, REQUESTS, Admission
from bus import keys
from bus.client import Client, NoAnswer
from bus.context import Context
from bus.doors import TcpDoor
from bus.errors import Refused
from bus.keys import ClientKey
from bus.peer import Right
from bus.subscriber import Subscriber
from tests.actors.served import until
from tests.actors.tcp.conftest import Tcp
from tests.doors.kit import Home, done, plan_text

HELLO = b'{"type":"runtime.info","id":1}'
SHORT_MS = 1_500
"""How long nothing must come."""

Dial = Callable[[int], "zmq.Socket[bytes]"]


@pytest.fixture
def dial() -> Iterator[Dial]:
    context = Context()

    def socket(kind: int) -> "zmq.Socket[bytes]":
        made = context.socket(kind)
        made.linger = 0
        return made

    yield socket
    context.destroy(linger=0)


def is_refused(socket: "zmq.Socket[bytes]", endpoint: str) -> bool:
    """Whether the handshake fails: libzmq's own word for it."""
    monitor = socket.get_monitor_socket(
        zmq.Event.HANDSHAKE_SUCCEEDED
        | zmq.Event.HANDSHAKE_FAILED_AUTH
        | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
        | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
        | zmq.Event.DISCONNECTED
    )
    socket.connect(endpoint)
    assert monitor.poll(20_000), "the door says neither yes nor no"
    event = int.from_bytes(monitor.recv_multipart()[0][:2], "little")
    return event != zmq.Event.HANDSHAKE_SUCCEEDED


def test_a_key_asks_and_follows_the_feed(tcp: Tcp, repo: Path) -> None:
    key = tcp.key("laptop")
    with tcp.client(key) as client:
        assert client.call("runtime.info")["home"] == str(tcp.home.path)
    subscriber = Subscriber(tcp.at.feed, tcp.at.requests, key=key)
    plan = tcp.home.path.parent / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a.txt")]}))
    tcp.home.ok("submit", str(plan))
    seen = [subscriber.next(30) for _ in range(2)]
    subscriber.close()
    assert [fact.seq for fact in seen if fact] == [1, 2]


def test_a_req_socket_is_answered_too(shared: Tcp, dial: Dial) -> None:
    key = shared.key("req")
    socket = dial(zmq.REQ)
    keys.show_key(socket, key, key.server_requests)
    socket.connect(shared.at.requests)
    socket.send(HELLO)
    assert socket.poll(20_000)
    assert b'"ok":true' in socket.recv()


def _none(_socket: Any, _key: ClientKey, _server: str) -> None:
    """NULL: no mechanism at all."""


def _plain(socket: "zmq.Socket[bytes]", key: ClientKey, _server: str) -> None:
    socket.plain_username = key.name.encode()
    socket.plain_password = key.secret.encode()


def _unknown(socket: "zmq.Socket[bytes]", key: ClientKey, server: str) -> None:
    pair = keys.new_pair()
    other = ClientKey(1, "x", pair.public, pair.secret, key.server_requests, key.server_feed)
    keys.show_key(socket, other, server)


def _stolen_name(socket: "zmq.Socket[bytes]", key: ClientKey, server: str) -> None:
    """The public key of another, without its secret."""
    pair = keys.new_pair()
    socket.curve_serverkey = server.encode()
    socket.curve_publickey = pair.public.encode()
    socket.curve_secretkey = pair.secret.encode()
    socket.setsockopt(zmq.IDENTITY, key.public.encode())


def _wrong_server(socket: "zmq.Socket[bytes]", key: ClientKey, server: str) -> None:
    other = key.server_feed if server == key.server_requests else key.server_requests
    keys.show_key(socket, key, other)


@pytest.mark.parametrize("way", [_none, _plain, _unknown, _stolen_name, _wrong_server])
@pytest.mark.parametrize("which", ["requests", "feed"])
def test_whoever_shows_no_known_key_is_refused_in_the_handshake(
    shared: Tcp, dial: Dial, way: Callable[..., None], which: str
) -> None:
    """Hazard 53."""
    key = keys_of(shared)
    kind, endpoint, server = (
        (zmq.DEALER, shared.at.requests, key.server_requests)
        if which == "requests"
        else (zmq.SUB, shared.at.feed, key.server_feed)
    )
    dialled = dial(kind)
    way(dialled, key, server)
    assert is_refused(dialled, endpoint)
    if kind == zmq.DEALER:
        with suppress(zmq.Again):  # libzmq has given the connection up
            dialled.send(HELLO, zmq.NOBLOCK)
    else:
        dialled.subscribe(b"")
    assert not dialled.poll(SHORT_MS)


_made: dict[Path, ClientKey] = {}


def keys_of(shared: Tcp) -> ClientKey:
    if shared.home.path not in _made:
        _made[shared.home.path] = shared.key("known")
    return _made[shared.home.path]


def test_garbage_ends_its_own_connection_and_nobody_else_s(shared: Tcp) -> None:
    """Bytes of no protocol, of an older or another one, half a greeting, and nothing at all."""
    null = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)
    garbage = [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 65_536, null, null[:11], os.urandom(999), b""]
    opened = []
    for endpoint in (shared.at.requests, shared.at.feed):
        where = urlsplit(endpoint)
        for sent in garbage:
            opened.append(socket.create_connection((where.hostname or "", where.port or 0), 20.0))
            with suppress(ConnectionError):
                opened[-1].sendall(sent)
    for connection in opened:
        with suppress(ConnectionError):
            while connection.recv(65_536):  # until its end, and not for longer than 20 s
                pass
        connection.close()
    with shared.client(keys_of(shared)) as client:
        assert client.call("workflow.list") == []


def test_what_is_no_request_is_refused_and_what_is_too_large_is_not_read(
    shared: Tcp, dial: Dial
) -> None:
    key = keys_of(shared)
    ask = dial(zmq.DEALER)
    keys.show_key(ask, key, key.server_requests)
    events = ask.get_monitor_socket(zmq.Event.DISCONNECTED)
    ask.connect(shared.at.requests)
    for frames in (
        [b"\xff\x00"],
        [b"[]"],
        [b"{}"],
        [HELLO, HELLO],
        [b"", b"", HELLO],
        [b"[" * 2_000],
    ):
        ask.send_multipart(frames)
        assert ask.poll(20_000)
        assert b'"code":422' in ask.recv_multipart()[-1], frames
    assert not events.poll(0)
    ask.send(b" " * (sockets.MAX_FRAME + 1))
    assert events.poll(20_000)
    until(lambda: _answers(ask))  # it has connected again
    with shared.client(key) as client:
        assert client.call("workflow.list") == []


def test_nobody_is_admitted_when_no_authenticator_answers(dial: Dial) -> None:
    """Libzmq admits any key then, unless `ZAP_ENFORCE_DOMAIN` is set. Hazard 53."""
    own, mine = keys.new_pair(), keys.new_pair()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        endpoint = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        context = zmq.asyncio.Context()

        async def serve() -> bool:
            front = sockets.listen(context, zmq.ROUTER, REQUESTS, own, endpoint, listening.fileno())
            client = dial(zmq.DEALER)
            key = ClientKey(1, "x", mine.public, mine.secret, own.public, own.public)
            keys.show_key(client, key, own.public)
            client.connect(endpoint)
            client.send(HELLO)
            came = await front.poll(SHORT_MS)
            front.close()
            return bool(came)

        assert not asyncio.run(serve())
        context.destroy(linger=0)


def test_a_revoked_key_s_open_connections_end(tcp: Tcp, dial: Dial) -> None:
    bad, good = tcp.key("bad"), tcp.key("good")
    dialled = {}
    for key in (bad, good):
        ask, feed = dial(zmq.DEALER), dial(zmq.SUB)
        keys.show_key(ask, key, key.server_requests)
        keys.show_key(feed, key, key.server_feed)
        ask.connect(tcp.at.requests)
        feed.subscribe(b"")
        feed.connect(tcp.at.feed)
        ask.send(HELLO)
        assert ask.poll(20_000)
        ask.recv()
        assert feed.poll(20_000)
        dialled[key.name] = (ask, feed)
    ends = [each.get_monitor_socket(zmq.Event.DISCONNECTED) for each in dialled["bad"]]
    tcp.home.ok("keys", "revoke", "bad")
    ask, feed = dialled["bad"]
    assert not _answers(ask)  # it is refused, or its connection has ended already
    assert all(end.poll(20_000) for end in ends), "one of its connections goes on"
    while feed.poll(0):
        feed.recv()
    ask, feed = dialled["good"]
    until(lambda: _answers(ask))
    assert feed.poll(20_000)  # the next heartbeat
    assert not dialled["bad"][1].poll(SHORT_MS)
    assert not _answers(dialled["bad"][0])
    with tcp.client(bad, 2.0) as client:
        for _ in range(2):
            with pytest.raises((NoAnswer, Refused)):
                client.call("runtime.info")


class Standing:
    """Both sockets of a door whose connections nobody ends, and a runtime of the test's own."""

    def __init__(self, home: Path, name: str) -> None:
        self._home, self._name = home, name
        self._context = zmq.asyncio.Context()
        own, pair = keys.server_keys(home), keys.new_pair()
        keys.add(home, name, pair.public, Right.USE)
        self._key = ClientKey(
            1, name, pair.public, pair.secret, own.requests.public, own.feed.public
        )
        admission = Admission(home)
        self._zap = AsyncioAuthenticator(self._context)
        self._zap.start()
        for domain in (REQUESTS, FEED):
            self._zap.configure_curve_callback(domain, admission)
        self.runtime, self.publisher = map(self._context.socket, (zmq.ROUTER, zmq.XPUB))
        ends = [
            each.bind_to_random_port("tcp://127.0.0.1") for each in (self.runtime, self.publisher)
        ]
        listening = [socket.create_server(("127.0.0.1", 0)) for _ in ends]
        self._at = [f"tcp://127.0.0.1:{each.getsockname()[1]}" for each in listening]
        door = TcpDoor(
            requests=f"tcp://127.0.0.1:{ends[0]}", feed=f"tcp://127.0.0.1:{ends[1]}", secret="x",
            home=str(home), tcp_requests=self._at[0], tcp_feed=self._at[1],
        )  # fmt: skip
        made = (self._context, door)
        self._doors = (
            sockets.Requests(*made, own.requests, listening[0].fileno(), admission),
            sockets.Feed(*made, own.feed, listening[1].fileno(), admission),
        )
        for each in listening:
            each.close()

    def dial(self, kind: int) -> Any:
        """A client's socket, connected with the key."""
        is_feed = kind == zmq.SUB
        made: Any = self._context.socket(kind)
        key = self._key
        keys.show_key(made, key, key.server_feed if is_feed else key.server_requests)
        made.connect(self._at[is_feed])
        return made

    def revoke(self) -> None:
        keys.revoke(self._home, self._name)

    async def __aenter__(self) -> "Standing":
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._doors:
            await each.close()
        self._zap.stop()
        self._context.destroy(linger=0)


def test_each_frame_s_key_is_looked_up(tmp_path: Path) -> None:
    async def ask() -> bytes:
        async with Standing(tmp_path, "laptop") as door, asyncio.timeout(60):
            client = door.dial(zmq.DEALER)
            await client.send(HELLO)
            who, ticket, _speaker, payload = await door.runtime.recv_multipart()
            await door.runtime.send_multipart([who, ticket, payload])
            assert await client.recv() == HELLO
            door.revoke()
            await client.send(HELLO)
            answered = asyncio.ensure_future(client.recv())
            handed_on = asyncio.ensure_future(door.runtime.recv_multipart())
            await asyncio.wait({answered, handed_on}, return_when=asyncio.FIRST_COMPLETED)
            assert not handed_on.done()
            return bytes(answered.result())

    assert b'"key_revoked"' in asyncio.run(ask())


def test_a_revoked_key_subscribes_to_nothing_more(tmp_path: Path) -> None:
    async def subscribe() -> list[bytes]:
        async with Standing(tmp_path, "laptop") as door, asyncio.timeout(60):
            client = door.dial(zmq.SUB)
            client.subscribe(b"before")
            words = [await door.publisher.recv()]
            door.revoke()
            client.subscribe(b"after")
            client.unsubscribe(b"before")  # comes behind it, in the same connection
            return [*words, await door.publisher.recv()]

    words = asyncio.run(subscribe())
    assert words == [b"\x01before", b"\x00before"]


def _answers(socket: "zmq.Socket[bytes]") -> bool:
    try:
        socket.send(HELLO, zmq.NOBLOCK)
    except zmq.Again:
        return False  # libzmq has given the connection up
    return bool(socket.poll(SHORT_MS)) and b'"ok":true' in socket.recv()


def test_the_door_s_death_disturbs_nothing_and_it_comes_back(tcp: Tcp) -> None:
    key = tcp.key("laptop")
    with tcp.client(key) as client:
        client.call("runtime.info")
    os.kill(tcp.door_pid(), signal.SIGKILL)
    with tcp.client(key) as client:
        assert client.call("runtime.info")["home"] == str(tcp.home.path)
    assert tcp.home.json("ps") == []


def test_the_door_s_own_keys_stay_and_nobody_else_can_read_them(tmp_path: Path) -> None:
    home = tmp_path / "home"
    own = keys.server_keys(home)
    keys.add(home, "x", keys.new_pair().public, Right.USE)
    keys.limit(home, "x", Right.READ)
    assert keys.server_keys(home) == own
    assert own.requests != own.feed
    files = [home / "keys", *(home / "keys").iterdir()]
    assert len(files) == 3
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_no_key_is_open_to_others_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made first and closed later can be read in between."""
    modes, real = [], os.open

    def noted(path: Any, flags: int, *words: Any, **more: Any) -> int:
        fd = real(path, flags, *words, **more)
        if flags & os.O_CREAT:
            modes.append(os.fstat(fd).st_mode & 0o777)
        return fd

    monkeypatch.setattr(os, "open", noted)
    before = os.umask(0)
    try:
        keys.server_keys(tmp_path)
        keys.add(tmp_path, "x", keys.new_pair().public, Right.USE)
        keys.limit(tmp_path, "x", Right.READ)
        keys.write_client(tmp_path / "client", ClientKey(1, "x", "", "secret", "", ""))
    finally:
        os.umask(before)
    assert modes == [0o600] * 4


def test_a_client_that_made_its_own_pair_hands_in_the_public_half(tcp: Tcp) -> None:
    pair = keys.new_pair()
    tcp.home.ok("keys", "make", "own", "--public", pair.public)
    own = keys.server_keys(tcp.home.path)
    key = ClientKey(1, "own", pair.public, pair.secret, own.requests.public, own.feed.public)
    with tcp.client(key) as client:
        assert client.call("workflow.list") == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("make", "Laptop"), "no name"),
        (("make", "../x"), "no name"),
        (("make", "x", "--public", "short"), "no public key"),
        (("revoke", "nobody"), "no key 'nobody'"),
        (("limit", "nobody"), "no key 'nobody'"),
    ],
)
def test_a_wrong_word_is_refused(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    home = Home(tmp_path / "home")
    refused = home.run("keys", *words, cwd=tmp_path)
    assert refused.returncode == 2
    assert says in refused.stderr
    assert not list(tmp_path.glob("**/*.key"))


def test_a_key_file_that_cannot_be_read_admits_nobody(tcp: Tcp) -> None:
    key = tcp.key("laptop")
    file = tcp.home.path / "keys" / "laptop.key"
    file.unlink()
    os.mkfifo(file)
    with tcp.client(key, 1.0) as client, pytest.raises((NoAnswer, Refused)):
        client.call("runtime.info")
    file.unlink()
    assert tcp.home.run("keys").returncode == 0


@pytest.mark.parametrize("where", ["nowhere.example", "127.0.0.1:99999", "127.0.0.1:65535"])
def test_an_address_that_cannot_be_is_refused(tmp_path: Path, where: str) -> None:
    refused = Home(tmp_path / "home").run("serve", "--tcp", where)
    assert refused.returncode == 2
    assert "--tcp" in refused.stderr


def test_a_client_of_the_home_s_own_socket_is_no_door(shared: Tcp, dial: Dial) -> None:
    """Only a process that knows the runtime's secret speaks for others."""
    from bus import connection

    own = dial(zmq.DEALER)
    own.connect(connection.read(shared.home.path).requests)
    for secret in ("", "x"):
        own.send_multipart([b"door-x", b'{"secret":"%s","right":"own"}' % secret.encode(), HELLO])
        assert own.poll(20_000)
        assert b'"malformed"' in own.recv_multipart()[-1]
    with Client(connection.read(shared.home.path).requests) as client:
        assert client.call("runtime.info")
