"""Next steps as commands that can be typed."""

import shlex

import click
import pytest

from actors.command_line.actions import PROGRAM, command
from actors.command_line.commands import main
from bus.action import Action, Do


@pytest.mark.parametrize("do", list(Do))
def test_each_action_is_a_command_that_the_command_line_accepts(do: Do) -> None:
    words = shlex.split(command(Action(do, "demo/a/1/"), home="/a b"))
    assert words[:2] == PROGRAM.split()
    name, *arguments = words[2:]
    found = main.commands[name]
    assert isinstance(found, click.Command)
    with click.Context(main) as above:
        found.make_context(name, arguments, parent=above)


def test_fields_are_options_and_a_home_is_named() -> None:
    repair = Action(Do.REPAIR, "demo/", {"cli": "my cli"})
    assert command(repair) == "python run.py repair demo --cli 'my cli'"
    assert command(repair, "/h").endswith(" --home /h")
