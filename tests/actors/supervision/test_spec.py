"""Specs are plain data."""

from actors.supervision.spec import ChildSpec, SupervisorSpec
from tests.actors.supervision.supervision_kit import oops


def test_a_spec_is_plain_data() -> None:
    assert SupervisorSpec("s", children=(ChildSpec("a", oops),)) == SupervisorSpec(  # type: ignore[arg-type]
        "s",
        children=(ChildSpec("a", oops),),  # type: ignore[arg-type]
    )
