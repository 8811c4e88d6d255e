"""What a refusal of a provider says, and what of it is told to the runtime."""

import socket
import time
from collections.abc import Callable

import pytest

from actors.models.refusals import kind_of, reset_of
from actors.models.said import Refused, Served
from bus.kinds import LimitKind
from tests.actors.models.kit import Desk, Request, Upstream, answer

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "20"}, b"", 20),
        ({"retry-after": "Fri, 15 Jan 2027 08:01:00 GMT"}, b"", 60),
        ({"retry-after-ms": "1500"}, b"", 1.5),
        ({"anthropic-ratelimit-unified-reset": "1800000300"}, b"", 300),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2027-01-15T08:02:00Z",
                "anthropic-ratelimit-requests-remaining": "5",
                "anthropic-ratelimit-requests-reset": "2027-01-15T09:00:00Z",
            },
            b"",
            120,
        ),
        ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "0"}, b"", 360),
        ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "7"}, b"", None),
        ({}, b'{"error":{"type":"usage_limit_reached","resets_in_seconds":7200}}', 7200),
        ({}, b'{"error":{"resets_at": 1800000060}}', 60),
        ({}, b'{"details":[{"retryDelay": "34.5s"}]}', 34.5),
        ({"retry-after": "-5"}, b"", None),
        ({"retry-after": "9" * 12}, b"", None),
        ({"retry-after": "soon"}, b"{}", None),
        ({}, b"", None),
    ],
)
def test_the_time_of_the_reset_is_read(
    headers: dict[str, str], body: bytes, seconds: float | None
) -> None:
    found = reset_of(headers, body, NOW)
    assert found == (pytest.approx(NOW + seconds) if seconds is not None else 0.0)


@pytest.mark.parametrize(
    ("status", "body", "until", "kind"),
    [
        (429, b"", 0, LimitKind.RATE),
        (429, b"", NOW + 60, LimitKind.RATE),
        (429, b"", NOW + 3600, LimitKind.USAGE),
        (429, b"usage_limit_reached", 0, LimitKind.USAGE),
        (429, b"insufficient_quota", 0, LimitKind.CREDIT),
        (401, b"", 0, LimitKind.LOGIN),
        (402, b"", 0, LimitKind.CREDIT),
        (500, b"", 0, LimitKind.OVERLOAD),
        (529, b"", 0, LimitKind.OVERLOAD),
        (400, b"", 0, LimitKind.NONE),
        (403, b"", 0, LimitKind.NONE),
        (404, b"", 0, LimitKind.NONE),
    ],
)
def test_the_kind_is_read(status: int, body: bytes, until: float, kind: LimitKind) -> None:
    assert kind_of(status, body, until, NOW) == kind


Reply = Callable[[], bytes]


class Changing:
    """A server that answers as it is told."""

    def __init__(self) -> None:
        self.reply = answer(b"{}")

    def __call__(self, connection: socket.socket, _request: Request) -> None:
        connection.sendall(self.reply)


def test_a_limit_with_its_end_is_told_at_once_and_once_and_so_is_its_end(desk: Desk) -> None:
    changing = Changing()
    with Upstream(changing) as server:
        desk.open(server.url)
        changing.reply = answer(b"{}", "429 Too Many", retry_after="3600")
        for _ in range(4):
            assert desk.post("/v1/messages").status_code == 429
        changing.reply = answer(b"{}")
        for _ in range(2):
            desk.post("/v1/messages")
        limited, served = desk.until_happened(2)
        changing.reply = answer(b"{}", "429 Too Many", retry_after="3600")
        desk.post("/v1/messages")
        assert [type(one).__name__ for one in desk.until_happened(3)] == [
            "Refused",
            "Served",
            "Refused",
        ]
    assert limited.by == LimitKind.USAGE  # type: ignore[union-attr]
    assert limited.account == "p at x"
    assert isinstance(served, Served)
    assert [one.number for one in desk.happened] == [1, 2, 3]


def test_what_is_over_in_a_moment_is_told_when_it_comes_again_and_again(desk: Desk) -> None:
    changing = Changing()
    with Upstream(changing) as server:
        desk.open(server.url)
        for _ in range(2):
            for reply in ("529 Overloaded", "503 No", "200 OK"):
                changing.reply = answer(b"{}", reply)
                desk.post("/v1/messages")
        assert desk.happened == []
        changing.reply = answer(b"{}", "529 Overloaded")
        for _ in range(3):
            assert desk.post("/v1/messages").status_code == 529
        (told,) = desk.until_happened(1)
    assert isinstance(told, Refused)
    assert (told.by, told.text) == (LimitKind.OVERLOAD, "it answers 529")


def test_a_server_that_cannot_be_reached_counts_as_failing(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    desk.open(url)
    for _ in range(3):
        assert desk.post("/v1/messages").status_code == 502
    (told,) = desk.until_happened(1)
    assert told.by == LimitKind.OVERLOAD  # type: ignore[union-attr]


def test_an_account_that_the_runtime_knows_as_limited_is_told_when_it_serves(desk: Desk) -> None:
    with Upstream(Changing()) as server:
        desk.open(server.url, limited=True)
        desk.post("/v1/messages")
        (told,) = desk.until_happened(1)
    assert isinstance(told, Served)


@pytest.mark.parametrize("reply", ["529 Overloaded", "500 No"])
def test_a_provider_that_fails_is_asked_seldom_and_its_answer_is_repeated(
    desk: Desk, reply: str
) -> None:
    """A hundred requests in a moment, as of ten programs that try again. Hazard 87."""
    changing = Changing()
    said = answer(b'{"error": "so busy"}', reply)
    with Upstream(changing) as server:
        desk.open(server.url)
        changing.reply = said
        answers = [desk.post("/v1/messages") for _ in range(100)]
        assert {each.status_code for each in answers} == {int(reply[:3])}
        assert {each.content for each in answers} == {b'{"error": "so busy"}'}
        assert any("retry-after" in each.headers for each in answers)
        assert len(server.requests) < 20
        changing.reply = answer(b"{}")
        while desk.post("/v1/messages").status_code != 200:
            time.sleep(0.2)
        asked = len(server.requests)
        for _ in range(5):
            assert desk.post("/v1/messages").status_code == 200
        assert len(server.requests) == asked + 5
        assert [type(one) for one in desk.until_happened(2)] == [Refused, Served]


def test_a_server_that_cannot_be_reached_is_tried_seldom(desk: Desk) -> None:
    """Hazard 87."""
    hung_up: list[Request] = []

    def hang_up(connection: socket.socket, request: Request) -> None:
        hung_up.append(request)
        connection.shutdown(socket.SHUT_RDWR)

    with Upstream(hang_up) as server:
        desk.open(server.url)
        answers = [desk.post("/v1/messages") for _ in range(100)]
    assert {each.status_code for each in answers} == {502}
    assert len({each.content for each in answers}) == 1
    assert len(hung_up) < 20
