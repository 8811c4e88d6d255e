"""The manual holds every command and every option, in both of its forms."""

import shutil
import subprocess

import click
import pytest

from actors.command_line import manual
from actors.command_line.commands import main


@pytest.fixture
def root() -> click.Context:
    return click.Context(main, info_name="callboard")


def test_every_command_and_option_stands_in_both_forms(root: click.Context) -> None:
    text, page = manual.text(root), manual.page(root).replace("\\-", "-")
    seen = list(manual.commands(root))
    assert {"up", "providers import", "config show"} <= {
        each.command_path.removeprefix("callboard ") for each in seen
    }
    for each in seen:
        path = each.command_path
        assert f"Usage: {path} " in text
        assert f'.SS "{path.removeprefix("callboard ")} ' in page
        for option in each.command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.opts[0] in page, path


def test_the_name_of_the_page_keeps_its_capitals(root: click.Context) -> None:
    assert "callboard - run a company of AI coding CLIs" in manual.page(root).replace("\\-", "-")


def test_no_line_of_text_is_taken_for_a_request(root: click.Context) -> None:
    known = (".TH", ".SH", ".SS", ".B ", ".TP", ".PP")
    for line in manual.page(root).splitlines():
        assert not line.startswith("'")
        assert not line.startswith(".") or line.startswith(known), line


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_finds_no_fault_in_the_page(root: click.Context) -> None:
    words = ["groff", "-man", "-Tutf8", "-ww", "-z"]
    found = subprocess.run(
        words, input=manual.page(root), capture_output=True, text=True, check=True
    )
    assert found.stderr == ""


def test_every_command_takes_the_home(root: click.Context) -> None:
    groups = {each.command_path for each in manual.commands(root)
              if isinstance(each.command, click.Group)}  # fmt: skip
    for each in manual.commands(root):
        names = {name for option in each.command.params for name in option.opts}
        assert "--home" in names or each.command_path in groups, each.command_path
