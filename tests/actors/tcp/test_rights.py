"""What a key may do, and what its deeds say of it."""

import json
import re
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from actors.gateway import rights
from actors.gateway.repeats import Repeats
from actors.gateway.rights import READING, STEERING
from bus import keys, plan, requests
from bus.client import NoAnswer
from bus.context import Context
from bus.errors import Refused
from tests.actors.served import until
from tests.actors.tcp.conftest import Tcp, plan_of
from tests.doors.kit import ROOT, Home, done, plan_text


def code_of(tcp: Tcp, key: Any, type: str, **fields: Any) -> int:
    with tcp.client(key) as client:
        try:
            client.call(type, **fields)
        except Refused as refused:
            return refused.body.code
    return 200


def test_each_right_reaches_as_far_as_it_says(shared: Tcp) -> None:
    read, use, own = (shared.key(f"r-{word}", "--right", word) for word in ("read", "use", "own"))
    asked: list[tuple[str, dict[str, Any]]] = [
        ("snapshot", {}),
        ("workflow.start", {"workflow": "none"}),
        ("events.compact", {}),
    ]
    found = [[code_of(shared, key, type, **fields) for type, fields in asked]
             for key in (read, use, own)]  # fmt: skip
    assert found == [[200, 403, 403], [200, 404, 403], [200, 404, 200]]


def test_no_key_is_shown_the_way_to_a_host(shared: Tcp) -> None:
    for right in ("read", "use", "own"):
        key = shared.key(f"enter-{right}", "--right", right)
        assert code_of(shared, key, "terminal.enter", terminal="none/a/1") == 403


def test_a_key_of_the_feed_asks_nothing(shared: Tcp) -> None:
    key = shared.key("only-feed", "--right", "feed")
    with shared.client(key, 1.5) as client, pytest.raises(NoAnswer):
        client.call("runtime.info")


def test_a_key_is_limited_while_it_is_connected(tcp: Tcp) -> None:
    key = tcp.key("laptop", "--right", "own")
    with tcp.client(key) as client:
        assert client.call("events.compact") == {"removed": 0}
        tcp.home.ok("keys", "limit", "laptop", "--read-only")

        def is_limited() -> bool:
            try:
                client.call("events.compact", timeout=3.0)
            except Refused as refused:
                return refused.body.code == 403
            except NoAnswer:
                return False  # its connection begins anew
            raise AssertionError("it may still do everything")

        until(is_limited)
        assert client.call("workflow.list") == []


def test_a_key_that_is_limited_begins_anew(tcp: Tcp) -> None:
    """Its standing connection was admitted with the right that it had before."""
    key = tcp.key("laptop")
    with Context() as context, context.socket(zmq.DEALER) as ask:
        keys.show_key(ask, key, key.server_requests)
        ends = ask.get_monitor_socket(zmq.Event.DISCONNECTED)
        ask.connect(tcp.at.requests)
        ask.send(b'{"type":"runtime.info","id":1}')
        assert ask.poll(20_000)
        tcp.home.ok("keys", "limit", "laptop", "--right", "feed")
        assert ends.poll(20_000)


def test_facts_carry_the_name_of_the_key(tcp: Tcp, repo: Path) -> None:
    plan = tcp.home.path.parent / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a.txt")]}))
    tcp.home.ok("submit", str(plan))
    with tcp.client(tcp.key("laptop")) as client:
        client.call("workflow.stop", workflow="demo")
    stopped = [f for f in tcp.home.facts("demo") if f.get("new") == "cancelled"]
    assert stopped
    assert {f["by"] for f in stopped} == {"key"}
    assert {f["peer"] for f in stopped} == {"key=laptop host=127.0.0.1"}


def test_a_request_is_carried_out_once_for_its_id(tcp: Tcp) -> None:
    key = tcp.key("laptop", "--right", "own")
    with tcp.client(key) as client:
        epoch = client.call("runtime.info")["epoch"]

        def ask(id: Any) -> str:
            frame = json.dumps({"type": "events.compact", "id": id}).encode()
            try:
                client._exchange("events.compact", id, frame, None)  # noqa: SLF001
            except Refused as refused:
                return refused.body.reason
            return "done"

        assert ask(f"{epoch}/1") == "done"
        assert ask(f"{epoch}/1") == "repeated"
        assert ask(f"{epoch}/2") == "done"
        assert ask("0123/3") == "other_epoch"
        assert [ask(id) for id in (4, "five", f"{epoch}/{'x' * 300}")] == ["malformed"] * 3
    other = tcp.key("other", "--right", "own")
    with tcp.client(other) as client:
        client._exchange(  # noqa: SLF001
            "x", f"{epoch}/1", b'{"type":"events.compact","id":"%s/1"}' % epoch.encode(), None
        )


BROUGHT: list[tuple[dict[str, Any], str]] = [
    ({"test": ["sh", "-c", "evil"]}, "test"),
    ({"setup": ["sh"]}, "setup"),
    ({"copy": ["/etc/passwd"]}, "copy"),
    ({"cli": {"claude": {"command": ["sh"]}}}, "cli"),
    ({"provider": {"x": {"base_url": "http://evil.example", "api_key_env": "K"}}}, "provider"),
    ({"orchestrator": {"base_url": "http://evil.example", "api_key_env": "K"}}, "orchestrator"),
    ({"test_env": ["GITHUB_TOKEN"]}, "test_env"),
    ({"sandbox_allow": ["/"]}, "sandbox_allow"),
    ({"notify": {"command": ["sh"]}}, "notify"),
    ({"defaults": {"sandbox": "off"}}, "defaults.sandbox"),
    ({"defaults": {"switch": "global"}}, "defaults.switch"),
    ({"merge": {"cli": "claude", "command": ["sh"]}}, "merge.command"),
    ({"unknown": 1}, "unknown"),
]


@pytest.mark.parametrize(("brought", "path"), BROUGHT, ids=[path for _, path in BROUGHT])
@pytest.mark.parametrize("type", ["plan.submit", "plan.check"])
def test_a_plan_over_tcp_brings_no_commands_of_its_own(
    opened: Tcp, brought: dict[str, Any], path: str, type: str, repo: Path
) -> None:
    plan = plan_of(repo, **brought)
    with opened.client(key_of(opened)) as client, pytest.raises(Refused) as refused:
        client.call(type, plan=json.loads(plan))
    assert (refused.value.body.code, refused.value.body.path) == (403, path)
    assert "has the right 'use'" in refused.value.body.message


def test_a_task_s_own_check_is_a_command_too(opened: Tcp, repo: Path) -> None:
    plan = json.loads(plan_of(repo))
    plan["task"][0]["check"] = ["sh"]
    with opened.client(key_of(opened)) as client, pytest.raises(Refused) as refused:
        client.call("plan.submit", plan=plan)
    assert refused.value.body.path == "task[0].check"


@pytest.mark.parametrize(
    ("type", "fields", "path"),
    [
        ("task.add", {"task": {"id": "b", "branch": "b/b", "check": ["sh"]}}, "task.check"),
        (
            "task.add",
            {"task": {"id": "b", "branch": "b/b", "terminal": [{"sandbox": "off"}]}},
            "task.terminal[0].sandbox",
        ),
        ("plan.set", {"test": ["sh"]}, "test"),
    ],
)
def test_a_change_of_a_plan_brings_no_commands_either(
    opened: Tcp, type: str, fields: dict[str, Any], path: str
) -> None:
    with opened.client(key_of(opened)) as client, pytest.raises(Refused) as refused:
        client.call(type, workflow="none", **fields)
    assert (refused.value.body.code, refused.value.body.path) == (403, path)
    with opened.client(key_of(opened)) as client, pytest.raises(Refused) as refused:
        client.call("plan.set", workflow="none", max_terminals=2)
    assert refused.value.body.code == 404


def test_a_terminal_and_variables_bring_nothing_either(opened: Tcp, repo: Path) -> None:
    plan = json.loads(plan_of(repo))
    asked: list[tuple[str, dict[str, Any], str]] = [
        ("terminal.add", {"task": "none/a", "terminal": {"sandbox": "off"}}, "terminal.sandbox"),
        ("plan.submit", {"plan": plan, "variables": {"PATH": "/elsewhere"}}, "variables"),
    ]
    with opened.client(key_of(opened)) as client:
        for type, fields, path in asked:
            with pytest.raises(Refused) as refused:
                client.call(type, **fields)
            assert (refused.value.body.code, refused.value.body.path) == (403, path)


def test_toml_is_looked_into_like_json(opened: Tcp, repo: Path) -> None:
    text = plan_text(repo, {"a": [done("a.txt")]})
    with opened.client(key_of(opened)) as client, pytest.raises(Refused) as refused:
        client.call("plan.submit", plan=text)
    assert (refused.value.body.code, refused.value.body.path) == (403, "cli")


def test_a_plan_names_only_repositories_that_were_opened(
    opened: Tcp, repo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.repositories import make_repo

    other = make_repo(tmp_path_factory.mktemp("other") / "repo")
    with opened.client(key_of(opened)) as client:
        with pytest.raises(Refused) as refused:
            client.call("plan.check", plan=json.loads(plan_of(other)))
        assert (refused.value.body.code, refused.value.body.path) == (403, "repo")
        link = repo / "link"  # its path is below what was opened, and its place is not
        if not link.exists():
            link.symlink_to(other)
        with pytest.raises(Refused) as refused:
            client.call("plan.check", plan=json.loads(plan_of(link)))
        assert refused.value.body.path == "repo"
        with pytest.raises(Refused) as refused:
            client.call("plan.check", plan=json.loads(plan_of(repo, name=1)))
        assert refused.value.body.code == 422  # it has come as far as the plan's own check


def test_every_request_is_decided_on() -> None:
    """A request that is in neither list needs the user's own right, as these do on purpose."""
    own = {"events.compact", "runtime.stop", "config.accept"}
    code = {kind.__struct_config__.tag for kind in typing.get_args(requests.AnyRequest)}
    named = {kind.__struct_config__.tag for kind in READING | STEERING}
    assert not READING & STEERING
    assert named <= code
    assert own <= code - named


def test_the_rights_are_those_of_the_page() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith("| `read` |")]
    named = set(re.findall(r"`([a-z.]+)`", row.split("|")[2]))
    assert named == {kind.__struct_config__.tag for kind in READING}


CLOSED: dict[type[Any], set[str]] = {
    plan.Plan: {
        "test", "setup", "setup_inputs", "test_env", "copy", "cli", "provider", "orchestrator",
        "limits", "environment", "variables", "notify", "sandbox_allow",
    },
    plan.TaskPlan: {"check", "limits"},
    plan.TerminalPlan: {"instruction_file", "unfenced", "fence", "limited", "limits", "keep"},
    plan.HelperPlan: {"unfenced", "fence", "limited", "keep"},
}  # fmt: skip


def test_every_key_of_a_plan_is_decided_on() -> None:
    """A key that is not named needs the user's own right, as these do."""
    opened: dict[type[Any], Iterable[str]] = {
        plan.Plan: rights._PLAN,  # noqa: SLF001
        plan.TaskPlan: rights._TASK,  # noqa: SLF001
        plan.TerminalPlan: rights._TERMINAL,  # noqa: SLF001
        plan.HelperPlan: rights._TERMINAL,  # noqa: SLF001
    }
    for kind, closed in CLOSED.items():
        named = {field.encode_name for field in msgspec.structs.fields(kind)}
        assert named - set(opened[kind]) == closed, kind


def test_an_epoch_is_one_runtime_s() -> None:
    assert Repeats().epoch != Repeats().epoch


def least(kind: type[Any]) -> dict[str, Any]:
    """The fields that a request cannot do without, with something in them."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    some: dict[type[Any], Any] = {
        msgspec.inspect.StrType: "x",
        msgspec.inspect.IntType: 1,
        msgspec.inspect.BoolType: False,
        msgspec.inspect.DictType: {},
        msgspec.inspect.ListType: [],
        msgspec.inspect.UnionType: "x",
    }
    return {
        field.encode_name: some.get(type(field.type), {}) for field in info.fields if field.required
    }


def test_a_read_only_key_sends_nothing_that_changes_something(shared: Tcp) -> None:
    key = shared.key("reads", "--right", "read")
    kinds = [kind for kind in typing.get_args(requests.AnyRequest) if kind not in READING]
    with shared.client(key) as client:
        for kind in kinds:
            with pytest.raises(Refused) as refused:
                client.call(kind.__struct_config__.tag, **least(kind))
            assert refused.value.body.code == 403, kind
    assert len(kinds) > 30


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.repositories import make_repo

    return make_repo(tmp_path_factory.mktemp("opened") / "repo")


@pytest.fixture(scope="module")
def opened(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> typing.Iterator[Tcp]:
    """A door through which plans for one repository may come."""
    directory = tmp_path_factory.mktemp("door")
    home = Home(directory / "home")
    home.serve("--tcp", "127.0.0.1", "--allow-repo", str(repo))
    yield Tcp(home, directory)
    home.close()


_keys: dict[Path, Any] = {}


def key_of(opened: Tcp) -> Any:
    if opened.home.path not in _keys:
        _keys[opened.home.path] = opened.key("opened")
    return _keys[opened.home.path]
