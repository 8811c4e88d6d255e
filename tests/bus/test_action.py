"""Next steps as data: their wire form, and that each one is a step that exists."""

from typing import get_args

import msgspec

from bus.action import LOCAL, Action, Do
from bus.errors import ErrorBody, illegal
from bus.reasons import Reason
from bus.requests import AnyRequest


def test_an_action_on_the_wire_names_what_to_do_and_where() -> None:
    error = illegal(Reason.NOT_FAILED, "no", actions=[Action(Do.RETRY, "demo/login/")])
    body = msgspec.to_builtins(error.body)
    assert body["actions"] == [{"do": "task.retry", "address": "demo/login/"}]
    assert msgspec.convert(body, ErrorBody) == error.body


def test_an_error_without_actions_has_no_such_key() -> None:
    assert "actions" not in msgspec.to_builtins(illegal(Reason.OVER, "no").body)


_TYPES = {kind.__struct_config__.tag for kind in get_args(AnyRequest)}


def test_each_action_is_a_request_or_a_local_step() -> None:
    assert {str(do) for do in set(Do) - LOCAL} <= _TYPES
    assert not {str(do) for do in LOCAL} & _TYPES
