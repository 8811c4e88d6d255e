"""Next steps as commands that can be typed."""

import shlex

import click
import pytest

from actors.command_line.commands import main
from actors.command_line.output.actions import command_for
from bus.action import Action, Do


@pytest.mark.parametrize("do", list(Do))
def test_each_action_is_a_command_that_the_command_line_accepts(do: Do) -> None:
    with click.Context(main, info_name="python -m callboard", obj="/a b") as above:
        words = shlex.split(command_for(Action(do, "demo/a/1/")))
        assert words[:3] == ["python", "-m", "callboard"]
        assert words[-2:] == ["--home", "/a b"]
        name, *arguments = words[3:]
        found = main.commands[name]
        assert isinstance(found, click.Command)
        found.make_context(name, arguments, parent=above)


def test_what_is_about_no_workflow_names_none() -> None:
    """An empty word would be read as the name of a workflow. Hazard 71."""
    assert command_for(Action(Do.CLEAN)) == "python run.py clean"


def test_fields_are_options() -> None:
    repair = Action(Do.REPAIR, "demo/", {"cli": "my cli"})
    assert command_for(repair) == "python run.py repair demo --cli 'my cli'"
